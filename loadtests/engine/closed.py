"""Closed load: each connection sends its next request when the last answer is in. It shows capacity."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from harness.spec import Generator
from loadtests.engine.driver import Driver
from loadtests.engine.exchange import Exchange
from loadtests.engine.reactor import Reactor
from loadtests.engine.recorder import Recorder
from loadtests.engine.selfcheck import SelfCheck
from loadtests.engine.wire import Connection

_AFTER_REFUSAL_NS = 10_000_000
"""Before a refused connection is tried again: a server that is not there answers faster than anything else."""
_STARVED = 0.1
"""Share of a fair share of the answers under which a connection starves."""
_TELLING = 20
"""Answers of a fair share from which that is no chance: where 20 are expected, under two come once in 20 million."""


class ClosedDriver(Driver):
    """N connections, back to back."""

    awaits_first_answers = True

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
            self.end_if_drained()

    def figures(self) -> dict[str, Any]:
        """How many connections starve."""
        return {"starved": starved([sum(n for _, n in connection.ports) for connection in self.connections])}

    def verdict(self, check: SelfCheck) -> Generator:
        """By its CPU alone: what it sends has no time to be late for."""
        return check.verdict()


def starved(answers: Sequence[int]) -> int:
    """How many connections starve, by the answers of each while kept alive; 0 where those are too few to tell."""
    fair_share = sum(answers) / len(answers)
    return sum(count < _STARVED * fair_share for count in answers) if fair_share >= _TELLING else 0
