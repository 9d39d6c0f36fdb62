"""Open load: requests are sent when they are due, whatever the server does. Shows what users feel at a given rate."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Literal

from loadtests.engine.exchange import Exchange
from loadtests.engine.load import Load
from loadtests.engine.reactor import Reactor
from loadtests.engine.recorder import Recorder
from loadtests.engine.timer import monotonic_ns
from loadtests.engine.wire import Connection


class Open(Load):
    """Arrivals handed to a pool of connections.

    Each connection first sends one request of its own, unasked and uncounted, so that setting it up is over when the
    window opens; a server that closes every connection is thereby left with none open, and gets a new one at each send.
    Free connections take turns: all stay warm, and the server's workers are loaded alike.
    """

    def __init__(
        self,
        exchange: Exchange,
        reactor: Reactor,
        recorder: Recorder,
        connections: int,
        arrivals: Iterator[int],
        *,
        when_full: Literal["queue", "drop"] = "queue",
        queue: int = 100_000,
    ) -> None:
        super().__init__(exchange, reactor, recorder, connections)
        self._arrivals = arrivals
        self._room = queue if when_full == "queue" else 0
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
                self.settle()

    def outstanding(self) -> int:
        """The queue is drained too."""
        return super().outstanding() + len(self._waiting)

    def abandon(self) -> None:
        """What never got a connection was dropped."""
        while self._waiting:
            self.recorder.drop(self._waiting.popleft())
        super().abandon()

    def _dispatch(self) -> None:
        """Every arrival that is due: to a free connection, into the queue, or dropped."""
        recorder, free = self.recorder, self._free
        while self.sending and (now := monotonic_ns()) >= self._next_ns:
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
            self.reactor.at(self._next_ns, self._dispatch)

    def _await_next(self) -> None:
        self._next_ns = next(self._arrivals)
        self.reactor.at(self._next_ns, self._dispatch)
