"""Where the ratio of a pair changed from run to run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from harness.judge.compare.verdict import MIN_BLOCKS
from harness.judge.statistics import CONFIDENCE, Estimate, ratio_of, t_quantile

LEVEL = 0.05
"""Chance that a series in which nothing changed is given a mark at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """A run from which on a pair's ratio is another."""

    at: int
    """Its number in the series, from 0."""
    since: int
    """The run that it is compared with: the first after the shift before, or the first of all."""
    ratio: float
    """The ratio over that of then, with its 95 % interval."""
    low: float
    high: float


def estimated(ratio: float | None, low: float | None, high: float | None, blocks: int) -> Estimate | None:
    """The estimate of a log ratio from its t interval over so many blocks; None of fewer than a verdict needs.

    summary.csv has these, so that a series needs no trials.
    """
    if not ratio or not low or not high or blocks < MIN_BLOCKS:
        return None
    half = math.log(high / low) / 2
    error = half / t_quantile((1 + CONFIDENCE) / 2, blocks - 1)
    return Estimate(mean=math.log(ratio), standard_error=error, degrees=blocks - 1)


def shifts(series: Sequence[Estimate | None], margin: float) -> tuple[Shift, ...]:
    """Where the log ratio is credibly more than `margin` away from the run after which it last changed.

    Each run is compared with one other (Welch), and the level is shared out among the runs (Bonferroni). That finds a
    step where it happens, and a creep once it has gone beyond the margin. A run without an estimate is passed over.
    """
    known = [(at, each) for at, each in enumerate(series) if each is not None]
    found: list[Shift] = []
    if not known:
        return ()
    since, reference = known[0]
    for at, now in known[1:]:
        change = now.minus(reference)
        if _p_beyond(change, math.log1p(margin)) < LEVEL / (len(known) - 1):
            low, high = change.interval()
            found.append(Shift(at=at, since=since, ratio=ratio_of(change.mean), low=ratio_of(low), high=ratio_of(high)))
            since, reference = at, now
    return tuple(found)


def _p_beyond(change: Estimate, edge: float) -> float:
    """Two-sided p value of "it changed by no more than `edge`, up or down"."""
    return min(1.0, 2 * min(change.p_above(edge), change.p_below(-edge)))
