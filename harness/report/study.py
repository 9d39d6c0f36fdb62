"""A run made ready to be told: every number that any report prints, each once, under a key of its own.

The page, summary.csv and `compare --json` agree because all of them print these values.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

import pandas as pd

from harness.histogram import Histogram
from harness.plan import Arm, Group, Pair
from harness.record import Run, Trial
from harness.report.metrics import METRICS, PERCENTILES
from harness.statistics import estimate
from harness.verdicts import Comparison, Effect, PairVerdict

ENOUGH = 10
"""A percentile q needs ENOUGH / (1 - q) samples (METHOD, comparing)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """One number with its interval: a row of summary.csv."""

    kind: str
    """pair (value is b / a), arm, effect or noise."""
    id: str
    scenario: str
    interface: str | None = None
    target: str | None = None
    server: str | None = None
    workers: int | None = None
    threads: int | None = None
    pooling: str | None = None
    cache: str | None = None
    client: str | None = None
    middleware: str | None = None
    connections: int | None = None
    load: str
    rate_rps: float | None = None
    a: str | None = None
    b: str | None = None
    metric: str
    unit: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    blocks: int = 0
    blocks_measured: int = 0
    verdict: str | None = None
    limit: str | None = None
    reasons: str | None = None

    @property
    def key(self) -> str:
        """Unique in the run."""
        return f"{self.kind}/{self.id}/{self.metric}/{self.load}"


@dataclass(frozen=True)
class Study:
    """A run, what it shows, and the values to print."""

    run: Run
    comparison: Comparison
    _histograms: dict[tuple[str, str], Histogram | None] = field(default_factory=dict, compare=False)

    @cached_property
    def arms(self) -> dict[str, Arm]:
        """The planned arms by id."""
        return {arm.id: arm for group in self.run.info.plan.groups for arm in group.arms}

    @cached_property
    def groups(self) -> dict[str, Group]:
        """The group of each pair, by the pair's id."""
        return {pair.id: group for group in self.run.info.plan.groups for pair in group.pairs}

    @cached_property
    def pairs(self) -> dict[str, Pair]:
        """The planned pairs by id, in the order of the suite."""
        found = [pair for group in self.run.info.plan.groups for pair in group.pairs]
        return {pair.id: pair for pair in sorted(found, key=lambda pair: _natural(pair.id))}

    @cached_property
    def partner(self) -> dict[str, str]:
        """The other arm of each arm's pair."""
        return {one: other for p in self.pairs.values() for one, other in ((p.a, p.b), (p.b, p.a))}

    @cached_property
    def trials(self) -> dict[tuple[str, str], list[Trial]]:
        """Trials by arm and phase, in the order of the blocks."""
        found: dict[tuple[str, str], list[Trial]] = {}
        for trial in self.run.trials:
            found.setdefault((trial.arm, trial.phase), []).append(trial)
        return found

    @cached_property
    def verdicts(self) -> dict[tuple[str, str, str], PairVerdict]:
        """Verdicts by pair, metric and phase."""
        return {(v.pair, v.metric, v.phase): v for v in self.comparison.pairs}

    def verdict(self, pair: str, metric: str = "throughput_rps", phase: str = "closed") -> PairVerdict | None:
        """The verdict on one metric of a pair, if there is one."""
        return self.verdicts.get((pair, metric, phase))

    def used(self, arm: str, phase: str) -> list[Trial]:
        """The trials that the figures of an arm rest on: valid ones, in blocks where its partner's are too, if any."""
        own = [trial for trial in self.trials.get((arm, phase), []) if trial.valid and trial.error is None]
        other = {t.block for t in self.trials.get((self.partner.get(arm, ""), phase), []) if t.valid}
        return [trial for trial in own if trial.block in other] or own

    def histogram(self, arm: str, phase: str) -> Histogram | None:
        """Response times of an arm, merged over its blocks."""
        key = (arm, phase)
        if key not in self._histograms:
            parts = [Histogram.decode(t.histogram) for t in self.used(arm, phase) if t.histogram]
            self._histograms[key] = Histogram.merged(parts) if parts else None
        return self._histograms[key]

    def arm(self, arm: str, metric: str, phase: str = "closed") -> Value | None:
        """What the run shows of one arm."""
        return self.values.get(f"arm/{arm}/{metric}/{phase}")

    def pair(self, pair: str, metric: str = "throughput_rps", phase: str = "closed") -> Value | None:
        """The ratio of one pair."""
        return self.values.get(f"pair/{pair}/{metric}/{phase}")

    @cached_property
    def values(self) -> dict[str, Value]:
        """Every number of the report by its key."""
        comparison = self.comparison
        found = [
            *(_of_pair(verdict) for verdict in comparison.pairs),
            *self._of_arms(),
            *(_of_effect(effect) for effect in comparison.effects),
            *(
                Value(kind="noise", id=str(i), scenario="", load="", metric=n.metric, unit="ratio",
                      value=n.ratio, low=n.low, high=n.high)
                for i, n in enumerate(comparison.noise, 1)
            ),
        ]  # fmt: skip
        return {value.key: value for value in found}

    @cached_property
    def frame(self) -> pd.DataFrame:
        """summary.csv: one row a pair or arm and metric."""
        return frame(self.values.values())

    def _of_arms(self) -> Iterable[Value]:
        for (arm_id, phase), trials in self.trials.items():
            arm = self.arms.get(arm_id)
            if arm is None:
                continue
            used = self.used(arm_id, phase)
            for metric in METRICS.values():
                if phase not in metric.phases:
                    continue
                numbers = [metric.read(trial) for trial in used]
                seen = [number for number in numbers if number is not None]
                known = len(seen) == len(used)
                value, low, high = average(seen, logarithmic=metric.logarithmic) if known else (None, None, None)
                if not known and metric.name.startswith("latency_"):
                    value = self._merged(arm_id, phase, metric.name)
                if value is None and metric.name != "throughput_rps":
                    continue
                yield _of_arm(arm, trials, used, metric.name, (value, low, high))

    def _merged(self, arm: str, phase: str, metric: str) -> float | None:
        quantile = PERCENTILES[metric.removeprefix("latency_").removesuffix("_us")]
        merged = self.histogram(arm, phase)
        if merged is None or merged.count * (1 - quantile) < ENOUGH - 1e-9:
            return None
        return float(merged.percentile(quantile * 100))


Figures = tuple[float | None, float | None, float | None]
"""A value, and the ends of its interval."""


def average(values: Sequence[float], *, logarithmic: bool = True) -> Figures:
    """Mean over blocks with its t interval, on the log scale unless told otherwise; one block has no interval."""
    if not values or (logarithmic and min(values) <= 0):
        return None, None, None
    found = estimate([math.log(value) for value in values] if logarithmic else values)
    back = math.exp if logarithmic else float
    if len(values) == 1:
        return back(found.mean), None, None
    low, high = found.interval()
    return back(found.mean), back(low), back(high)


def frame(values: Iterable[Value]) -> pd.DataFrame:
    """Values as a table, whole numbers kept whole."""
    table = pd.DataFrame([asdict(value) for value in values], columns=list(Value.__dataclass_fields__))
    whole = ["workers", "threads", "connections", "blocks", "blocks_measured"]
    return table.astype(dict.fromkeys(whole, "Int64"))


def _natural(identity: str) -> tuple[int, str]:
    digits = "".join(c for c in identity if c.isdigit())
    return (int(digits) if digits else 0, identity)


def _of_pair(verdict: PairVerdict) -> Value:
    factors = verdict.factors
    return Value(
        kind="pair",
        id=verdict.pair,
        scenario=verdict.scenario,
        workers=factors.get("workers"),
        pooling=factors.get("pooling"),
        cache=factors.get("cache"),
        connections=factors.get("connections"),
        load=verdict.phase,
        rate_rps=factors.get("rate_rps"),
        a=verdict.a,
        b=verdict.b,
        metric=verdict.metric,
        unit="ratio",
        value=verdict.ratio,
        low=verdict.low,
        high=verdict.high,
        blocks=verdict.blocks,
        blocks_measured=verdict.blocks_measured,
        verdict=verdict.verdict,
        reasons="; ".join(verdict.reasons) or None,
    )


def _of_arm(
    arm: Arm,
    trials: list[Trial],
    used: list[Trial],
    metric: str,
    figures: Figures,
) -> Value:
    cell = arm.cell
    value, low, high = figures
    reasons = dict.fromkeys(text for t in trials for text in ([t.error] if t.error else t.reasons))
    return Value(
        kind="arm",
        id=arm.id,
        **{name: value for name, value in _fields(cell).items() if name in Value.__dataclass_fields__},
        connections=arm.connections,
        load=trials[0].phase,
        rate_rps=trials[0].load.rate_rps,
        metric=metric,
        unit=METRICS[metric].unit,
        value=value,
        low=low,
        high=high,
        blocks=len(used) if value is not None else 0,
        blocks_measured=len(trials),
        verdict=None if used else ("error" if any(t.error for t in trials) else "invalid"),
        limit=common(t.limit for t in used),
        reasons="; ".join(reasons) or None,
    )


def _fields(cell: Any) -> dict[str, Any]:
    return asdict(cell)


def _of_effect(effect: Effect) -> Value:
    return Value(
        kind="effect",
        id=effect_id(effect),
        scenario=effect.scenario,
        interface=effect.where,
        load="closed",
        a=f"{effect.factor} {effect.low_level}",
        b=f"{effect.factor} {effect.high_level}",
        metric=effect.metric,
        unit="ratio",
        value=effect.ratio,
        low=effect.low,
        high=effect.high,
        blocks=effect.blocks,
    )


def effect_id(effect: Effect) -> str:
    """What names an effect in keys and links."""
    parts = (effect.factor, effect.low_level, effect.high_level, effect.scenario, effect.where, effect.context)
    return ":".join(part.replace(" ", "-") for part in parts)


def common(items: Iterable[str | None]) -> str | None:
    """The most frequent of the items that are there."""
    counted: dict[str, int] = {}
    for item in items:
        if item is not None:
            counted[item] = counted.get(item, 0) + 1
    return max(counted, key=lambda item: counted[item]) if counted else None
