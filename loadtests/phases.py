"""Phase after phase, as standard input tells them and standard output answers.

Standard input carries `harness.spec.Spec`, a JSON object a line, one for each phase; its end ends the run. Standard
output carries `harness.spec.Event`, a JSON object a line, and nothing else; logs go to standard error.
"""

from __future__ import annotations

import gc
import logging
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Protocol, TypeAlias

import gevent
from gevent.event import AsyncResult
from gevent.socket import wait_read
from locust.env import Environment

from harness.spec import FORMAT, Event, Result, Slice, Spec, Totals, dump, load
from loadtests.engine.generator import EndedEarly
from loadtests.engine.timer import monotonic_ns

_PARENT_EVERY_S = 0.25
_CHUNK_BYTES = 65_536
log = logging.getLogger("loadtests")


class Drive(Protocol):
    """Drives one phase (`engine.rounds`, `several.together`)."""

    @property
    def slices(self) -> Sequence[Slice]:
        """What was measured so far."""

    @property
    def totals(self) -> tuple[Totals, ...]:
        """All that was sent to each arm so far."""

    def run(self) -> None:
        """Drive it; raises `EndedEarly` where it comes to no end of its own."""

    def stop(self, reason: str) -> None:
        """End it early. Safe from any greenlet."""

    def close(self) -> None:
        """Give back what it holds."""


Emit: TypeAlias = Callable[[Event], None]
Driving: TypeAlias = Callable[[Spec, Emit], Drive]
"""Makes what drives a phase; raises `OSError` or `ValueError` where that phase cannot be driven."""


class Events:
    """The events on standard output. What anything else prints goes to standard error instead."""

    def __init__(self) -> None:
        self._fd = os.dup(1)
        os.dup2(2, 1)

    def emit(self, event: Event) -> None:
        """Write the event as a line; raises `OSError` when nobody reads any more."""
        left = memoryview(dump(event).encode() + b"\n")
        while left:  # a signal may cut a long write short
            left = left[os.write(self._fd, left) :]


def specs() -> Iterator[bytes]:
    """The lines on standard input, as they come; other greenlets have their turn while none does."""
    pending = b""
    while True:
        wait_read(0)
        chunk = os.read(0, _CHUNK_BYTES)
        if not chunk:
            break
        *lines, pending = (pending + chunk).split(b"\n")
        yield from lines
    if pending:
        yield pending


class Phases:
    """Drives the phases that standard input tells, one after another, until its end or until it is stopped."""

    def __init__(
        self, environment: Environment, events: Events, driving: Driving, absent: Callable[[], tuple[str, ...]] = tuple
    ) -> None:
        """`absent` says once all is ready who did not come."""
        self._environment = environment
        self._events = events
        self._driving = driving
        self._absent = absent
        self._drive: Drive | None = None
        self.stopped: str | None = None
        """Why no further phase is driven; None: the input came to its end."""

    def run(self) -> None:
        """Drive phase after phase; raises `OSError` when nobody reads the events any more."""
        self._events.emit(Event(event="ready", at_ns=monotonic_ns(), absent=self._absent()))
        for text in specs():
            result = self._driven(text)
            self._events.emit(Event(event="done", at_ns=monotonic_ns(), result=result))
            if self.stopped is not None:
                return

    def stop(self, reason: str) -> None:
        """End the phase under way early, and drive no further one. Safe from any greenlet."""
        self.stopped = self.stopped or reason
        if self._drive is not None:
            self._drive.stop(reason)

    @property
    def idle(self) -> bool:
        """Whether no phase is under way."""
        return self._drive is None

    def _driven(self, text: bytes) -> Result:
        """What the phase shows that `text` describes; whatever goes wrong, the slices until then are in it."""
        # Locust keeps a count for each second of each line: over a long run they would fill the memory.
        self._environment.stats.clear_all()
        try:
            spec = load(Spec, text)
            if spec.format != FORMAT:
                raise ValueError(f"the spec has format {spec.format}, this engine reads {FORMAT}")  # noqa: TRY301
            drive = self._driving(spec, self._events.emit)
        except (OSError, ValueError) as error:  # pydantic's ValidationError is a ValueError
            log.exception("nothing was run")
            return Result(error=f"nothing was run: {error}")
        self._drive, why = drive, None
        try:
            drive.run()
        except (Exception, gevent.GreenletExit) as raised:
            why = str(raised) or type(raised).__name__
            if not isinstance(raised, EndedEarly):
                log.exception("the phase failed")
            if isinstance(raised, gevent.GreenletExit):
                self.stopped = self.stopped or "Locust ended the run"
        finally:
            self._drive = None
            drive.close()
        return Result(slices=tuple(drive.slices), totals=drive.totals, error=why)


def stopping(phases: Phases, finished: AsyncResult[None]) -> None:
    """End `phases`, and set `finished` where none is under way, on a signal and when the parent process is gone."""

    def stop(reason: str) -> None:
        phases.stop(reason)
        if phases.idle:
            finished.set(None)

    for number in (signal.SIGTERM, signal.SIGINT):
        gevent.signal_handler(number, partial(stop, f"stopped by {signal.Signals(number).name}"))
    gevent.spawn(_watch_parent, os.getppid(), stop)


def spare_the_living() -> None:
    """Collect garbage only when told to, and never again what exists now: a full collection stops everything."""
    gc.collect()
    gc.freeze()
    gc.disable()


def _watch_parent(parent: int, stop: Callable[[str], None]) -> None:
    while os.getppid() == parent:
        gevent.sleep(_PARENT_EVERY_S)
    stop("the process that started the run is gone")
