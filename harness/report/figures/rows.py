"""Verdicts, arms, effects and candidates as values: the rows of summary.csv."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from harness.judge.compare.verdict import common
from harness.judge.metrics import METRICS
from harness.judge.verdicts import Effect, Noise, PairVerdict
from harness.record import Trial
from harness.report.figures.value import Figures, Value
from harness.suite import Arm
from harness.tune.rate.answer import RateRow
from harness.tune.recommendation import CandidateRow, Recommendation

OF_CANDIDATE = (
    "throughput_rps",
    "of_best",
    "saturated_latency_p99_us",
    "memory_bytes",
    "memory_bytes_per_worker",
    "shared_bytes",
    "shared_lost_bytes",
    "first_answer_s",
    "share_of_picks",
)
"""The metrics of a candidate that tune tried."""
OF_RATE_ROW = (
    "answered_rps",
    "latency_p99_us",
    "memory_bytes",
    "memory_bytes_per_worker",
    "shared_bytes",
    "shared_lost_bytes",
    "first_answer_s",
    "cpu_s_per_request",
)
"""Those of a candidate that was offered a rate."""
HEADINGS = {
    "throughput_rps": "throughput",
    "of_best": "of the best",
    "saturated_latency_p99_us": "p99",
    "answered_rps": "answered",
    "latency_p99_us": "p99",
    "memory_bytes": "memory",
    "memory_bytes_per_worker": "a worker",
    "shared_bytes": "shared",
    "shared_lost_bytes": "of it lost",
    "first_answer_s": "first answer",
    "cpu_s_per_request": "CPU a request",
    "share_of_picks": "picked",
}
"""What stands above each of these in a table."""
OF_LAUNCHES = ("memory_bytes_per_worker", "shared_bytes", "shared_lost_bytes", "first_answer_s")
"""Those of them that not every record has."""


NO_LEVELS = ("connections", "load", "rate_rps", "a", "b")
"""What stands among a verdict's factors and is no level that both sides share."""


def of_pair(verdict: PairVerdict) -> Value:
    """The ratio of a pair in one metric."""
    factors = verdict.factors
    return Value(
        kind="pair",
        id=verdict.pair,
        scenario=verdict.scenario,
        levels={name: level for name, level in factors.items() if name not in NO_LEVELS},
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
        reasons=_joined(verdict.reasons),
    )


def of_arm(arm: Arm, trials: Sequence[Trial], used: Sequence[Trial], metric: str, figures: Figures) -> Value:
    """One metric of an arm, over the trials that were `used`."""
    value, low, high = figures
    cell = arm.cell
    unfit = None if used else ("error" if any(trial.error is not None for trial in trials) else "invalid")
    return Value(
        kind="arm",
        id=arm.id,
        scenario=cell.scenario,
        interface=cell.interface,
        target=cell.target,
        server=cell.server,
        levels={"workers": cell.workers, "threads": cell.threads, **dict(cell.levels)},
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


def of_tuning(answer: Recommendation) -> list[Value]:
    """Every number that tune found."""
    values = [of_candidate(row, metric, answer) for row in answer.candidates for metric in OF_CANDIDATE]
    offered = answer.rate.rows if answer.rate else ()
    values += [of_rate_row(row, metric, answer) for row in offered for metric in OF_RATE_ROW]
    values += [of_capacity(answer, end) for end in ("low", "high")] if answer.capacity_rps else []
    return [value for value in values if value.value is not None or value.metric == "throughput_rps"]


def of_candidate(row: CandidateRow, metric: str, answer: Recommendation | None = None) -> Value:
    """One metric of a candidate that tune tried."""
    figures: dict[str, tuple[str, Figures]] = {
        "throughput_rps": ("1/s", (row.throughput_rps, row.low_rps, row.high_rps)),
        "of_best": ("ratio", (row.of_best, None, None)),
        "saturated_latency_p99_us": ("us", (row.p99_us, row.p99_low_us, row.p99_high_us)),
        **_of_launches(row),
        "share_of_picks": ("1", (row.share_of_picks, None, None)),
    }
    unit, (value, low, high) = figures[metric]
    return Value(
        kind="candidate",
        id=f"{row.workers}x{row.threads}",
        scenario=answer.scenario if answer else "",
        target=answer.target if answer else None,
        server=answer.server if answer else None,
        levels={"workers": row.workers, "threads": row.threads},
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


def of_rate_row(row: RateRow, metric: str, answer: Recommendation | None = None) -> Value:
    """One metric of a candidate that was offered a rate; medians over blocks, so without an interval of a mean."""
    rate = answer.rate if answer else None
    figures: dict[str, tuple[str, Figures]] = {
        "answered_rps": ("1/s", (row.answered_rps, None, None)),
        "latency_p99_us": ("us", (row.p99_us, None, None)),
        **_of_launches(row),
        "cpu_s_per_request": ("s", (row.cpu_s_per_request, None, None)),
    }
    unit, (value, low, high) = figures[metric]
    return Value(
        kind="candidate",
        id=f"{row.workers}x{row.threads}",
        scenario=answer.scenario if answer else "",
        target=answer.target if answer else None,
        server=answer.server if answer else None,
        levels={"workers": row.workers, "threads": row.threads},
        connections=rate.connections if rate else None,
        load="open",
        rate_rps=rate.offered_rps if rate else None,
        metric=metric,
        unit=unit,
        value=value,
        low=low,
        high=high,
        blocks=row.held + row.missed,
        blocks_measured=row.held + row.missed,
        verdict=row.standing,
        limit=row.limit,
        reasons=row.why,
    )


def _of_launches(row: CandidateRow | RateRow) -> dict[str, tuple[str, Figures]]:
    """What both kinds of rows say of memory, and of the time to the first answer, whose ends are its range."""
    a_worker = None if row.memory_bytes is None else row.memory_bytes / row.workers
    return {
        "memory_bytes": ("B", (row.memory_bytes, None, None)),
        "memory_bytes_per_worker": ("B", (a_worker, None, None)),
        "shared_bytes": ("B", (row.shared_bytes, None, None)),
        "shared_lost_bytes": ("B", (row.shared_lost_bytes, None, None)),
        "first_answer_s": ("s", (row.first_answer_s, row.first_answer_low_s, row.first_answer_high_s)),
    }


def shown_of(rows: Sequence[CandidateRow] | Sequence[RateRow]) -> tuple[str, ...]:
    """The metrics that a table of `rows` shows: no column that is empty throughout, as of older records."""
    told = {name for row in rows for name, (_, figures) in _of_launches(row).items() if figures[0] is not None}
    every = OF_RATE_ROW if any(isinstance(row, RateRow) for row in rows) else OF_CANDIDATE
    return tuple(metric for metric in every if metric not in OF_LAUNCHES or metric in told)


def briefly_of(rows: Sequence[CandidateRow] | Sequence[RateRow]) -> tuple[str, ...]:
    """Those of terminal and summary.md: without the p99 of a load that nobody deploys for."""
    return tuple(metric for metric in shown_of(rows) if metric != "saturated_latency_p99_us")


def of_capacity(answer: Recommendation, end: str) -> Value:
    """An end of the bracket: `low`, the highest rate that holds, or `high`, the lowest that does not."""
    capacity = answer.capacity_rps
    return Value(
        kind="capacity",
        id=end,
        scenario=answer.scenario,
        target=answer.target,
        server=answer.server,
        load="open",
        metric="capacity_rps",
        unit="1/s",
        value=getattr(capacity, end) if capacity else None,
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
    return (sentence_of(trial.error),) if trial.error is not None else trial.reasons


def sentence_of(error: str) -> str:
    """The first line of an error; the lines of a server's log that may follow it stay in the records.

    A first line that ends in a colon says nothing without them: then the last of them, which is what a traceback ends
    with, is added to it.
    """
    first, *log = error.strip().splitlines() or [""]
    return f"{first} {log[-1].strip()}" if log and first.endswith(":") else first


def _joined(reasons: Iterable[str]) -> str | None:
    return "; ".join(reasons) or None
