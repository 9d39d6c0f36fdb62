"""From what an episode showed to its row, not judged yet."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Self

from harness import spec
from harness.record import Episode, GeneratorCheck
from harness.spec.fates import Fates
from harness.subject.served import Served
from harness.suite import Arm, Disturbance, Held, Open
from harness.trial.bench import GroupState
from harness.trial.episodes import reduce
from harness.trial.episodes.disturber import Done
from harness.trial.episodes.watch import Pressed
from harness.trial.observe import Observation

NANO_A_MICRO = 1000
COUNTED_S, POLL_S = 1.0, 0.01
"""How long a worker may take to count an answer that it has sent; how often it is looked at."""


@dataclass(frozen=True, slots=True)
class Counted:
    """What a server's workers have counted in all; None: they do not count."""

    begun: int | None
    finished: int | None

    @classmethod
    def of(cls, served: Served | None) -> Self:
        """As it stands now; an app that is not ours counts nothing."""
        workers = served.workers() if served is not None else ()
        if not workers:
            return cls(None, None)
        return cls(sum(each.begun for each in workers), sum(each.finished for each in workers))

    def since(self, before: Counted) -> Counted:
        """What has come since `before`."""
        if self.begun is None or self.finished is None:
            return self
        return Counted(self.begun - (before.begun or 0), self.finished - (before.finished or 0))


def settled(served: Served | None, before: Counted, good: int) -> Counted:
    """What has come since `before`, once the server has counted as many as have good answers; or after `COUNTED_S`.

    A worker counts an answer when it has sent it: its client may know of it first.
    """
    deadline = time.monotonic() + COUNTED_S
    while True:
        now = Counted.of(served).since(before)
        if now.finished is None or now.finished >= good or time.monotonic() > deadline:
            return now
        time.sleep(POLL_S)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What one episode showed."""

    measured: spec.Slice
    totals: spec.Totals
    observation: Observation
    done: Done
    memory_most_bytes: int | None
    pressed: Pressed
    served: Counted
    calls: int | None
    wrong: tuple[str, ...]
    """What only a look at the live server can tell against it."""


def bare(state: GroupState, arm: Arm, block: int, strength: int, load: Open, started: str) -> Episode:
    """The row of an episode that has shown nothing yet."""
    disturbance = state.group.disturbance
    assert disturbance is not None  # noqa: S101 - only then are there episodes
    return Episode(
        episode=f"{arm.id}/{block}/{strength}",
        arm=arm.id,
        pair=arm.pair,
        group=state.group.id,
        block=block,
        cell=arm.cell,
        load=load,
        disturbance=disturbance,
        strength=strength,
        started=started,
    )


def filled(empty: Episode, seen: Seen) -> Episode:
    """The row with its figures."""
    measured, observation, disturbance = seen.measured, seen.observation, empty.disturbance
    start_us = round(disturbance.before_s * 1_000_000)
    held = seen.done.held
    changes = held.changes if held is not None else ()
    course = reduce.Course(
        fates=Fates.decode(measured.fates or ""),
        start_us=start_us,
        end_us=start_us + round(disturbance.during_s * 1_000_000),
        length_us=round(measured.length_s * 1_000_000),
        changes=[((at_ns - measured.start_ns) // NANO_A_MICRO, sent, begun) for at_ns, sent, begun in changes],
    )
    before, during, after = reduce.parts(course, disturbance)
    check = measured.generator
    return replace(
        empty,
        before=before,
        during=during,
        after=after,
        well_s=reduce.well_s(course, disturbance),
        silent_s=reduce.silent_s(course),
        held_least=reduce.held_least(course) if _holds(disturbance) else None,
        begun_most=reduce.begun_most(course) if held is not None else None,
        held_answers=held.answers if held is not None else 0,
        held_wrong=held.wrong if held is not None else {},
        deployed=seen.done.deployed,
        server_begun=seen.served.begun,
        server_finished=seen.served.finished,
        upstream_hits=seen.calls,
        attempts=seen.totals.attempts,
        reconnects=seen.totals.reconnects,
        good=seen.totals.good,
        cpu_s=sum(observation.cpu_s.values()),
        threads=observation.threads,
        processes=observation.processes,
        memory_bytes=observation.memory.pss if observation.memory else None,
        memory_most_bytes=seen.memory_most_bytes,
        cores_during=seen.pressed.cores,
        accept_queue_most=seen.pressed.accept_queue_most,
        accept_overflows=seen.pressed.accept_overflows,
        steal_fraction=observation.steal_fraction,
        outside_fraction=observation.outside_fraction,
        generator=GeneratorCheck(
            cpu_percent=check.cpu_percent,
            waiting_fraction=check.waiting_fraction,
            gc_pause_s=check.gc_pause_s,
            valid=check.valid,
            reasons=check.reasons,
        ),
        timeline=reduce.timeline(course, disturbance),
    )


def _holds(disturbance: Disturbance) -> bool:
    """Whether it has so many requests under way at every moment."""
    return isinstance(disturbance, Held) and disturbance.holds
