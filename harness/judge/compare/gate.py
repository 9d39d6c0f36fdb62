"""Did anything get worse? What `--fail-on-regression` asks."""

from __future__ import annotations

import math
from dataclasses import replace

from harness.judge.statistics import Estimate, holm
from harness.judge.verdicts import Comparison, PairVerdict

ALPHA = 0.05
"""Chance, over all pairs together, that the gate fails although no pair got worse."""


def regressions(comparison: Comparison, threshold: float) -> tuple[PairVerdict, ...]:
    """The pairs whose throughput is credibly worse by more than `threshold`; A/A pairs are not judged.

    The p values are corrected for the number of pairs (Holm). They are two-sided against the threshold, so that a
    single pair fails exactly when its 95 % interval lies beyond it.
    """
    judged = [
        verdict
        for verdict in comparison.pairs
        if verdict.primary and not verdict.null and verdict.standard_error is not None
    ]
    adjusted = holm([_p_worse(verdict, threshold) for verdict in judged])
    return tuple(
        replace(verdict, adjusted_p=p, verdict="worse")
        for verdict, p in zip(judged, adjusted, strict=True)
        if p < ALPHA
    )


def _p_worse(verdict: PairVerdict, threshold: float) -> float:
    """Small when the pair is credibly worse by more than `threshold`."""
    estimated = Estimate(
        mean=math.log(verdict.ratio or 1.0),
        standard_error=verdict.standard_error or 0.0,
        degrees=verdict.degrees or 0.0,
    )
    edge = math.log1p(threshold)
    p = estimated.p_below(-edge) if verdict.higher_is_better else estimated.p_above(edge)
    return min(1.0, 2 * p)
