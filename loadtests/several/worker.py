"""A generator that is one of several: a Locust worker whose only user drives what the master tells."""

from __future__ import annotations

import argparse
import logging
import os
import signal
from functools import partial
from typing import Any

import gevent
import locust
from gevent.event import AsyncResult, Event
from gevent.queue import Queue
from gevent.socket import wait_read
from locust.env import Environment

from harness.spec import Spec, load
from loadtests.engine.generator import WARM_UP, Generator, OpenAt, Prepared, Stopped
from loadtests.engine.locust_stats import lines
from loadtests.engine.starts import Share
from loadtests.engine.timer import monotonic_ns
from loadtests.engine.user import user_running
from loadtests.phases import spare_the_living
from loadtests.several.messages import (
    TYPE,
    Acknowledge,
    Armed,
    Done,
    Hello,
    Join,
    OpenWindow,
    Order,
    Ping,
    Pong,
    Prepare,
    Settled,
    StartAt,
    Stop,
    Up,
    digest,
    disagreement,
    packed,
    unpacked,
    versions,
)
from loadtests.several.post import until_acknowledged

_AGAIN_S = 0.5
"""A result that is not acknowledged is sent again after so long."""
log = logging.getLogger("loadtests")


class TooLate(Exception):  # noqa: N818 - it says what it is
    """A moment was past when it was told."""


class Worker:
    """Drives what one master tells, phase after phase."""

    def __init__(self, environment: Environment, join: Join) -> None:
        self._environment = environment
        self._join = join
        self._orders: Queue[Any] = Queue()
        self._acknowledged: dict[int, Event] = {}
        self._spec: Spec | None = None
        self._generator: Generator | None = None
        self._prepared: Prepared | Prepare | None = None
        self._step = 0
        self._open_at: OpenAt | None = None

    def run(self) -> None:
        """Do what comes, one after the other, until Locust ends it."""
        self._say(Hello(rank=self._join.rank))
        while True:
            order = self._orders.get()
            if isinstance(order, StartAt):
                self._drive(order)
            else:
                self._say(Armed(step=order.step, error=self._arm(order)))

    def stop(self, reason: str) -> None:
        """End early what is under way. Safe from any greenlet."""
        if self._generator is not None:
            self._generator.stop(reason)

    def heard(self, msg: Any, **_: Any) -> None:
        """Take a message of the master. Handlers must not wait, so what takes time is left to `run`."""
        match unpacked(self._join.nonce, msg.data):
            case Ping(step=step):
                self._say(Pong(step=step, at_ns=monotonic_ns()))
            case OpenWindow(step=step, at_ns=at_ns) if step == self._step and self._open_at is not None:
                self._open(self._open_at, at_ns)
            case Acknowledge(step=step) if step in self._acknowledged:
                self._acknowledged[step].set()
            case Stop(reason=reason):
                self.stop(reason)
            case (Order() | Prepare() | StartAt()) as order:
                self._orders.put(order)

    def _say(self, message: Up) -> None:
        assert self._environment.runner is not None  # noqa: S101 - it runs us
        self._environment.runner.send_message(TYPE, packed(self._join.nonce, message))

    def _arm(self, order: Order | Prepare) -> str | None:
        """Get ready for what is ordered; returns why it cannot be, None when it is done."""
        try:
            if isinstance(order, Order):
                self._take(order)
            else:
                self._prepare(order)
        except (OSError, ValueError) as error:
            log.exception("an order cannot be taken")
            return str(error)
        return None

    def _take(self, order: Order) -> None:
        """Make the phase of `order` the one that is driven; raises `ValueError` where it cannot be."""
        if other := disagreement(versions(), order.versions):
            raise ValueError(other)
        if digest(order.text) != order.digest:
            raise ValueError("the spec has changed on its way")
        if self._generator is not None:
            self._generator.close()
        self._generator = None
        self._environment.stats.clear_all()
        self._spec = load(Spec, order.text)
        self._generator = Generator(self._spec, lambda _: None, lines(self._environment.stats), self._settled)

    def _prepare(self, order: Prepare) -> None:
        if self._generator is None:
            raise ValueError("no phase was ordered")
        share = self._share(order)
        warms_up = order.number == WARM_UP
        self._prepared = (
            order if warms_up else self._generator.prepare(order.number, order.index, order.response_s, share)
        )

    def _share(self, order: Prepare) -> Share:
        """Our place among those that take part."""
        return Share(order.among.index(self._join.rank), len(order.among))

    def _drive(self, order: StartAt) -> None:
        """Drive what is prepared, and send what it came to until the master has it."""
        self._step, prepared, self._prepared = order.step, self._prepared, None
        assert self._generator is not None  # noqa: S101 - it was armed
        result: dict[str, Any] = {}
        try:
            _require_ahead(order.at_ns, "to start")
            if isinstance(prepared, Prepared):
                result["slice"], result["part"] = self._generator.slice(prepared, order.at_ns)
            elif prepared is not None:
                result["warm"] = self._generator.warm_up(prepared.index, order.at_ns, self._share(prepared))
        except Exception as error:
            if not isinstance(error, Stopped | TooLate):
                log.exception("a step failed")
            result = {"error": str(error) or type(error).__name__}
        finally:
            self._open_at = None
        arms = self._spec.arms if self._spec is not None else ()
        totals = tuple(self._generator.totals(index, None) for index in range(len(arms)))
        self._report(Done(step=order.step, totals=totals, **result))

    def _report(self, done: Done) -> None:
        acknowledged = self._acknowledged.setdefault(done.step, Event())
        until_acknowledged(partial(self._say, done), acknowledged, _AGAIN_S)
        del self._acknowledged[done.step]

    def _settled(self, _earliest_ns: int, open_at: OpenAt) -> None:
        """The gate (`generator.Gate`): the master says when the window opens."""
        self._open_at = open_at
        self._say(Settled(step=self._step))

    def _open(self, open_at: OpenAt, at_ns: int) -> None:
        """Let the window open, from within the reactor, where an exception ends the step."""
        assert self._generator is not None  # noqa: S101 - it has settled

        def opened() -> None:
            _require_ahead(at_ns, "to count")
            open_at(at_ns)

        self._open_at = None
        self._generator.reactor.at(monotonic_ns(), opened)


def generate() -> int:
    """Be a generator until standard input ends or somebody stops it; returns the exit status."""
    join = load(Join, _line())
    if join.cpu is not None:
        os.sched_setaffinity(0, {join.cpu})
    # Without options of its own Locust would look for some, in files and in the environment.
    environment = Environment(events=locust.events, parsed_options=argparse.Namespace(web_base_path=""))
    finished: AsyncResult[None] = AsyncResult()
    worker = Worker(environment, join)
    environment.user_classes = [user_running(worker.run, finished)]
    runner = environment.create_worker_runner(join.host, join.port)
    runner.register_message(TYPE, worker.heard)
    environment.events.init.fire(environment=environment, runner=runner, web_ui=None)  # type: ignore[no-untyped-call]
    for number in (signal.SIGTERM, signal.SIGINT):
        gevent.signal_handler(number, finished.set, None)
    gevent.spawn(_await_end, finished)
    spare_the_living()
    finished.get()
    runner.quit()
    return 0


def _require_ahead(at_ns: int, what: str) -> None:
    """Raise `TooLate` where that moment is past."""
    late_ms = (monotonic_ns() - at_ns) / 1e6
    if late_ms >= 0:
        raise TooLate(f"it was told {late_ms:.1f} ms too late when {what}")


def _line() -> bytes:
    """The first line on standard input."""
    line = b""
    while not line.endswith(b"\n") and (more := os.read(0, 1)):
        line += more
    return line


def _await_end(finished: AsyncResult[None]) -> None:
    """Set `finished` when standard input ends: the master is gone, or has no more to say."""
    while True:
        wait_read(0)
        if not os.read(0, 1):
            finished.set(None)
            return
