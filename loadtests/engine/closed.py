"""Closed load: each connection sends its next request when the last answer is in. This shows capacity."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from harness.spec import SliceCheck
from loadtests.engine.driver import Connect, Driver
from loadtests.engine.exchange import Exchange
from loadtests.engine.reactor import Reactor
from loadtests.engine.recorder import Recorder
from loadtests.engine.selfcheck import SelfCheck
from loadtests.engine.wire import Connection

_AFTER_REFUSAL_NS = 10_000_000
"""A pause after a refused connection. Refusals come faster than answers: without it they would be the whole load."""
_STARVED = 0.1
"""A connection starves when it gets less than this part of an equal share of the answers."""
_ENOUGH_TO_TELL = 20
"""Answers of an equal share from which starving is no chance: where 20 are expected, fewer than two come once in 20
million cases."""


class ClosedDriver(Driver):
    """N connections, back to back."""

    awaits_first_answers = True

    def __init__(
        self,
        exchange: Exchange,
        reactor: Reactor,
        recorder: Recorder,
        connections: int,
        connect: Connect = Connection,
    ) -> None:
        super().__init__(exchange, reactor, recorder, connections, connect)
        self._sent, self._done = recorder.sent, recorder.done

    def answered(self, connection: Connection, sent_ns: int, kind: str | None, done_ns: int) -> None:
        """Record the answer, and send the next request."""
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
        """The number of connections that starve."""
        return {"starved": starved(self.answers())}

    def judge(self, check: SelfCheck) -> SliceCheck:
        """Judge it by its CPU alone: a closed load has no schedule, so nothing can be late."""
        return check.judge()


def starved(answers: Sequence[int]) -> int:
    """How many connections starve, from the answers that each got; 0 where there are too few answers to tell."""
    fair_share = sum(answers) / max(len(answers), 1)
    return sum(count < _STARVED * fair_share for count in answers) if fair_share >= _ENOUGH_TO_TELL else 0
