"""`python -P -m loadtests`: one Locust run that drives phase after phase, as it is told.

Standard input carries `harness.spec.Spec`, a JSON object a line, one for each phase; its end ends the run. Standard
output carries `harness.spec.Event`, a JSON object a line, and nothing else; logs go to standard error.
"""

from __future__ import annotations

import gc
import logging
import os
import resource
import signal
import sys
from collections.abc import Callable, Iterator
from functools import partial

import gevent
import locust
from gevent.event import AsyncResult
from gevent.socket import wait_read
from locust.env import Environment

from harness.spec import FORMAT, DrivenArm, Event, Mix, Result, Spec, dump, load
from loadtests.engine.locust_stats import StatsLine
from loadtests.engine.rounds import Rounds, Stopped
from loadtests.engine.timer import monotonic_ns
from loadtests.engine.user import user_running

_PARENT_EVERY_S = 0.25
_CHUNK_BYTES = 65_536
log = logging.getLogger("loadtests")


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

    def __init__(self, environment: Environment, events: Events) -> None:
        self._environment = environment
        self._events = events
        self._rounds: Rounds | None = None
        self.stopped: str | None = None
        """Why no further phase is driven; None: the input came to its end."""

    def run(self) -> None:
        """Drive phase after phase; raises `OSError` when nobody reads the events any more."""
        self._events.emit(Event(event="ready", at_ns=monotonic_ns()))
        for text in specs():
            result = self._driven(text)
            self._events.emit(Event(event="done", at_ns=monotonic_ns(), result=result))
            if self.stopped is not None:
                return

    def stop(self, reason: str) -> None:
        """End the phase under way early, and drive no further one. Safe from any greenlet."""
        self.stopped = self.stopped or reason
        if self._rounds is not None:
            self._rounds.stop(reason)

    @property
    def idle(self) -> bool:
        """Whether no phase is under way."""
        return self._rounds is None

    def _driven(self, text: bytes) -> Result:
        """What the phase shows that `text` describes; whatever goes wrong, the slices until then are in it."""
        # Locust keeps a count for each second of each line: over a long run they would fill the memory.
        self._environment.stats.clear_all()
        try:
            spec = load(Spec, text)
            if spec.format != FORMAT:
                raise ValueError(f"the spec has format {spec.format}, this engine reads {FORMAT}")  # noqa: TRY301
            rounds = Rounds(spec, self._events.emit, partial(_stats_line, self._environment))
        except (OSError, ValueError) as error:  # pydantic's ValidationError is a ValueError
            log.exception("nothing was run")
            return Result(error=f"nothing was run: {error}")
        self._rounds, why = rounds, None
        try:
            rounds.run()
        except (Exception, gevent.GreenletExit) as raised:
            why = str(raised) or type(raised).__name__
            if not isinstance(raised, Stopped):
                log.exception("the phase failed")
            if isinstance(raised, gevent.GreenletExit):
                self.stopped = self.stopped or "Locust ended the run"
        finally:
            self._rounds = None
            rounds.close()
        return Result(slices=tuple(rounds.slices), totals=rounds.totals, error=why)


def run(events: Events) -> str | None:
    """Let Locust run the phases; returns why it ended before its input did, None if it did not."""
    environment = Environment(events=locust.events)
    phases = Phases(environment, events)
    finished: AsyncResult[None] = AsyncResult()
    environment.user_classes = [user_running(phases.run, finished)]
    runner = environment.create_local_runner()
    environment.events.init.fire(environment=environment, runner=runner, web_ui=None)  # type: ignore[no-untyped-call]

    def stop(reason: str) -> None:
        phases.stop(reason)
        if phases.idle:
            finished.set(None)

    for number in (signal.SIGTERM, signal.SIGINT):
        gevent.signal_handler(number, partial(stop, f"stopped by {signal.Signals(number).name}"))
    gevent.spawn(_watch_parent, os.getppid(), stop)
    gc.collect()
    gc.freeze()
    gc.disable()
    runner.start(1, spawn_rate=1)
    finished.get()
    runner.quit()
    return phases.stopped


def _stats_line(environment: Environment, arm: DrivenArm) -> StatsLine:
    asked = arm.request
    if isinstance(asked, Mix):
        return StatsLine(environment.stats, "mix", f"{arm.name} {asked.name}")
    return StatsLine(environment.stats, asked.method, f"{arm.name} {asked.path}")


def _watch_parent(parent: int, stop: Callable[[str], None]) -> None:
    while os.getppid() == parent:
        gevent.sleep(_PARENT_EVERY_S)
    stop("the process that started the run is gone")


def main() -> int:
    """Drive what standard input tells; returns the exit status, 0 when all of it was driven."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    events = Events()
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    try:
        stopped = run(events)
    except OSError:
        log.warning("nobody reads the events any more")
        return 1
    return 0 if stopped is None else 1


if __name__ == "__main__":
    if len(sys.argv) != 1:
        sys.exit("usage: python -P -m loadtests < SPECS, a JSON object a line")
    sys.exit(main())
