"""A run of several generators: a Locust master and the workers that it starts."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import locust
from gevent import Greenlet
from gevent.event import AsyncResult
from locust.env import Environment

from harness.spec.machines import Machine, Taken
from loadtests.phases import Events, Phases, spare_the_living, stopping
from loadtests.several.crew import Crew, Lost
from loadtests.several.members import member, seats
from loadtests.several.together import Together

log = logging.getLogger("loadtests")


def run(events: Events, count: int, machines: Sequence[Machine] = (), taken: Taken | None = None) -> str | None:
    """Let `count` generators run the phases; returns why it ended before its input did, None if it did not.

    They are processes of this machine, or of `machines`, where they keep off what is `taken`. Those that cannot be had
    are done without, as long as there is one.
    """
    environment = Environment(events=locust.events)
    crew = Crew(environment, member, seats(count, machines, taken))
    phases = Phases(environment, events, lambda spec, emit: Together(spec, emit, crew), crew.absent)
    environment.events.init.fire(environment=environment, runner=crew.runner, web_ui=None)  # type: ignore[no-untyped-call]
    finished: AsyncResult[None] = AsyncResult()
    stopping(phases, finished)
    try:
        crew.assemble()
        spare_the_living()
        driven = Greenlet.spawn(phases.run)
        driven.link(finished)
        finished.get()
    except Lost as lost:
        log.error("%s", lost)  # noqa: TRY400 - it is known what it is; nobody needs the way to it
        return str(lost)
    finally:
        crew.end()
    return phases.stopped
