"""The axis of ratios that the page, the terminal and the charts share."""

from __future__ import annotations

import math
from collections.abc import Iterable

from harness.judge.verdicts import PairVerdict
from harness.report.figures.model import Study

LEAST_REACH = 1.3
"""The axis reaches at least this factor to either side of 1."""
NARROW = 1.02
"""A narrower range, as a factor, holds hardly any round number."""


def reach(study: Study, metric: str = "throughput_rps") -> tuple[float, float]:
    """Limits of the ratio axis of a run's forest."""
    return limits_of([verdict for pair in study.pairs if (verdict := study.verdict(pair, metric))])


def limits_of(verdicts: Iterable[PairVerdict]) -> tuple[float, float]:
    """Limits of a ratio axis: all intervals, and room on both sides of 1."""
    ends = [end for verdict in verdicts for end in (verdict.ratio, verdict.low, verdict.high) if end]
    low, high = min([*ends, 1 / LEAST_REACH]), max([*ends, LEAST_REACH])
    room = math.exp(math.log(high / low) * 0.27)  # for a heading on either side of 1
    return min(low / 1.06, 1 / room), max(high * 1.06, room)


def place(ratio: float, limits: tuple[float, float]) -> float:
    """Where a ratio lies on a logarithmic axis between `limits`: 0 at its left end or before, 1 at its right."""
    low, high = limits
    return min(1.0, max(0.0, math.log(ratio / low) / math.log(high / low)))


def log_ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers between `low` and `high`, as close together as `most` of them allow."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    choices = ((1, 1.2, 1.4, 1.6, 1.8, 2, 2.5, 3, 4, 5, 6, 7, 8, 9), (1, 1.5, 2, 3, 5, 7), (1, 2, 5), (1, 3), (1,))
    fine = [[step * 10.0**d for d in decades for step in steps if low <= step * 10.0**d <= high] for steps in choices]
    if high / low < NARROW:
        fine = [[low + (high - low) * part / 4 for part in range(5)]]
    return next((ticks for ticks in fine if len(ticks) <= most), fine[-1][:: max(1, math.ceil(len(fine[-1]) / most))])
