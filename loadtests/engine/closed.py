"""Closed load: each connection sends its next request when the last answer is in. Shows capacity at N connections."""

from __future__ import annotations

from functools import partial

from loadtests.engine.exchange import Exchange
from loadtests.engine.load import Load
from loadtests.engine.reactor import Reactor
from loadtests.engine.recorder import Recorder
from loadtests.engine.wire import Connection

_AFTER_REFUSAL_NS = 10_000_000
"""Before a refused connection is tried again: a server that is not there answers faster than anything else."""


class Closed(Load):
    """N connections, back to back."""

    def __init__(self, exchange: Exchange, reactor: Reactor, recorder: Recorder, connections: int) -> None:
        super().__init__(exchange, reactor, recorder, connections)
        self._sent, self._done = recorder.sent, recorder.done

    def answered(self, connection: Connection, sent_ns: int, kind: str | None, done_ns: int) -> None:
        """Record, and send the next one."""
        if kind is None:
            self._sent(sent_ns)
            self._done(done_ns)
        else:
            self.recorder.fail(kind, sent_ns, sent_ns, done_ns)
            if kind == "connect" and self.sending:
                self.reactor.at(done_ns + _AFTER_REFUSAL_NS, partial(self._first, connection))
                return
        if self.sending:
            connection.begin()
        else:
            self.settle()
