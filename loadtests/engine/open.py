"""Open load: requests are sent when they are due, whatever the server does. It shows what users feel at a rate."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

from harness.spec import Generator
from harness.spec.loads import Open
from loadtests.engine.driver import Driver
from loadtests.engine.exchange import Exchange
from loadtests.engine.reactor import Reactor
from loadtests.engine.recorder import Recorder
from loadtests.engine.selfcheck import SelfCheck
from loadtests.engine.starts import shifted, until
from loadtests.engine.timer import monotonic_ns
from loadtests.engine.wire import Connection

_AT_ONCE = 10_000
"""Arrivals handed over before anything else gets its turn: so many are due only where the generator is too slow."""


class OpenDriver(Driver):
    """Arrivals handed to a pool of connections.

    Each connection first sends one request of its own, unasked and uncounted, so that setting it up is over when the
    window opens; a server that closes every connection is thereby left with none open, and gets a new one at each send.
    Free connections take turns: all stay warm, and the server's workers are loaded alike.
    """

    awaits_first_answers = False

    def __init__(
        self,
        exchange: Exchange,
        reactor: Reactor,
        recorder: Recorder,
        load: Open,
        arrivals: Iterator[int],
        *,
        queue: int = 100_000,
    ) -> None:
        super().__init__(exchange, reactor, recorder, load.connections)
        self._arrivals = arrivals
        self._room = queue if load.when_full == "queue" else 0
        self._waiting: deque[int] = deque()
        self._free: deque[Connection] = deque()
        self._next_ns = 0
        self._intended, self._sent, self._done = recorder.intended, recorder.sent, recorder.done

    def start(self, begin_ns: Iterable[int]) -> None:
        """Open the connections, then let the arrivals come, whose times are the schedule's own."""
        super().start(begin_ns)
        self._await_next()

    def answered(self, connection: Connection, sent_ns: int, kind: str | None, done_ns: int) -> None:
        """Record, and hand over what has waited longest."""
        if kind is None:
            self._intended(connection.intended or sent_ns)
            self._sent(sent_ns)
            self._done(done_ns)
        else:
            self.recorder.fail(kind, connection.intended or sent_ns, sent_ns, done_ns)
        if self._waiting:
            connection.intended = self._waiting.popleft()
            connection.begin()
        else:
            self._free.append(connection)
            if not self.sending:
                self.end_if_drained()

    def outstanding(self) -> int:
        """The queue is drained too."""
        return super().outstanding() + len(self._waiting)

    def abandon(self) -> None:
        """What never got a connection was dropped."""
        while self._waiting:
            self.recorder.drop(self._waiting.popleft())
        super().abandon()

    def figures(self) -> dict[str, Any]:
        """What became of the arrivals, and how long nothing was answered."""
        recorder = self.recorder
        return {
            "scheduled": recorder.scheduled,
            "done": recorder.good,
            "offered_rps": recorder.scheduled / recorder.window.length_s,
            "stalls": recorder.stalls,
            "stalled_s": recorder.stalled_s,
            "service": recorder.service.encode(),
            "lateness": recorder.lateness.encode(),
        }

    def verdict(self, check: SelfCheck) -> Generator:
        """By its CPU, and by how late it handed over the arrivals."""
        return check.verdict(self.recorder.lateness, self.recorder.latency)

    def _dispatch(self) -> None:
        """Every arrival that is due: to a free connection, into the queue, or dropped."""
        recorder, free = self.recorder, self._free
        for _ in range(_AT_ONCE):
            now = monotonic_ns()
            if not self.sending or now < self._next_ns:
                break
            intended_ns = self._next_ns
            recorder.due(intended_ns, now)
            if free:
                connection = free.popleft()
                connection.intended = intended_ns
                connection.begin()
            elif len(self._waiting) < self._room:
                self._waiting.append(intended_ns)
            else:
                recorder.drop(intended_ns)
            self._next_ns = next(self._arrivals)
        if self.sending:
            # Not at a moment that is past: it would come before all else, and the slice would never end.
            self.reactor.at(max(self._next_ns, now), self._dispatch)

    def _await_next(self) -> None:
        self._next_ns = next(self._arrivals)
        self.reactor.at(self._next_ns, self._dispatch)


def arrivals_of_a_slice(load: Open, seed: str, steady_ns: int, opens_ns: int) -> Iterator[int]:
    """Moments in nanoseconds: those before the counted window opens, from `steady_ns` on, then the window's own.

    The window's do not depend on how long the start-up of an arm takes: the two of a pair replay the same arrivals.
    Raises `ValueError` for a load without a rate.
    """
    if load.rate_rps is None:
        raise ValueError("an open load needs a rate")
    before = shifted(load.law.schedule(load.rate_rps, f"{seed}/start"), steady_ns)
    counted = shifted(load.law.schedule(load.rate_rps, seed), opens_ns)
    return chain(until(before, opens_ns), counted)
