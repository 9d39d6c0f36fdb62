"""Which slices count, and what they show together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from harness.definitions import Thresholds
from harness.record import SliceRow, Trial


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
