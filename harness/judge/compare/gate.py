"""Did anything get worse? What `--fail-on-regression` asks."""

from __future__ import annotations

import math
from dataclasses import replace

from harness.judge.statistics import Estimate, holm
from harness.judge.verdicts import Comparison, PairVerdict

ALPHA = 0.05
"""Chance, over all pairs, that the gate fails without cause."""


def regressions(comparison: Comparison, threshold: float) -> tuple[PairVerdict, ...]:
    """Pairs whose throughput is credibly over `threshold` worse, Holm-corrected over all pairs; A/A pairs aside.

    The p values are two-sided against the edge: a single pair fails exactly when its 95 % interval is beyond it.
    """
    judged = [one for one in comparison.pairs if one.primary and not one.null and one.standard_error is not None]
    adjusted = holm([_p_worse(one, threshold) for one in judged])
    return tuple(
        replace(one, adjusted_p=p, verdict="worse") for one, p in zip(judged, adjusted, strict=True) if p < ALPHA
    )


def _p_worse(one: PairVerdict, threshold: float) -> float:
    found = Estimate(
        mean=math.log(one.ratio or 1.0), standard_error=one.standard_error or 0.0, degrees=one.degrees or 0.0
    )
    edge = math.log1p(threshold)
    p = found.p_below(-edge) if one.higher_is_better else found.p_above(edge)
    return min(1.0, 2 * p)
