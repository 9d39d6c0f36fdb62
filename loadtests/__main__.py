"""`python -P -m loadtests SPEC RESULT`: a Locust run, read from the file SPEC, its result written to the file RESULT.

Standard output carries `harness.spec.Event`, a JSON object a line, and nothing else; logs go to standard error.
"""

from __future__ import annotations

import gc
import logging
import os
import resource
import signal
import sys
from functools import partial
from pathlib import Path

import gevent
import locust
from gevent.event import AsyncResult
from locust.env import Environment
from pydantic import ValidationError

from harness.spec import FORMAT, DrivenArm, Event, Result, Spec, dump, load
from loadtests.engine.locust_stats import StatsLine
from loadtests.engine.rounds import Rounds, Stopped
from loadtests.engine.timer import monotonic_ns
from loadtests.engine.user import user_running

_PARENT_EVERY_S = 0.25
log = logging.getLogger("loadtests")


class Events:
    """The events on standard output. What anything else prints goes to standard error instead."""

    def __init__(self) -> None:
        self._fd = os.dup(1)
        os.dup2(2, 1)

    def emit(self, event: Event) -> None:
        """Write the event as a line; raises `OSError` when nobody reads any more."""
        os.write(self._fd, dump(event).encode() + b"\n")


def run(spec: Spec, events: Events) -> Result:
    """Let Locust run the phase that `spec` describes."""
    environment = Environment(events=locust.events)
    rounds = Rounds(spec, events.emit, lambda arm: _stats_line(environment, arm))
    finished: AsyncResult[None] = AsyncResult()
    environment.user_classes = [user_running(rounds.run, finished)]
    runner = environment.create_local_runner()
    environment.events.init.fire(environment=environment, runner=runner, web_ui=None)  # type: ignore[no-untyped-call]
    for number in (signal.SIGTERM, signal.SIGINT):
        gevent.signal_handler(number, partial(rounds.stop, f"stopped by {signal.Signals(number).name}"))
    gevent.spawn(_watch_parent, os.getppid(), rounds)
    events.emit(Event(event="ready", at_ns=monotonic_ns()))
    gc.collect()
    gc.freeze()
    gc.disable()
    runner.start(1, spawn_rate=1)
    error = None
    try:
        finished.get()
    except (
        Exception,
        gevent.GreenletExit,
    ) as raised:  # whatever happened, the slices measured until then are the result
        error = str(raised) or type(raised).__name__
        if not isinstance(raised, Stopped):
            log.exception("the run failed")
    runner.quit()
    return Result(slices=tuple(rounds.slices), totals=rounds.totals, error=error)


def _stats_line(environment: Environment, arm: DrivenArm) -> StatsLine:
    return StatsLine(environment.stats, arm.request.method, f"{arm.name} {arm.request.path}")


def _watch_parent(parent: int, rounds: Rounds) -> None:
    while os.getppid() == parent:
        gevent.sleep(_PARENT_EVERY_S)
    rounds.stop("the process that started the run is gone")


def _write(path: Path, result: Result) -> None:
    """Write the file whole or not at all."""
    partial_path = path.with_name(path.name + ".part")
    partial_path.write_text(dump(result), encoding="utf-8")
    partial_path.replace(path)


def main(spec_file: str, result_file: str) -> int:
    """Run the spec of one file into the other; returns the exit status, 0 when all of it was run."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    events = Events()
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    try:
        spec = load(Spec, Path(spec_file).read_bytes())
        if spec.format != FORMAT:
            raise ValueError(f"the spec has format {spec.format}, this engine reads {FORMAT}")  # noqa: TRY301
        result = run(spec, events)
    except (OSError, ValueError, ValidationError) as error:
        log.exception("nothing was run")
        result = Result(error=f"nothing was run: {error}")
    _write(Path(result_file), result)
    try:
        events.emit(Event(event="done", at_ns=monotonic_ns()))
    except OSError:
        log.warning("nobody reads the events any more")
    return 0 if result.error is None else 1


if __name__ == "__main__":
    if len(sys.argv) != 3:  # noqa: PLR2004 - two arguments
        sys.exit("usage: python -P -m loadtests SPEC RESULT")
    sys.exit(main(sys.argv[1], sys.argv[2]))
