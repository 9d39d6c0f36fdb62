"""Overloads of queues whose course can be computed: goodput, work for nobody, and the time until all is well again.

The load is the one that an episode offers; the server is a queue of known capacity, simulated.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import takewhile

import numpy as np
import pytest

from harness.record import Part
from harness.spec.fates import GOOD, KINDS, Fates
from harness.suite import Open, Overload
from harness.trial.episodes import reduce

CAPACITY = 1000.0
SERVICE_US = 1_000_000 / CAPACITY
BEFORE_S, DURING_S, AFTER_S = 2.0, 5.0, 30.0
DEADLINE_MS = 100.0
OVERLOAD = Overload(before_s=BEFORE_S, during_s=DURING_S, after_s=AFTER_S, deadline_ms=DEADLINE_MS, late_share=0.05)
TIMEOUT, DROPPED = KINDS.index("timeout"), KINDS.index("dropped")


@dataclass(frozen=True)
class Outcome:
    """What became of the load."""

    during: Part
    well_s: float | None
    finished: int
    good: int


def overloaded(times: float, *, bound: int | None = None, leaves: bool = False, skips: bool = False) -> Outcome:
    """One slot, first come, first served, under `times` its capacity.

    Beyond `bound` in the queue it refuses; clients that leave close at their deadline; it works on for them unless it
    skips whoever has left.
    """
    load = OVERLOAD.offered(Open(connections=1, rate_rps=0.7 * CAPACITY), round(100 * times))
    length_us = round((BEFORE_S + DURING_S + AFTER_S) * 1e6)
    moments = takewhile(lambda at: at < length_us * 1000, load.law.schedule(0.7 * CAPACITY, "computed"))
    due = np.array([at // 1000 for at in moments], dtype=np.int64)
    patience_us = DEADLINE_MS * 1000
    free_us, finished, good, queue = 0.0, 0, 0, deque[float]()
    took, kinds = [], []
    for at_us in due.tolist():
        while queue and queue[0] <= at_us:
            queue.popleft()
        begin_us = max(free_us, at_us)
        if bound is not None and len(queue) >= bound:
            took.append(0)
            kinds.append(DROPPED)
            continue
        if skips and begin_us - at_us > patience_us - SERVICE_US:
            took.append(round(patience_us))
            kinds.append(TIMEOUT)
            continue
        free_us = begin_us + SERVICE_US
        queue.append(free_us)
        finished += 1
        left = leaves and free_us - at_us > patience_us
        good += not left
        took.append(round(patience_us if left else free_us - at_us))
        kinds.append(TIMEOUT if left else GOOD)
    course = reduce.Course(
        fates=Fates(due, np.array(took), np.array(kinds)),
        start_us=round(BEFORE_S * 1e6),
        end_us=round((BEFORE_S + DURING_S) * 1e6),
        length_us=length_us,
    )
    _, during, _ = reduce.parts(course, OVERLOAD)
    return Outcome(during, reduce.well_s(course, OVERLOAD), finished, good)


def test_below_its_capacity_nothing_is_lost_and_all_is_well_at_once() -> None:
    """The steady state."""
    shown = overloaded(0.9)
    assert shown.during.late_share < 0.05
    assert shown.well_s == 0


@pytest.mark.parametrize("times", [1.5, 2.0])
def test_a_queue_without_a_bound_is_well_when_its_backlog_is_worked_off(times: float) -> None:
    """(r - 1) x capacity x t wait at the end; (1 - 0.7) x capacity are worked off a second, until the rest is in time.

    In time during the overload is what came before the wait was the deadline: deadline / (r - 1) of its five seconds.
    """
    shown = overloaded(times)
    backlog = (times - 1) * CAPACITY * DURING_S
    assert shown.well_s == pytest.approx((backlog - CAPACITY * DEADLINE_MS / 1000) / (0.3 * CAPACITY), rel=0.05)
    in_time_s = DEADLINE_MS / 1000 / (times - 1)
    assert shown.during.in_time == pytest.approx(in_time_s * times * CAPACITY, rel=0.25)


def test_work_for_clients_that_left_leaves_no_goodput_and_takes_as_long_to_be_well() -> None:
    """Its queue is that of clients that wait: it does not know better, and all of its work is for nobody."""
    patient, leaving = overloaded(2.0), overloaded(2.0, leaves=True)
    assert leaving.during.goodput_rps is not None
    assert leaving.during.goodput_rps < 0.05 * CAPACITY
    assert leaving.well_s == pytest.approx(patient.well_s, rel=0.05)
    assert leaving.finished == patient.finished
    assert leaving.finished - leaving.good == pytest.approx(
        leaving.finished - leaving.during.in_time - 0.7 * CAPACITY * (BEFORE_S + AFTER_S - (leaving.well_s or 0)),
        rel=0.05,
    )


def test_a_bound_keeps_the_goodput_at_the_capacity_and_all_is_well_at_once() -> None:
    """Half a deadline of work in the queue: whoever is let in is answered in time."""
    shown = overloaded(2.0, bound=round(CAPACITY * DEADLINE_MS / 1000 / 2), leaves=True)
    assert shown.during.goodput_rps == pytest.approx(CAPACITY, rel=0.05)
    assert shown.well_s is not None
    assert shown.well_s <= 0.1
    assert shown.finished == shown.good


def test_a_server_that_skips_whoever_has_left_keeps_its_goodput() -> None:
    """Its work is for those who wait."""
    shown = overloaded(2.0, leaves=True, skips=True)
    assert shown.during.goodput_rps == pytest.approx(CAPACITY, rel=0.05)
    assert shown.well_s is not None
    assert shown.well_s <= 1.0
