"""What a server's workers have served by their own count, through a file that both have mapped (`targets.served`)."""

from __future__ import annotations

import contextlib
import mmap
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.machine.guard import scratch

WORDS, ROWS = 8, 512
"""Integers a row, and rows: the first is the file's own, each other a worker's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """One worker process, with what it has served."""

    pid: int
    generation: int
    """Of the code that it runs, from 1 on."""
    begun: int
    finished: int
    first_ns: int
    """When it finished its first request, on CLOCK_MONOTONIC; 0: it has finished none."""
    last_ns: int


class Served:
    """The counts of one server, while it is launched."""

    def __init__(self, path: str, words: memoryview) -> None:
        self.path = path
        self._words = words

    @property
    def generation(self) -> int:
        """Of the code with which a worker that starts now starts."""
        return self._words[0]

    def renew(self) -> None:
        """From now on workers start with new code."""
        self._words[0] += 1

    def workers(self) -> tuple[Worker, ...]:
        """All that have had a request since the launch, those that have ended among them."""
        rows = [self._words[at : at + WORDS].tolist() for at in range(WORDS, len(self._words), WORDS)]
        return tuple(
            Worker(pid=pid, generation=generation, begun=begun, finished=finished, first_ns=first_ns, last_ns=last_ns)
            for pid, generation, begun, finished, first_ns, last_ns, *_ in rows
            if pid
        )


@contextlib.contextmanager
def counting() -> Iterator[Served]:
    """A file in which a server that is launched meanwhile counts; raises `OSError` where there is no room for it."""
    fd, path = tempfile.mkstemp(prefix="served-", dir=scratch())
    try:
        os.posix_fallocate(fd, 0, ROWS * WORDS * 8)  # a disk that is full is known now, not when a worker writes
        with mmap.mmap(fd, 0) as file, memoryview(file) as whole, whole.cast("q") as words:
            words[0] = 1
            yield Served(path, words)
    finally:
        os.close(fd)
        with contextlib.suppress(FileNotFoundError):
            Path(path).unlink()
