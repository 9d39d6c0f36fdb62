"""Watches a server while it is disturbed, in a thread of its own: what shows only meanwhile.

What all its processes hold at once, and the CPU of processes that come and go: one that has ended is no longer in
/proc.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from harness.machine import usage
from harness.machine.usage import Usage
from harness.spec import UNIX
from harness.subject import connections
from harness.subject.accept_queue import accept_queue
from harness.subject.launch import Launched

LOOK_S = 0.2
"""Between two looks: each takes a millisecond or two on a CPU that is not the server's. So much of the CPU of a process
that ends may be missed."""


ENOUGH = 2
"""Looks that show how much CPU was used between them."""


@dataclass(frozen=True, slots=True)
class Pressed:
    """What shows of a server while it is disturbed; None where it does not."""

    cores: float | None = None
    accept_queue_most: int | None = None
    accept_overflows: int | None = None


class Watch:
    """Looks from the moment that it is told until it is ended."""

    def __init__(self, server: Launched) -> None:
        """Use `watching`."""
        self._server = server
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._cpu_s: dict[int, float] = {}
        self._held: list[int] = []
        self._queued: list[int | None] = []
        self._cores: list[tuple[int, float]] = []
        self._overflows = connections.overflows()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self._span_ns = (0, 0)

    def begin(self, start_ns: int, end_ns: int) -> None:
        """Look from now on; at the memory between these moments of CLOCK_MONOTONIC."""
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
        return max(self._held, default=None)

    @property
    def seen(self) -> Pressed:
        """What the disturbance asked of the server and of its accept queue."""
        after = connections.overflows()
        known = self._overflows is not None and after is not None
        return Pressed(
            cores=self._cores_used(),
            accept_queue_most=max((each for each in self._queued if each is not None), default=None),
            accept_overflows=max(0, (after or 0) - (self._overflows or 0)) if known else None,
        )

    def _cores_used(self) -> float | None:
        """CPU seconds a second, between the first and the last look within the disturbance."""
        if len(self._cores) < ENOUGH:
            return None
        (first_ns, first_s), (last_ns, last_s) = self._cores[0], self._cores[-1]
        return (last_s - first_s) / ((last_ns - first_ns) * 1e-9)

    def usage(self) -> Usage:
        """CPU of all processes that it has had since the first look, as far as it was seen of those that have ended."""
        return self._used(self._server.process.members())

    def _used(self, pids: list[int]) -> Usage:
        now = usage.usage(pids, self._server.proc)
        with self._lock:
            self._cpu_s.update(now.cpu_s)
            return Usage(dict(self._cpu_s))

    def _run(self) -> None:
        start_ns, end_ns = self._span_ns
        while not self._over.wait(LOOK_S):
            pids = self._server.process.members()
            spent, now_ns = sum(self._used(pids).cpu_s.values()), time.monotonic_ns()
            if start_ns <= now_ns < end_ns:
                self._cores.append((now_ns, spent))
                if not self._server.host.startswith(UNIX):
                    self._queued.append(accept_queue(self._server.port))
                seen = usage.memory(pids, self._server.proc)
                if seen is not None:
                    self._held.append(seen.pss)


@contextmanager
def watching(server: Launched) -> Iterator[Watch]:
    """Whoever looks, until the end of the block."""
    watch = Watch(server)
    try:
        yield watch
    finally:
        watch.end()
