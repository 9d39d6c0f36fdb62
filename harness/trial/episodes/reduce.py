"""From what became of each arrival to the parts of an episode and its timeline; pure.

Times are microseconds since the window opened.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.record import TICK_S, Part, Timeline
from harness.spec.fates import KINDS, Fates
from harness.spec.histogram import Histogram
from harness.suite import Disturbance
from harness.trial.assemble import latency

MICRO = 1e-6
TICK_US = round(TICK_S / MICRO)
SETTLED_BY = 10
"""Part of the disturbance by which all must be held: so long their connections may take."""
WELL_US = 1_000_000
"""So long the victim must be well to be well again."""

Change = tuple[int, int, int]
"""When, how many were held from then on, and how many of them had begun to be answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """What an episode went through: all that its figures follow from."""

    fates: Fates
    start_us: int
    """The disturbance begins."""
    end_us: int
    """It ends."""
    length_us: int
    """The window closes."""
    changes: Sequence[Change] = ()
    """Of what was held, in order."""


def parts(course: Course, disturbance: Disturbance) -> tuple[Part, Part, Part]:
    """Before, during, after, by the moment at which a request was due.

    What was under way when the disturbance began belongs to it: a worker that is killed takes its requests along.
    """
    fates, deadline_us = course.fates, disturbance.deadline_us
    start_us, end_us, length_us = course.start_us, course.end_us, max(course.length_us, course.end_us)
    over = (fates.due_us < start_us) & (fates.due_us + fates.took_us <= start_us)
    met = (fates.due_us < end_us) & ~over
    return (
        _part(fates.chosen(over), start_us, deadline_us),
        _part(fates.chosen(met), end_us - start_us, deadline_us),
        _part(fates.between(end_us, length_us), length_us - end_us, deadline_us),
    )


def _part(fates: Fates, length_us: int, deadline_us: int) -> Part:
    good, in_time = fates.good(), fates.in_time(deadline_us)
    lost = Counter(KINDS[kind] for kind in fates.kind[~good].tolist())
    histogram = Histogram()
    histogram.record(fates.took_us[good])
    length_s = length_us * MICRO
    return Part(
        length_s=length_s,
        arrivals=len(fates.due_us),
        in_time=int(in_time.sum()),
        late=int((good & ~in_time).sum()),
        lost=dict(lost),
        goodput_rps=int(in_time.sum()) / length_s if length_s else None,
        latency_us=latency(histogram),
        histogram=histogram.encode() if histogram.count else None,
    )


def timeline(course: Course, disturbance: Disturbance) -> Timeline:
    """The whole episode, tick by tick."""
    ticks = -(-course.length_us // TICK_US)
    fates, good = course.fates, course.fates.good()
    in_time = fates.in_time(disturbance.deadline_us)

    def count(chosen: NDArray[np.bool_]) -> tuple[int, ...]:
        counted = np.bincount(fates.due_us[chosen] // TICK_US, minlength=ticks)
        return tuple(counted[:ticks].tolist())

    held = [_at(course.changes, (tick + 1) * TICK_US) for tick in range(ticks)]
    return Timeline(
        in_time=count(in_time),
        late=count(good & ~in_time),
        lost=count(~good),
        held=tuple(change[1] for change in held),
        begun=tuple(change[2] for change in held),
    )


def _at(changes: Iterable[Change], moment_us: int) -> Change:
    """The last change before a moment."""
    last: Change = (0, 0, 0)
    for change in changes:
        if change[0] >= moment_us:
            break
        last = change
    return last


def held_least(course: Course) -> int:
    """The fewest that were held at once, from a tenth of the disturbance on until its end."""
    settled_us = course.start_us + (course.end_us - course.start_us) // SETTLED_BY
    inside = [change[1] for change in course.changes if settled_us <= change[0] < course.end_us]
    return min([_at(course.changes, settled_us)[1], *inside])


def begun_most(course: Course) -> int:
    """The most of these that had begun to be answered at once."""
    return max((change[2] for change in course.changes), default=0)


def well_s(course: Course, disturbance: Disturbance) -> float | None:
    """Seconds from the end of the disturbance until the victim is well for a second; None: it is not in the window.

    Well: of the requests due in that second no greater share is late or lost than the disturbance allows.
    """
    for start_us in range(course.end_us, course.length_us - WELL_US + 1, TICK_US // 2):
        second = course.fates.between(start_us, start_us + WELL_US)
        bad = len(second.due_us) - int(second.in_time(disturbance.deadline_us).sum())
        if bad <= disturbance.late_share * len(second.due_us):
            return round((start_us - course.end_us) * MICRO, 6)
    return None


def silent_s(course: Course) -> float:
    """The longest time within the disturbance in which no good answer came, in seconds."""
    fates, good = course.fates, course.fates.good()
    came = np.sort((fates.due_us + fates.took_us)[good])
    inside = came[(came > course.start_us) & (came < course.end_us)]
    edges = np.concatenate([[course.start_us], inside, [course.end_us]])
    return float(np.diff(edges).max() * MICRO)
