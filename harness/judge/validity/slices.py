"""Which slices count, and what they show together."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

from harness.record import SliceRow, Trial
from harness.suite import Thresholds

TINY = 1e-9
"""Instead of a threshold of 0, to divide by."""


def kept(trial: Trial) -> tuple[SliceRow, ...]:
    """The slices that count: those of rounds that nothing disturbed."""
    return tuple(slice_ for slice_ in trial.slices if slice_.round not in trial.dropped_rounds)


def mean(slices: Sequence[SliceRow], value: Callable[[SliceRow], float]) -> float:
    """The mean of `value` over the slices, weighted by how long each lasted; 0 without slices."""
    length_s = sum(slice_.length_s for slice_ in slices)
    return sum(value(slice_) * slice_.length_s for slice_ in slices) / length_s if length_s else 0.0


def disturbed(slices: Iterable[SliceRow], thresholds: Thresholds) -> bool:
    """Whether something outside disturbed a slice of a round more than is allowed."""
    return any(
        slice_.steal_fraction > thresholds.steal or (slice_.outside_fraction or 0.0) > thresholds.outside_load
        for slice_ in slices
    )


def left_out(rounds: Mapping[int, Sequence[SliceRow]], thresholds: Thresholds) -> tuple[int, ...]:
    """Which of a phase's `rounds`, given by number, to leave out for every arm.

    These are the most disturbed ones, and at most the share `thresholds.disturbed_rounds` of all. Disturbed rounds
    beyond that stay: each trial is then judged by what all its slices show together.
    """

    def excess(number: int) -> float:
        """Times what is allowed, of steal or of outside load, in the worst slice of the round."""
        return max(
            max(
                slice_.steal_fraction / max(thresholds.steal, TINY),
                (slice_.outside_fraction or 0.0) / max(thresholds.outside_load, TINY),
            )
            for slice_ in rounds[number]
        )

    worst_first = sorted((n for n in rounds if disturbed(rounds[n], thresholds)), key=excess, reverse=True)
    return tuple(sorted(worst_first[: math.floor(thresholds.disturbed_rounds * len(rounds))]))
