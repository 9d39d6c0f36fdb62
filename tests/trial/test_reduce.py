"""From arrivals to the parts of an episode: a queue whose course is known."""

from __future__ import annotations

import numpy as np
import pytest

from harness.record import TICK_S
from harness.spec.fates import KINDS, Fates
from harness.suite import Held
from harness.trial.episodes import reduce

RATE, SERVICE_US = 50, 10_000
START_US, END_US, LENGTH_US = 1_000_000, 3_000_000, 8_000_000
HELD = Held(request="report", deadline_ms=100, late_share=0.01)


def queued(*, blocked: bool = True) -> reduce.Course:
    """One slot, which takes 10 ms a request; arrivals every 20 ms. While it is blocked nothing is begun.

    At the end 100 requests wait. They are worked off at 100 a second while 50 a second come: after two seconds.
    """
    due = np.arange(0, LENGTH_US, 1_000_000 // RATE, dtype=np.int64)
    free_us, done = 0, []
    for at_us in due.tolist():
        begin_us = max(at_us, free_us)
        if blocked and START_US <= begin_us < END_US:
            begin_us = END_US
        free_us = begin_us + SERVICE_US
        done.append(free_us)
    changes = [(START_US + 5_000, 1, 0), (START_US + 6_000, 2, 0), (START_US + 9_000, 2, 1), (END_US + 10, 0, 0)]
    kind = np.zeros_like(due)
    return reduce.Course(
        fates=Fates(due, np.array(done) - due, kind),
        start_us=START_US,
        end_us=END_US,
        length_us=LENGTH_US,
        changes=changes,
    )


def test_the_parts_are_those_of_the_queue() -> None:
    """Each arrival in the part in which it was due; late is what waited longer than the deadline."""
    before, during, after = reduce.parts(queued(), HELD)
    assert (before.arrivals, before.in_time, before.late) == (50, 50, 0)
    # the last arrivals of the disturbance wait for a hundred others, and so are late too
    assert (during.arrivals, during.in_time, during.late) == (100, 0, 100)
    # the wait of the arrival k after the end is (100 - k) x 10 ms: those up to the 91st are late
    assert after.arrivals == 250
    assert after.late == pytest.approx(91, abs=1)
    assert during.goodput_rps == 0
    assert before.goodput_rps == pytest.approx(50)
    assert during.latency_us is not None
    assert during.latency_us.max == pytest.approx(2_010_000, rel=0.01)


def test_it_is_well_again_when_the_backlog_is_worked_off() -> None:
    """Backlog 100 over a spare 50 a second: two seconds, less the deadline that may be waited."""
    assert reduce.well_s(queued(), HELD) == pytest.approx(2.0, rel=0.1)
    assert reduce.well_s(queued(blocked=False), HELD) == 0.0


def test_it_is_not_well_within_a_window_that_ends_too_early() -> None:
    """No second of it was well."""
    course = queued()
    short = reduce.Course(
        fates=course.fates, start_us=START_US, end_us=END_US, length_us=END_US + 1_500_000, changes=course.changes
    )
    assert reduce.well_s(short, HELD) is None


def test_lost_requests_are_counted_by_kind_and_are_in_no_percentile() -> None:
    """Also those that were never sent."""
    fates = Fates(
        np.array([0, 10, 20, 30]),
        np.array([5, 90_000, 5, 0]),
        np.array([0, KINDS.index("reset"), KINDS.index("reset"), KINDS.index("dropped")]),
    )
    course = reduce.Course(fates=fates, start_us=100_000, end_us=200_000, length_us=300_000)
    before, _, _ = reduce.parts(course, HELD)
    assert before.lost == {"reset": 2, "dropped": 1}
    assert (before.in_time, before.late, before.late_share) == (1, 0, 0.75)
    assert before.latency_us is not None
    assert before.latency_us.max == 5


def test_the_timeline_has_every_arrival_and_what_was_held() -> None:
    """In ticks of a tenth of a second, by when a request was due."""
    course = queued()
    line = reduce.timeline(course, HELD)
    assert len(line.in_time) == len(line.late) == len(line.held) == LENGTH_US * 1e-6 / TICK_S
    assert sum(line.in_time) + sum(line.late) == len(course.fates.due_us)
    assert line.late[9] == 0
    assert line.late[10] == 5
    assert line.held[9:11] == (0, 2)
    assert line.begun[29:31] == (1, 0)


def test_silence_and_what_was_held_at_least() -> None:
    """A blocked server is silent for the whole disturbance; a renewal shows in the least."""
    assert reduce.silent_s(queued()) == pytest.approx(2.0, rel=0.02)
    assert reduce.silent_s(queued(blocked=False)) == pytest.approx(0.02, rel=0.1)
    assert (reduce.held_least(queued()), reduce.begun_most(queued())) == (2, 1)
    renewed = reduce.Course(
        fates=queued().fates,
        start_us=START_US,
        end_us=END_US,
        length_us=LENGTH_US,
        changes=[(START_US + 1, 2, 0), (START_US + 500_000, 1, 0), (START_US + 500_100, 2, 0)],
    )
    assert reduce.held_least(renewed) == 1


def test_what_was_under_way_when_the_disturbance_began_belongs_to_it() -> None:
    """Two requests were due before: one was answered by then, the other is lost with the worker that is killed."""
    course = reduce.Course(
        fates=Fates(np.array([0, 995_000]), np.array([10_000, 6_000]), np.array([0, KINDS.index("reset")])),
        start_us=START_US,
        end_us=END_US,
        length_us=LENGTH_US,
    )
    before, during, _ = reduce.parts(course, HELD)
    assert (before.arrivals, before.lost) == (1, {})
    assert (during.arrivals, during.lost) == (1, {"reset": 1})
