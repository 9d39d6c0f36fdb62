"""`python -P -m loadtests`: one Locust run that drives phase after phase, as it is told (`loadtests.phases`).

With `--generators N` the run has a master, which drives nothing itself, and N Locust workers that it starts, on this
machine or, in turns, on those that `--on MACHINE` names, a `harness.spec.machines.Machine` each; there they keep off
what `--taken TAKEN` says, a `harness.spec.machines.Taken`. Each of them is `python -P -m loadtests generator`, which
reads from standard input where its master is.
"""

from __future__ import annotations

import logging
import resource
import sys

import locust
from gevent.event import AsyncResult
from locust.env import Environment

from harness.spec import load
from harness.spec.machines import Machine, Taken
from loadtests.engine.locust_stats import lines
from loadtests.engine.rounds import Rounds
from loadtests.engine.user import user_running
from loadtests.phases import Events, Phases, spare_the_living, stopping
from loadtests.several.master import run as run_several
from loadtests.several.worker import generate

USAGE = """usage: python -P -m loadtests < SPECS, a JSON object a line
       python -P -m loadtests --generators N [--on MACHINE]... [--taken TAKEN] < SPECS
       python -P -m loadtests generator < JOIN, a JSON object"""
log = logging.getLogger("loadtests")


def run(events: Events) -> str | None:
    """Let Locust run the phases; returns why it ended before its input did, None if it did not."""
    environment = Environment(events=locust.events)
    shown = lines(environment.stats)
    phases = Phases(environment, events, lambda spec, emit: Rounds(spec, emit, shown))
    finished: AsyncResult[None] = AsyncResult()
    environment.user_classes = [user_running(phases.run, finished)]
    runner = environment.create_local_runner()
    environment.events.init.fire(environment=environment, runner=runner, web_ui=None)  # type: ignore[no-untyped-call]
    stopping(phases, finished)
    spare_the_living()
    runner.start(1, spawn_rate=1)
    finished.get()
    runner.quit()
    return phases.stopped


def _several(number: str, on: list[str]) -> bool:
    """Whether these are a number of generators and machines for them."""
    return number.isdecimal() and int(number) > 0 and len(on) % 2 == 0 and {*on[::2]} <= {"--on"}


def main(argv: list[str]) -> int:
    """Drive what standard input tells; returns the exit status, 0 when all of it was driven."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    taken: Taken | None = None
    match argv:
        case ["generator"]:
            return generate()
        case ["--generators", number, *on, "--taken", text] if _several(number, on):
            count, machines, taken = int(number), [load(Machine, each) for each in on[1::2]], load(Taken, text)
        case ["--generators", number, *on] if _several(number, on):
            count, machines = int(number), [load(Machine, each) for each in on[1::2]]
        case []:
            count, machines = 1, []
        case _:
            sys.exit(USAGE)
    events = Events()
    try:
        stopped = run(events) if count == 1 and not machines else run_several(events, count, machines, taken)
    except OSError:
        log.warning("nobody reads the events any more")
        return 1
    return 0 if stopped is None else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
