"""Which slices count, and what they show together."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

from harness.record import SliceRow, Trial
from harness.suite import Thresholds

TINY = 1e-9


def kept(trial: Trial) -> tuple[SliceRow, ...]:
    """The slices that count: those of rounds that nothing disturbed."""
    return tuple(one for one in trial.slices if one.round not in trial.dropped_rounds)


def mean(slices: Sequence[SliceRow], value: Callable[[SliceRow], float]) -> float:
    """Weighted by how long each slice lasted."""
    length = sum(one.length_s for one in slices)
    return sum(value(one) * one.length_s for one in slices) / length if length else 0.0


def disturbed(slices: Iterable[SliceRow], thresholds: Thresholds) -> bool:
    """Whether something outside disturbed the slices of a round so far that it is dropped for every arm."""
    return any(
        one.steal_fraction > thresholds.steal or one.outside_fraction > thresholds.outside_load for one in slices
    )


def left_out(rounds: Mapping[int, Sequence[SliceRow]], thresholds: Thresholds) -> tuple[int, ...]:
    """Which of a phase's rounds to leave out for every arm: the most disturbed ones, as many as the budget allows.

    Those beyond it stay and must pass for what they are: each trial is judged by what all its slices show together.
    """

    def excess(number: int) -> float:
        return max(
            max(
                one.steal_fraction / max(thresholds.steal, TINY),
                one.outside_fraction / max(thresholds.outside_load, TINY),
            )
            for one in rounds[number]
        )

    found = sorted((number for number in rounds if disturbed(rounds[number], thresholds)), key=excess, reverse=True)
    return tuple(sorted(found[: math.floor(thresholds.disturbed_rounds * len(rounds))]))
