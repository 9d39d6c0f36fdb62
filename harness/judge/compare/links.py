"""What a link between load and servers makes of what was asked of response times."""

from __future__ import annotations

from collections.abc import Iterator

from harness import units
from harness.judge.slo import ROUND_TRIPS, out_of_reach
from harness.judge.verdicts import Caveat
from harness.record import Run


def links(run: Run) -> Iterator[Caveat]:
    """A caveat for each arm whose deadline is over before a server could be sure to answer over its link."""
    far = {trial.arm: trial.round_trip_us for trial in run.trials if trial.round_trip_us is not None}
    for group in run.info.plan.groups:
        if group.disturbance is None:
            continue
        limit_us = group.disturbance.deadline_us
        for arm in group.arms:
            round_trip_us = far.get(arm.id)
            if round_trip_us is None or not out_of_reach(limit_us, round_trip_us):
                continue
            yield Caveat(
                kind="link",
                text=(
                    f"a deadline of {units.duration_us(limit_us)} is out of reach: the link's round trip alone is "
                    f"{units.duration_us(round_trip_us)}, and an answer may take {ROUND_TRIPS} of them, whatever serves"
                ),
                remedy=f"drive it from nearby, or allow {units.duration_us(ROUND_TRIPS * round_trip_us)} at least",
                arm=arm.id,
                pair=arm.pair,
            )
