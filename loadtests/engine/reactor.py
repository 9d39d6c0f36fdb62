"""One epoll and one timer for all connections, in one greenlet that lets the others run every five milliseconds.

A greenlet and a libev watcher for each connection made a request a third dearer, and an epoll inside libev's own took
two more system calls a wake-up. So this greenlet waits by itself, never for long, and the greenlets of Locust and its
web page have their turn in between.
"""

from __future__ import annotations

import select
from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count

import gevent
from gevent import monkey

from loadtests.engine.timer import Timer, monotonic_ns

# Locust lets gevent patch the select module, and gevent takes epoll out because it may block. Here it never does long.
epoll = monkey.get_original("select", "epoll") if monkey.is_module_patched("select") else select.epoll

IN, OUT, RDHUP = 0x001, 0x004, 0x2000
"""EPOLLIN, EPOLLOUT and EPOLLRDHUP, as the select module has them before it is patched."""
_BATCH = 32
"""Events served before the clock is looked at again."""
_OTHERS_EVERY_NS = 5_000_000
_WAIT_S = 0.002
_NEVER = 1 << 63


class Reactor:
    """Calls handlers with what happens on their file descriptors, and calls back at set moments."""

    def __init__(self) -> None:
        self._epoll = epoll()
        self._handlers: dict[int, Callable[[int], None]] = {}
        self._timer = Timer()
        self._calls: list[tuple[int, int, Callable[[], None]]] = []
        self._order = count()
        self._due = _NEVER
        self._running = False
        self.watch(self._timer.fd, lambda _: None, IN)

    def watch(self, fd: int, handler: Callable[[int], None], events: int) -> None:
        """Call `handler` with the mask of what happens on `fd`: of `events`, errors and hang-ups, until `forget`."""
        self._handlers[fd] = handler
        self._epoll.register(fd, events)

    def change(self, fd: int, events: int) -> None:
        """Watch `fd` for these events instead."""
        self._epoll.modify(fd, events)

    def forget(self, fd: int) -> None:
        """Call no more for `fd`; the caller closes it next, which takes it out of the epoll."""
        del self._handlers[fd]

    def at(self, at_ns: int, call: Callable[[], None]) -> None:
        """Call once at `at_ns` (CLOCK_MONOTONIC), in order of time; if it is past, soon, but never from within here."""
        heappush(self._calls, (at_ns, next(self._order), call))
        if at_ns < self._due:
            self._due = at_ns
            self._timer.arm(at_ns)

    def every(self, period_ns: int, call: Callable[[], None], *, over: Callable[[], bool]) -> None:
        """Call every `period_ns` until `over()`; a call that is late moves those after it, and none is made up for."""

        def again() -> None:
            if not over():
                call()
                self.at(monotonic_ns() + period_ns, again)

        self.at(monotonic_ns() + period_ns, again)

    def stop(self) -> None:
        """Let `run` return when the events at hand are served."""
        self._running = False

    def run(self) -> None:
        """Serve until `stop`, in the calling greenlet; an exception of a handler ends it and is passed on."""
        poll, handlers = self._epoll.poll, self._handlers
        self._running = True
        others_ns = 0
        while self._running:
            now = monotonic_ns()
            if now >= self._due:
                self._call(now)
            if now >= others_ns:
                gevent.idle()  # sleep(0) would leave their sockets alone for up to seconds
                others_ns = monotonic_ns() + _OTHERS_EVERY_NS
            for fd, mask in poll(_WAIT_S, _BATCH):
                if handler := handlers.get(fd):
                    handler(mask)

    def close(self) -> None:
        """Give the file descriptors back."""
        self._timer.close()
        self._epoll.close()

    def _call(self, now: int) -> None:
        calls = self._calls
        while calls and calls[0][0] <= now:
            heappop(calls)[2]()
        self._due = calls[0][0] if calls else _NEVER
        self._timer.arm(calls[0][0] if calls else 0)
