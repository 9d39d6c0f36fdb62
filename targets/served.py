"""What the workers of a server have served, in a file that they and whoever started them have mapped.

The file is there where GATEBENCH_SERVED names it, and only then is anything counted: in suites that disturb a server.
It consists of 64-bit integers, eight to a row. The first row begins with the generation of the code that a worker now
starts with: whoever replaces the code raises it. Of code that has a version (`targets.version`) that is its generation,
whatever the file says. Each further row is a worker's: its process id, its generation, the
requests that it began and finished, and the moments of CLOCK_MONOTONIC, in nanoseconds, at which it finished the first
and the last. A worker that is killed leaves its row.
"""

import fcntl
import mmap
import os
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Any

from targets.version import VERSION

WORDS = 8
"""Integers a row."""


class Served:
    """The row of this worker; made when the app is made, so that it has the generation of that code."""

    def __init__(self, path: str) -> None:
        self._fd = os.open(path, os.O_RDWR)
        self._file = mmap.mmap(self._fd, 0)
        self._words = memoryview(self._file).cast("q")
        self._generation = VERSION or self._words[0]
        self._lock = threading.Lock()
        self._at = 0
        os.register_at_fork(after_in_child=self._forget)

    def begun(self) -> None:
        """A request has come to the app."""
        with self._lock:
            self._words[self._row() + 2] += 1

    def finished(self) -> None:
        """Its answer was handed over to the server, or given up."""
        with self._lock:
            row, now_ns = self._row(), time.monotonic_ns()
            self._words[row + 3] += 1
            if not self._words[row + 4]:
                self._words[row + 4] = now_ns
            self._words[row + 5] = now_ns

    def _row(self) -> int:
        """Where the row of this process begins; the first request of a process takes one."""
        if not self._at:
            self._at = self._taken()
        return self._at

    def _taken(self) -> int:
        fcntl.lockf(self._fd, fcntl.LOCK_EX)
        try:
            for row in range(WORDS, len(self._words) - WORDS + 1, WORDS):
                if not self._words[row]:
                    self._words[row], self._words[row + 1] = os.getpid(), self._generation
                    return row
        finally:
            fcntl.lockf(self._fd, fcntl.LOCK_UN)
        raise RuntimeError("more workers than the file of what is served has rows for")

    def _forget(self) -> None:
        """In a process that was forked from this one: it is another worker."""
        self._lock = threading.Lock()
        self._at = 0


class CountedWsgi:
    """A WSGI app whose requests are counted."""

    def __init__(self, app: Callable[..., Iterable[bytes]], served: Served) -> None:
        self.app, self.served = app, served

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Count the request now, and again when the server has done with its answer."""
        self.served.begun()
        try:
            return _Closing(self.app(environ, start_response), self.served.finished)
        except BaseException:
            self.served.finished()
            raise


class _Closing:
    """The pieces of an answer; the server calls `close` when it has done with them, whatever became of them."""

    def __init__(self, pieces: Iterable[bytes], closed: Callable[[], None]) -> None:
        self._pieces, self._closed = pieces, closed

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._pieces)

    def close(self) -> None:
        """Close the answer inside."""
        try:
            close = getattr(self._pieces, "close", None)
            if close is not None:
                close()
        finally:
            self._closed()


class CountedAsgi:
    """An ASGI app whose requests are counted."""

    def __init__(self, app: Callable[..., Awaitable[None]], served: Served) -> None:
        self.app, self.served = app, served

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Count the request before and after the app has it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        self.served.begun()
        try:
            await self.app(scope, receive, send)
        finally:
            self.served.finished()
