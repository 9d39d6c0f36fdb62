"""From a pair's blocks to a verdict."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from harness import units
from harness.judge.compare.blocks import Sample
from harness.judge.metrics import Metric, histogram
from harness.judge.statistics import Estimate, estimate, geometric_mean, sample_size
from harness.judge.verdicts import PairVerdict, Verdict
from harness.record import Trial
from harness.spec.histogram import Histogram
from harness.spec.percentiles import resolved, samples_needed
from harness.suite import Arm, Group, Pair, Plan, block_seconds

MIN_BLOCKS = 5
"""Fewer do not carry a verdict."""
MOST_BLOCKS = 200
"""A forecast beyond this is no help: the ratio lies too close to the margin."""


def judge(estimated: Estimate, margin: float, *, higher_is_better: bool) -> Verdict:
    """Better or worse when the interval lies wholly beyond the margin, equivalent when wholly inside.

    The margin is one of ratios, 1 / (1 + margin) to 1 + margin, so that exchanging a and b mirrors the verdict.
    """
    low, high = estimated.interval()
    edge = math.log1p(margin)
    if low > edge or high < -edge:
        return "better" if (low > edge) == higher_is_better else "worse"
    return "equivalent" if low > -edge and high < edge else "inconclusive"


def verdict(group: Group, pair: Pair, metric: Metric, found: Sample, plan: Plan) -> PairVerdict:
    """The verdict on `metric` of `pair`; where there is no ratio it says why."""
    arms = {arm.id: arm for arm in group.arms}
    a, b = arms[pair.a], arms[pair.b]
    left, right = [one for one, _ in found.usable], [one for _, one in found.usable]
    return PairVerdict(
        pair=pair.id,
        scenario=group.scenario,
        factors=factors(a, b, metric),
        a=a.label,
        b=b.label,
        metric=metric.name,
        primary=metric.primary,
        higher_is_better=metric.higher_is_better,
        a_value=_value(left, metric),
        b_value=_value(right, metric),
        blocks_measured=found.measured,
        a_limit=common(one.limit for one in left),
        b_limit=common(one.limit for one in right),
        a_ceiling=_over_ceiling(left),
        b_ceiling=_over_ceiling(right),
        phase=metric.phase,
        null=pair.null,
        **_ratio(metric, found, plan.margin, block_seconds(plan, group)),
    )


def _ratio(metric: Metric, found: Sample, margin: float, block_s: float) -> dict[str, Any]:
    if not found.usable:
        return {"verdict": "error" if found.failed else "invalid", "reasons": found.reasons or ("not measured",)}
    if not found.values:
        return _unresolved(metric, found)
    values = list(found.values.values())
    estimated = estimate(values)
    low, high = estimated.interval()
    enough = len(values) >= MIN_BLOCKS
    said = judge(estimated, margin, higher_is_better=metric.higher_is_better) if enough else "inconclusive"
    return {
        "ratio": math.exp(estimated.mean),
        "low": math.exp(low) if math.isfinite(low) else None,
        "high": math.exp(high) if math.isfinite(high) else None,
        "blocks": len(values),
        "verdict": said,
        "reasons": found.reasons,
        "settle": settle(values, margin, block_s) if said == "inconclusive" else None,
        "standard_error": estimated.standard_error if len(values) > 1 else None,
        "degrees": estimated.degrees,
    }


def _unresolved(metric: Metric, found: Sample) -> dict[str, Any]:
    """Too few samples for a percentile in some block: the ratio over all blocks merged, without an interval."""
    if metric.percentile is None:
        return {"verdict": "not resolved", "reasons": ("a block has no figure for it",), "blocks": 0}
    need = samples_needed(metric.percentile)
    remedy = "a longer slice (open_slice_s) or a higher rate" if metric.phase == "open" else "a longer slice (slice_s)"
    texts = [(a.histogram, b.histogram) for a, b in found.usable]
    whole = [text for pair in texts for text in pair if text]
    if len(whole) < 2 * len(texts):
        return {"verdict": "not resolved", "reasons": ("a block has no histogram on record",), "blocks": 0}
    sides = (Histogram.merged(histogram(pair[side] or "") for pair in texts) for side in (0, 1))
    before, after = (resolved(side, metric.percentile) for side in sides)
    return {
        "verdict": "not resolved",
        "reasons": (f"needs {need:,} answers of each arm in each block: {remedy}",),
        "ratio": after / before if before and after else None,
        "blocks": 0,
    }


def blocks_to_settle(values: Sequence[float], margin: float) -> int | None:
    """How many blocks in all give a verdict if mean and spread stay as they are; None: too many to be worth it."""
    if len(values) < 2:  # noqa: PLR2004 - one value has no spread
        return MIN_BLOCKS
    found = estimate(values)
    spread = found.standard_error * math.sqrt(len(values))
    room = abs(abs(found.mean) - math.log1p(margin))
    return sample_size(spread, room, at_least=MIN_BLOCKS, at_most=MOST_BLOCKS)


def settle(values: Sequence[float], margin: float, block_s: float) -> str:
    """What would settle an inconclusive verdict, in words."""
    blocks = blocks_to_settle(values, margin)
    if blocks is None:
        return f"a quieter machine or another margin (at this spread over {MOST_BLOCKS} blocks)"
    more = max(blocks - len(values), 1)
    text = f"about {more} more block{'s' if more > 1 else ''}"
    return f"{text} ({units.clock(more * block_s)})" if block_s > 0 else text


def factors(a: Arm, b: Arm, metric: Metric) -> dict[str, Any]:
    """What the pair was measured under: what both share, and under a and b what is each side's own."""
    rate = a.rate_rps if metric.phase == "open" else None
    own = {
        side: {name: getattr(arm.cell, name) for name in ("threads", "client", "middleware", "gc")}
        for side, arm in (("a", a), ("b", b))
    }
    return {
        "workers": b.cell.workers,
        "pooling": b.cell.pooling,
        "cache": b.cell.cache,
        "connections": b.connections,
        "load": metric.phase,
        "rate_rps": rate,
        **own,
    }


def common(names: Iterable[str | None]) -> str | None:
    """The most frequent name, if there is any."""
    counted = Counter(name for name in names if name is not None)
    return counted.most_common(1)[0][0] if counted else None


def _value(trials: Sequence[Trial], metric: Metric) -> float | None:
    values = [metric.read(one) for one in trials]
    positive = [value for value in values if value]
    return geometric_mean(positive) if positive and len(positive) == len(values) else None


def _over_ceiling(trials: Sequence[Trial]) -> float | None:
    shares = [one.throughput_rps / one.ceiling_rps for one in trials if one.throughput_rps and one.ceiling_rps]
    return geometric_mean(shares) if shares else None
