"""Watches the memory of a server while it is disturbed: what its processes hold at once shows only meanwhile."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from harness.machine.usage import memory
from harness.subject.launch import Launched

LOOK_S = 0.2
"""Between two looks: each takes a millisecond a process, on a CPU that is not the server's."""
NANO = 1e-9


class Watch:
    """Looks from the moment that it is told, in a thread of its own, until it is ended."""

    def __init__(self, server: Launched) -> None:
        """Use `watching`."""
        self._server = server
        self._over = threading.Event()
        self._seen: list[int] = []
        self._thread = threading.Thread(target=self._run, name="memory", daemon=True)
        self._span_ns = (0, 0)

    def begin(self, start_ns: int, end_ns: int) -> None:
        """Look between these moments of CLOCK_MONOTONIC."""
        self._span_ns = (start_ns, end_ns)
        self._thread.start()

    def end(self) -> None:
        """Look no more."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()

    @property
    def most_bytes(self) -> int | None:
        """The most that all its processes held at once (PSS); None: that was never seen."""
        return max(self._seen, default=None)

    def _run(self) -> None:
        start_ns, end_ns = self._span_ns
        wait_s = (start_ns - time.monotonic_ns()) * NANO
        while not self._over.wait(max(0.0, wait_s)) and time.monotonic_ns() < end_ns:
            wait_s = LOOK_S
            seen = memory(self._server.process.members(), self._server.proc)
            if seen is not None:
                self._seen.append(seen.pss)


@contextmanager
def watching(server: Launched) -> Iterator[Watch]:
    """Whoever looks, until the end of the block."""
    watch = Watch(server)
    try:
        yield watch
    finally:
        watch.end()
