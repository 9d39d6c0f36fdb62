"""The generators of a master: who they are, whether they are there, and what is said to and fro.

Locust carries the messages, says who has joined, and misses who sends no heartbeat. Nothing here waits for ever, and
nobody waits within a handler of a message, for that would hold up the next one.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import gevent
from gevent.event import AsyncResult
from locust.env import Environment
from locust.runners import STATE_MISSING, MasterRunner

from loadtests.distributed import one_each
from loadtests.engine.generator import EndedEarly
from loadtests.engine.timer import monotonic_ns
from loadtests.engine.user import user_running
from loadtests.several.clocks import ENOUGH, REFUSED, Clock, Trip, clock
from loadtests.several.members import Member, Seat, Start
from loadtests.several.messages import TYPE, Acknowledge, Done, Down, Hello, Join, Ping, Pong, packed, unpacked
from loadtests.several.post import Answer, Inbox

READY_S = 30.0
COME_S = 20.0
"""How long the others are waited for, once one has come: less than a harness waits for a generator that is ready."""
ANSWER_S = 60.0
"""How long an answer may take for which no load is driven. Who is lost is missed long before, by its heartbeat."""
_LOOK_EVERY_S = 0.05
_LEAST_TRIPS = 5
_MOST_TRIPS = 100
log = logging.getLogger("loadtests")


class Lost(EndedEarly):
    """A generator is gone, hangs, or cannot do what it is told: what is under way is void."""


class Crew:
    """So many generators, that are told apart by their ranks, from 0 on."""

    def __init__(self, environment: Environment, start: Start, seats: Sequence[Seat]) -> None:
        """A generator for each of `seats`; those that can be had are there when `assemble` returns."""
        self._user = user_running(lambda: None, AsyncResult())  # a master runs no users itself
        environment.user_classes = [self._user]
        one_each(environment, self._user)
        self.runner: MasterRunner = environment.create_master_runner("127.0.0.1", 0)
        self._nonce = secrets.token_hex(16)
        self._start = start
        self._seats = seats
        self._members: dict[int, Member] = {}
        """Those that are there, by rank."""
        self._absent: dict[int, str] = {}
        self._clients: dict[int, str] = {}
        self._inbox = Inbox()
        self._step = 0
        self._heard_ns = 0
        self._stopped: EndedEarly | None = None
        self.runner.register_message(TYPE, self._heard)

    @property
    def planned(self) -> int:
        """How many they are when all are there."""
        return len(self._seats)

    @property
    def ranks(self) -> tuple[int, ...]:
        """Those that are there."""
        return tuple(self._members)

    def absent(self) -> tuple[str, ...]:
        """Those that did not come, each by name with why."""
        return tuple(f"{self.name(rank)} {why}" for rank, why in sorted(self._absent.items()))

    def name(self, rank: int) -> str:
        """What a generator is called where people read it."""
        return f"generator {rank + 1} of {self.planned}{self._seats[rank].where}"

    def assemble(self) -> None:
        """Start them all and have Locust run a user on each that comes; raises `Lost` where none does."""
        port = self.runner.server.port
        for rank, seat in enumerate(self._seats):
            join = Join(port=port, nonce=self._nonce, rank=rank, cpu=seat.cpu)
            self._members[rank] = self._start(join, seat)
        began_ns = monotonic_ns()
        while (joined := len(self.runner.clients.ready)) < len(self._members):
            self._part_with_ended()
            if monotonic_ns() - began_ns >= (COME_S if joined else READY_S) * 1e9:
                break
            gevent.sleep(_LOOK_EVERY_S)
        if not joined:
            raise Lost(f"of {self.planned} generators none has joined in {READY_S:.0f} s")
        self.runner.start(joined, spawn_rate=joined)
        self._greeted(joined)

    def _part_with_ended(self) -> None:
        """Do without those that have ended; raises `Lost` where nobody is left."""
        for rank, member in list(self._members.items()):
            if how := member.gone():
                if len(self._members) == 1:
                    raise Lost(f"{self.name(rank)} {how}")
                self._part_with(rank, how)

    def _part_with(self, rank: int, why: str) -> None:
        self._members.pop(rank).end()
        self._absent[rank] = why
        log.warning("%s %s: it is done without", self.name(rank), why)

    def _greeted(self, joined: int) -> None:
        """Await who they are, and do without those that have not joined."""
        deadline_ns = monotonic_ns() + round(READY_S * 1e9)
        while len(self._clients) < min(joined, len(self._members)):
            self._part_with_ended()
            if monotonic_ns() >= deadline_ns:
                raise Lost(f"of {joined} generators that have joined {len(self._clients)} have said who they are")
            self._inbox.wait(_LOOK_EVERY_S)
        for rank in [rank for rank in self._members if rank not in self._clients]:
            self._part_with(rank, f"has not joined in {COME_S:.0f} s")

    def next_step(self) -> int:
        """A number for what is told next; what was said before is forgotten."""
        self._step += 1
        self._inbox.forget(self._step)
        return self._step

    def tell(self, rank: int, message: Down) -> None:
        """Send a message to a generator."""
        self.runner.send_message(TYPE, packed(self._nonce, message), self._clients[rank])

    def ask(self, ranks: Iterable[int], message: Down, kind: type[Answer], step: int) -> dict[int, Answer]:
        """Tell them all the same, and await what they answer; raises `Lost`."""
        asked = list(ranks)
        for rank in asked:
            self.tell(rank, message)
        return self.answers(kind, step, asked, ANSWER_S)

    def answers(self, kind: type[Answer], step: int, ranks: Iterable[int], seconds: float) -> dict[int, Answer]:
        """What they say in so many seconds; raises `Lost` where one has ended, is missing or says nothing."""
        awaited, deadline_ns = list(ranks), monotonic_ns() + round(seconds * 1e9)
        while True:
            came = {rank: self._inbox.get(kind, step, rank) for rank in awaited}
            silent = [rank for rank, answer in came.items() if answer is None]
            if not silent:
                return {rank: answer for rank, answer in came.items() if answer is not None}
            self.require(step)
            if monotonic_ns() >= deadline_ns:
                raise Lost(f"{self.name(silent[0])} hangs: no answer ({kind.__name__}) from it within {seconds:.0f} s")
            self._inbox.wait(_LOOK_EVERY_S)

    def last_words(self, step: int, ranks: Collection[int], seconds: float) -> dict[int, Done]:
        """What they sent of `step`, of those that say it in so many seconds."""
        deadline_ns = monotonic_ns() + round(seconds * 1e9)
        while True:
            came = {rank: done for rank in ranks if (done := self._inbox.get(Done, step, rank)) is not None}
            if len(came) == len(ranks) or monotonic_ns() >= deadline_ns:
                return came
            self._inbox.wait(_LOOK_EVERY_S)

    def until(self, at_ns: int, step: int) -> None:
        """Wait for a moment; raises `Lost` as soon as one is lost."""
        while (left_s := (at_ns - monotonic_ns()) / 1e9) > 0:
            self.require(step)
            gevent.sleep(min(left_s, _LOOK_EVERY_S))
        self.require(step)

    def require(self, step: int) -> None:
        """Raise `Lost` where one is gone or has failed in `step`, or what `interrupt` was called with."""
        if self._stopped is not None:
            raise self._stopped
        self._require_alive()
        for rank in self._members:
            done = self._inbox.get(Done, step, rank)
            if done is not None and done.error is not None:
                raise Lost(f"{self.name(rank)}: {done.error}")

    def interrupt(self, why: EndedEarly) -> None:
        """Let whoever waits raise `why`, now and from now on. Safe from any greenlet."""
        self._stopped = why

    def calm(self) -> None:
        """Take back `interrupt`, so that what is still to be said can be awaited."""
        self._stopped = None

    def clock(self, rank: int, length_s: float) -> Clock:
        """A generator's clock, known well enough for a slice of that length; raises `Lost` where it cannot be."""
        length_ns = round(length_s * 1e9)
        trips: list[Trip] = []
        for number in range(_MOST_TRIPS):
            step = self.next_step()
            left_ns = monotonic_ns()
            pong = self.ask([rank], Ping(step=step), Pong, step)[rank]
            trips.append(Trip(left_ns, pong.at_ns, self._heard_ns))
            found = clock(trips)
            if number + 1 >= _LEAST_TRIPS and found.within(ENOUGH, length_ns):
                break
        if not found.within(REFUSED, length_ns):
            known_ms = found.bound_ns / 1e6
            raise Lost(f"the clock of {self.name(rank)} is known to {known_ms:.1f} ms, over 1 % of the {length_s:g} s")
        return found

    def end(self) -> None:
        """End them all."""
        for member in self._members.values():
            member.end()
        self.runner.greenlet.kill(block=True)

    def _require_alive(self) -> None:
        """Raise `Lost` where one has ended, sends no heartbeat, or is one too many."""
        for rank, member in self._members.items():
            if how := member.gone():
                raise Lost(f"{self.name(rank)} {how}")
        for rank, client in self._clients.items():
            node = self.runner.clients.get(client)
            if node is None or node.state == STATE_MISSING:
                raise Lost(f"{self.name(rank)} is missing: no heartbeat from it")
        if len(self._clients) == len(self._members) and set(self.runner.clients) - set(self._clients.values()):
            raise Lost("a Locust worker has joined that is none of ours")

    def _heard(self, msg: Any, **_: Any) -> None:
        """Take a message of a worker. Handlers must not wait."""
        self._heard_ns = monotonic_ns()
        try:
            message = unpacked(self._nonce, msg.data)
        except ValueError:
            log.exception("a worker says what is no message")
            return
        if isinstance(message, Hello) and message.rank in self._members:
            self._clients[message.rank] = msg.node_id
        rank = next((rank for rank, client in self._clients.items() if client == msg.node_id), None)
        if message is None or rank is None:
            log.warning("a message from a worker that is none of ours: %s", msg.node_id)
            return
        if isinstance(message, Done):
            self.tell(rank, Acknowledge(step=message.step))
        self._inbox.put(rank, message)
