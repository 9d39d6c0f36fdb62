"""Drives one arm through one slice: its connections start one after another, and end when the last answer is in.

Closed and open load have this in common; the modules `closed` and `open` hold what differs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, ClassVar, TypeAlias

from harness.spec import SliceCheck
from loadtests.engine.exchange import Exchange
from loadtests.engine.reactor import Reactor
from loadtests.engine.recorder import FOLD_AT, Recorder
from loadtests.engine.selfcheck import SelfCheck
from loadtests.engine.timer import monotonic_ns
from loadtests.engine.wire import Connection, Owner

SPACING_NS = 1_000_000
"""Least mean time between two connections that are opened."""
Connect: TypeAlias = Callable[[Exchange, Reactor, Owner], Connection]
"""How a connection is made."""
_FOLD_EVERY_NS = 20_000_000
_SHOW_EVERY_NS = 1_000_000_000


class Driver(ABC):
    """Load on one arm, from `start` to `stop`; it stops the reactor when the last answer is in."""

    awaits_first_answers: ClassVar[bool]
    """Whether the counted window opens only when every connection has had its first answer."""

    def __init__(
        self,
        exchange: Exchange,
        reactor: Reactor,
        recorder: Recorder,
        connections: int,
        connect: Connect = Connection,
    ) -> None:
        self.reactor = reactor
        self.recorder = recorder
        self.exchange = exchange
        self.connections = [connect(exchange, reactor, self) for _ in range(connections)]
        self.sending = False
        self._over = False
        self._first_sent: dict[Connection, int] = {}

    @abstractmethod
    def answered(self, connection: Connection, sent_ns: int, kind: str | None, done_ns: int) -> None:
        """Take the end of a request (`wire.Owner`)."""

    @abstractmethod
    def figures(self) -> dict[str, Any]:
        """Fields of `harness.spec.Slice` that only this kind of load shows, once the slice is over."""

    @abstractmethod
    def judge(self, check: SelfCheck) -> SliceCheck:
        """The generator's judgement of itself under this kind of load."""

    def start(self, begin_ns: Iterable[int]) -> None:
        """Let each connection begin at its moment of `begin_ns`; it sends as soon as it is open."""
        self.sending = True
        for connection, at_ns in zip(self.connections, begin_ns, strict=True):
            self.reactor.at(at_ns, partial(self._first, connection))
        deadline_ns = min(self.exchange.connect_timeout_ns, self.exchange.read_timeout_ns)
        self.reactor.every(max(deadline_ns // 20, SPACING_NS), self._expire, over=self._is_over)
        self.reactor.every(_FOLD_EVERY_NS, partial(self.recorder.fold, at_least=FOLD_AT), over=self._is_over)
        self.reactor.every(_SHOW_EVERY_NS, self.show, over=self._is_over)

    def opening(self, sent_ns: int, *, again: bool) -> None:
        """Count a connection that is opened (`wire.Owner`)."""
        self.recorder.connect(sent_ns, again=again)

    def stop(self) -> None:
        """Send no more; requests under way are awaited."""
        self.sending = False
        self.end_if_drained()

    def abandon(self) -> None:
        """Give up the requests that are still under way, and count them as timed out."""
        for connection in self.connections:
            connection.give_up()
        self.end_if_drained()

    def end_if_drained(self) -> None:
        """After `stop`: end the reactor's run if the last answer is in."""
        if not (self.sending or self._over or self.outstanding()):
            self._over = True
            self.reactor.stop()

    def all_answered_once(self) -> bool:
        """Whether every connection has had its first answer, and so is past its first request."""
        first = self._first_sent
        return len(first) == len(self.connections) and all(
            connection.sent != sent_ns for connection, sent_ns in first.items()
        )

    def outstanding(self) -> int:
        """How many requests are under way, or wait for a connection."""
        return sum(1 for connection in self.connections if connection.sent)

    def answers(self) -> list[int]:
        """The answers of the slice over each connection."""
        return [sum(answers for _, answers in connection.ports) for connection in self.connections]

    def end(self) -> None:
        """Close the connections and count everything, after the drain or instead of it."""
        self.stop()
        self.abandon()
        for connection in self.connections:
            connection.close()
        self.show()

    def show(self) -> None:
        """Bring counts and Locust's statistics up to date."""
        self.recorder.fold()
        self.recorder.show(self.exchange.body_length)

    def _first(self, connection: Connection) -> None:
        if self.sending:
            connection.begin()
            self._first_sent[connection] = connection.sent

    def _expire(self) -> None:
        now = monotonic_ns()
        for connection in self.connections:
            connection.expire(now)

    def _is_over(self) -> bool:
        return self._over
