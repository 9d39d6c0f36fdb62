"""One epoll and one timer for all connections, waited for through gevent's hub.

The engine is one greenlet: it serves whole batches of ready sockets and lets gevent run in between, at least once a
millisecond. A greenlet and a libev watcher for each connection cost a third more a request.
"""

from __future__ import annotations

import select
from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count

import gevent
from gevent import get_hub, monkey

from loadtests.timer import Timer, monotonic_ns

# Locust has gevent patch the select module at import, which takes epoll out, as it blocks. Here it never does.
epoll = monkey.get_original("select", "epoll") if monkey.is_module_patched("select") else select.epoll

IN, OUT, RDHUP = 0x001, 0x004, 0x2000
"""EPOLLIN, EPOLLOUT, EPOLLRDHUP, as `select` has them."""
_BATCH = 32
_HUB_EVERY_NS = 1_000_000
_NEVER = 1 << 63


class Reactor:
    """Tells handlers what happens on their file descriptors, and calls back at set moments."""

    def __init__(self) -> None:
        self._epoll = epoll()
        self._handlers: dict[int, Callable[[int], None]] = {}
        self._timer = Timer()
        self._calls: list[tuple[int, int, Callable[[], None]]] = []
        self._order = count()
        self._due = _NEVER
        self._running = False
        self.watch(self._timer.fd, self._arm, IN)

    def watch(self, fd: int, handler: Callable[[int], None], events: int) -> None:
        """Call `handler` with what happens on `fd`, of `events`, errors and hang-ups; until `forget`."""
        self._handlers[fd] = handler
        self._epoll.register(fd, events)

    def change(self, fd: int, events: int) -> None:
        """Watch for these instead."""
        self._epoll.modify(fd, events)

    def forget(self, fd: int) -> None:
        """Call no more for `fd`, which is closed next: that takes it out of the epoll."""
        del self._handlers[fd]

    def at(self, at_ns: int, call: Callable[[], None]) -> None:
        """Call once at `at_ns`, in order of time; never from within this method, even if that is past."""
        heappush(self._calls, (at_ns, next(self._order), call))
        self._due = self._calls[0][0]

    def soon(self, call: Callable[[], None]) -> None:
        """Call as soon as possible; the way in for other greenlets, as it wakes one that waits."""
        self.at(monotonic_ns(), call)
        self._timer.arm(self._due)

    def every(self, period_ns: int, call: Callable[[], None], *, over: Callable[[], bool]) -> None:
        """Call each `period_ns` until `over()`; what is missed is left out."""

        def again() -> None:
            if not over():
                call()
                self.at(monotonic_ns() + period_ns, again)

        self.at(monotonic_ns() + period_ns, again)

    def stop(self) -> None:
        """Let `run` return after what is being served."""
        self._running = False

    def run(self) -> None:
        """Serve until `stop`, in the calling greenlet; what a handler raises ends it."""
        hub = get_hub()
        watcher = hub.loop.io(self._epoll.fileno(), 1)
        watcher.start(gevent.getcurrent().switch)
        poll, handlers = self._epoll.poll, self._handlers
        self._running = True
        to_hub_ns = monotonic_ns() + _HUB_EVERY_NS
        try:
            while self._running:
                now = monotonic_ns()
                if now >= self._due:
                    self._call(now)
                events = poll(0, _BATCH)
                for fd, mask in events:
                    if handler := handlers.get(fd):
                        handler(mask)
                if not events or now >= to_hub_ns:
                    if self._running:
                        self._arm()
                        hub.switch()
                    to_hub_ns = monotonic_ns() + _HUB_EVERY_NS
        finally:
            watcher.stop()
            watcher.close()

    def close(self) -> None:
        """Give the file descriptors back."""
        self._timer.close()
        self._epoll.close()

    def _arm(self, _: int = 0) -> None:
        """Wake up for the next call; as the timer's handler: it is to be readable no longer."""
        self._timer.arm(0 if self._due == _NEVER else self._due)

    def _call(self, now: int) -> None:
        calls = self._calls
        while calls and calls[0][0] <= now:
            heappop(calls)[2]()
        self._due = calls[0][0] if calls else _NEVER
