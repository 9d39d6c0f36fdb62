"""From a pair's blocks to a verdict."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from harness import units
from harness.judge.compare.blocks import Sample
from harness.judge.metrics import Metric, histogram
from harness.judge.statistics import Estimate, estimate, geometric_mean, ratio_of, sample_size
from harness.judge.verdicts import PairVerdict, Verdict
from harness.record import Trial
from harness.spec.histogram import Histogram
from harness.spec.loads import LOADS
from harness.spec.percentiles import resolved, samples_needed
from harness.suite import Arm, Group, Pair, Plan, block_times

MIN_BLOCKS = 3
"""Fewer do not carry a verdict. Student's t on two degrees of freedom holds its 95 %; it pays for that in width."""
MOST_FORECAST = 200
"""Blocks beyond which a forecast is no help: the ratio lies too close to the margin."""


def judge(estimated: Estimate, margin: float, *, higher_is_better: bool) -> Verdict:
    """Better or worse when the interval lies wholly beyond the margin, equivalent when wholly inside it.

    Otherwise it is inconclusive.
    The margin reaches from the ratio 1 / (1 + margin) to 1 + margin, so that exchanging a and b mirrors the verdict.
    """
    low, high = estimated.interval()
    edge = math.log1p(margin)
    if low > edge or high < -edge:
        return "better" if (low > edge) == higher_is_better else "worse"
    return "equivalent" if low > -edge and high < edge else "inconclusive"


def verdict(group: Group, pair: Pair, metric: Metric, sample: Sample, plan: Plan) -> PairVerdict:
    """The verdict on `metric` of `pair`; where there is no ratio, why."""
    arms = {arm.id: arm for arm in group.arms}
    a, b = arms[pair.a], arms[pair.b]
    left, right = ([trials[side] for trials in sample.usable] for side in (0, 1))
    return PairVerdict(
        pair=pair.id,
        scenario=group.scenario,
        factors=factors(a, b, metric, plan, left),
        a=a.label,
        b=b.label,
        metric=metric.name,
        primary=metric.primary,
        higher_is_better=metric.higher_is_better,
        a_value=_value(left, metric),
        b_value=_value(right, metric),
        blocks_measured=sample.measured,
        a_limit=common(trial.limit for trial in left),
        b_limit=common(trial.limit for trial in right),
        a_ceiling=_over_ceiling(left),
        b_ceiling=_over_ceiling(right),
        phase=metric.phase,
        null=pair.null,
        **_ratio(metric, sample, plan, block_times(plan, group).total_s),
    )


def _ratio(metric: Metric, sample: Sample, plan: Plan, block_s: float) -> dict[str, Any]:
    if not sample.usable:
        return {"verdict": "error" if sample.failed else "invalid", "reasons": sample.reasons or ("not measured",)}
    if not sample.values:
        return _unresolved(metric, sample)
    values = list(sample.values.values())
    estimated = estimate(values)
    low, high = estimated.interval()
    decision: Verdict = "inconclusive"
    if len(values) >= MIN_BLOCKS:
        decision = judge(estimated, plan.margin, higher_is_better=metric.higher_is_better)
    open_, shortfall = decision == "inconclusive", sample.shortfall(plan.blocks)
    return {
        "ratio": ratio_of(estimated.mean),
        "low": ratio_of(low) if math.isfinite(low) else None,
        "high": ratio_of(high) if math.isfinite(high) else None,
        "blocks": len(values),
        "verdict": decision,
        "reasons": sample.reasons,
        "settle": settle(values, plan.margin, block_s, shortfall) if open_ else None,
        "caveats": (shortfall,) if shortfall and not open_ else (),
        "standard_error": estimated.standard_error if len(values) > 1 else None,
        "degrees": estimated.degrees,
    }


def _unresolved(metric: Metric, sample: Sample) -> dict[str, Any]:
    """Where a block does not show the metric. Of a percentile the ratio over all blocks merged, without an interval."""
    if metric.percentile is None:
        return {"verdict": "not resolved", "reasons": ("a block has no figure for it",), "blocks": 0}
    need = samples_needed(metric.percentile)
    remedy = LOADS[metric.phase].more_samples
    texts = [(a.histogram, b.histogram) for a, b in sample.usable]
    if not all(text for pair in texts for text in pair):
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
    """How many valid blocks in all give a verdict if mean and spread stay as they are; None: over `MOST_FORECAST`."""
    if len(values) < 2:  # noqa: PLR2004 - one value has no spread
        return MIN_BLOCKS
    estimated = estimate(values)
    spread = estimated.standard_error * math.sqrt(len(values))
    room = abs(abs(estimated.mean) - math.log1p(margin))
    return sample_size(spread, room, at_least=MIN_BLOCKS, at_most=MOST_FORECAST)


def settle(values: Sequence[float], margin: float, block_s: float, shortfall: str | None = None) -> str:
    """What would settle an inconclusive verdict, in words; before it the `shortfall` of valid blocks, if any."""
    blocks = blocks_to_settle(values, margin)
    if blocks is None:
        remedy = f"a quieter machine or another margin (at this spread over {MOST_FORECAST} blocks)"
    else:
        more = max(blocks - len(values), 1)
        remedy = f"about {units.plural(more, 'more valid block' if shortfall else 'more block')}"
        remedy += f" ({units.clock(more * block_s)})" if block_s > 0 else ""
    return f"{shortfall}; {remedy}" if shortfall else remedy


def factors(a: Arm, b: Arm, metric: Metric, plan: Plan, trials: Iterable[Trial]) -> dict[str, Any]:
    """What the pair was measured under: what both share, and under a and b what is each side's own.

    The rate is the one that `trials` were offered, asked for or derived.
    """
    shared = {factor.name: b.cell.level(factor.name) for factor in plan.factors if factor.on == "pair"}
    own = {
        side: {factor.name: arm.cell.level(factor.name) for factor in plan.factors if factor.on == "side"}
        for side, arm in (("a", a), ("b", b))
    }
    rates = [trial.load.rate_rps for trial in trials if trial.load.rate_rps is not None]
    return shared | {
        "connections": b.connections,
        "load": metric.phase,
        "rate_rps": rates[0] if rates else None,
        **own,
    }


def common(names: Iterable[str | None]) -> str | None:
    """The most frequent of the names; None where there is none."""
    counted = Counter(name for name in names if name is not None)
    return counted.most_common(1)[0][0] if counted else None


def _value(trials: Sequence[Trial], metric: Metric) -> float | None:
    """The metric of one side over its trials (geometric mean); None where a trial does not show it."""
    values = [metric.read(trial) for trial in trials]
    positive = [value for value in values if value]
    return geometric_mean(positive) if positive and len(positive) == len(values) else None


def _over_ceiling(trials: Sequence[Trial]) -> float | None:
    """How much of their analytic ceiling the trials reached (geometric mean)."""
    shares = [
        trial.throughput_rps / trial.ceiling_rps for trial in trials if trial.throughput_rps and trial.ceiling_rps
    ]
    return geometric_mean(shares) if shares else None
