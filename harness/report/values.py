"""Every number that is printed, as a row of summary.csv."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

import pandas as pd

from harness.compare.verdict import common
from harness.plan import Arm
from harness.record import Trial
from harness.report.metrics import METRICS
from harness.statistics import estimate
from harness.tune.answer import Answer, CandidateRow
from harness.verdicts import Effect, Noise, PairVerdict

Figures = tuple[float | None, float | None, float | None]
"""A value, and the ends of its 95 % interval."""
NOTHING: Figures = (None, None, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """One number with its interval."""

    kind: str
    """pair (value is b / a), arm, effect or noise; of a tuning candidate or capacity."""
    id: str
    scenario: str = ""
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
    load: str = ""
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


def frame(values: Iterable[Value]) -> pd.DataFrame:
    """Values as a table, whole numbers kept whole."""
    table = pd.DataFrame([asdict(value) for value in values], columns=list(Value.__dataclass_fields__))
    whole = ("workers", "threads", "connections", "blocks", "blocks_measured")
    return table.astype(dict.fromkeys(whole, "Int64"))


def average(values: Sequence[float], *, logarithmic: bool = True) -> Figures:
    """Mean over blocks with its t interval, on the log scale unless told otherwise; one block has no interval."""
    if not values or (logarithmic and min(values) <= 0):
        return NOTHING
    found = estimate([math.log(value) for value in values] if logarithmic else values)
    back = math.exp if logarithmic else float
    if len(values) == 1:
        return back(found.mean), None, None
    low, high = found.interval()
    return back(found.mean), back(low), back(high)


def of_pair(verdict: PairVerdict, rate_rps: float | None) -> Value:
    """The ratio of a pair in one metric."""
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
        rate_rps=rate_rps,
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
        reasons=_joined(verdict.reasons),
    )


def of_arm(arm: Arm, trials: Sequence[Trial], used: Sequence[Trial], metric: str, figures: Figures) -> Value:
    """One metric of an arm, over the trials that were `used`."""
    value, low, high = figures
    cell = asdict(arm.cell)
    unfit = None if used else ("error" if any(trial.error is not None for trial in trials) else "invalid")
    return Value(
        kind="arm",
        id=arm.id,
        **cell,
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
        verdict=unfit,
        limit=common(trial.limit for trial in used),
        reasons=_joined(dict.fromkeys(reason for trial in trials for reason in why(trial))),
    )


def of_effect(effect: Effect) -> Value:
    """The effect of a factor."""
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
        reasons=effect.context or None,
    )


def of_candidate(row: CandidateRow, metric: str, answer: Answer | None = None) -> Value:
    """One metric of a candidate that tune tried."""
    figures: dict[str, tuple[str, Figures]] = {
        "throughput_rps": ("1/s", (row.throughput_rps, row.low_rps, row.high_rps)),
        "of_best": ("ratio", (row.of_best, None, None)),
        "saturated_latency_p99_us": ("us", (row.p99_us, None, None)),
        "memory_bytes": ("B", (row.memory_bytes, None, None)),
        "share_of_picks": ("1", (row.share_of_picks, None, None)),
    }
    unit, (value, low, high) = figures[metric]
    return Value(
        kind="candidate",
        id=f"{row.workers}x{row.threads}",
        scenario=answer.scenario if answer else "",
        target=answer.target if answer else None,
        server=answer.server if answer else None,
        workers=row.workers,
        threads=row.threads,
        load="closed",
        metric=metric,
        unit=unit,
        value=value,
        low=low,
        high=high,
        blocks=row.blocks,
        blocks_measured=row.blocks,
        verdict=row.standing,
        limit=row.limit,
        reasons=row.why,
    )


def of_capacity(answer: Answer, end: str) -> Value:
    """An end of the bracket: `low`, the highest rate that holds, or `high`, the lowest that does not."""
    found = answer.capacity_rps
    return Value(
        kind="capacity",
        id=end,
        scenario=answer.scenario,
        target=answer.target,
        server=answer.server,
        load="open",
        metric="capacity_rps",
        unit="1/s",
        value=getattr(found, end) if found else None,
        reasons=answer.slo,
    )


def of_noise(noise: Noise, number: int) -> Value:
    """What the A/A pairs show."""
    return Value(
        kind="noise",
        id=str(number),
        metric=noise.metric,
        unit="ratio",
        value=noise.ratio,
        low=noise.low,
        high=noise.high,
    )


def effect_id(effect: Effect) -> str:
    """What names an effect in keys."""
    parts = (effect.factor, effect.low_level, effect.high_level, effect.scenario, effect.where, effect.context)
    return ":".join(part.replace(" ", "-") for part in parts)


def why(trial: Trial) -> tuple[str, ...]:
    """Why a trial may not be used; empty when it may."""
    return (trial.error,) if trial.error is not None else trial.reasons


def _joined(reasons: Iterable[str]) -> str | None:
    return "; ".join(reasons) or None
