"""Open load: requests are sent when they are due, whatever the server does. This shows what users feel at a rate."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

from harness.spec import SliceCheck
from harness.spec.loads import Open
from loadtests.engine.driver import Connect, Driver
from loadtests.engine.exchange import Exchange
from loadtests.engine.reactor import Reactor
from loadtests.engine.recorder import Recorder
from loadtests.engine.selfcheck import SelfCheck
from loadtests.engine.starts import Share, shifted, until
from loadtests.engine.timer import monotonic_ns
from loadtests.engine.wire import Connection

_AT_ONCE = 10_000
"""At most so many arrivals are handed over before other work gets its turn. More are due at a time only where the
generator is too slow."""


class OpenDriver(Driver):
    """Arrivals handed to a pool of connections.

    Each connection first sends one uncounted request of its own, so that its set-up is over when the window opens. A
    server that closes each connection after an answer has none open then, and gets a new one for each arrival. Free
    connections take turns: so all stay warm, and the server's workers get equal shares.
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
        connect: Connect = Connection,
    ) -> None:
        super().__init__(exchange, reactor, recorder, load.connections, connect)
        self._arrivals = arrivals
        self._room = queue if load.when_full == "queue" else 0
        self._waiting: deque[int] = deque()
        self._free: deque[Connection] = deque()
        self._next_ns = 0
        self._intended, self._sent, self._done = recorder.intended, recorder.sent, recorder.done

    def start(self, begin_ns: Iterable[int]) -> None:
        """Open the connections, then let the arrivals come at the moments of their schedule."""
        super().start(begin_ns)
        self._await_next()

    def answered(self, connection: Connection, sent_ns: int, kind: str | None, done_ns: int) -> None:
        """Record the answer, and give the connection to the arrival that has waited longest."""
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
        """Requests that are under way, and arrivals in the queue."""
        return super().outstanding() + len(self._waiting)

    def abandon(self) -> None:
        """Give up what is under way; arrivals that never got a connection count as dropped."""
        while self._waiting:
            self.recorder.drop(self._waiting.popleft())
        super().abandon()

    def figures(self) -> dict[str, Any]:
        """What became of the arrivals, and when nothing was answered."""
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

    def judge(self, check: SelfCheck) -> SliceCheck:
        """Judge it by its CPU, and by how late it handed over the arrivals."""
        return check.judge(self.recorder.lateness, self.recorder.latency)

    def _dispatch(self) -> None:
        """Give every arrival that is due a free connection or a place in the queue, or drop it."""
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
            # Never at a moment in the past: it would come before all other work, and the slice would not end.
            self.reactor.at(max(self._next_ns, now), self._dispatch)

    def _await_next(self) -> None:
        self._next_ns = next(self._arrivals)
        self.reactor.at(self._next_ns, self._dispatch)


def arrivals_of_a_slice(
    load: Open, seed: str, steady_ns: int, opens_ns: int, share: Share, start_ns: int
) -> Iterator[int]:
    """The moments of a slice that starts at `start_ns`, those of `share`.

    First come those before the counted window opens, from `steady_ns` after the start on, then those of the window,
    which opens `opens_ns` after the start. The window has a schedule of its own. It does not depend on how long the
    start of an arm takes, so the two arms of a pair get the same arrivals.
    Raises `ValueError` for a load without a rate.
    """
    if load.rate_rps is None:
        raise ValueError("an open load needs a rate")
    before = share.taken(load.law.schedule(load.rate_rps, f"{seed}/start"), f"{seed}/start")
    counted = share.taken(load.law.schedule(load.rate_rps, seed), seed)
    opening = until(shifted(before, start_ns + steady_ns), start_ns + opens_ns)
    return chain(opening, shifted(counted, start_ns + opens_ns))
