"""What is compared, and the one value that a block gives of it: a log ratio."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from harness.judge.validity import kept
from harness.record import SliceRow, Trial
from harness.spec.histogram import Histogram
from harness.spec.percentiles import QUANTILES, resolved
from harness.suite import Group, Phase

Logs = Callable[[Trial, Trial], float | None]


@dataclass(frozen=True, slots=True)
class Metric:
    """A quantity of a pair: `log_ratio` of (a, b) is one block's value, None where that block does not show it."""

    name: str
    phase: Phase
    higher_is_better: bool
    log_ratio: Logs
    value: Callable[[Trial], float | None]
    """The same quantity of one arm, in the metric's unit."""
    percentile: float | None = None
    primary: bool = False


def metrics(group: Group) -> tuple[Metric, ...]:
    """The metrics that the phases of `group` show, the primary one first.

    Latency is compared in the open phase, at equal offered rates; closed it is that at each one's own saturation, which
    compares queues, and its name says so.
    """
    found: list[Metric] = []
    if "closed" in group.phases:
        found.append(THROUGHPUT)
    costs: Phase = "closed" if "closed" in group.phases else "open"
    found.append(Metric("cpu_s_per_request", costs, False, _mean_over_rounds(_cpu), lambda t: t.cpu_s_per_request))  # noqa: FBT003
    found.append(Metric("memory_bytes", costs, False, _memory, lambda trial: trial.memory_bytes))  # noqa: FBT003
    if "open" in group.phases:
        found += [_latency(name, "open", "latency") for name in QUANTILES]
    if "closed" in group.phases:
        found += [_latency(name, "closed", "saturated_latency") for name in ("p50", "p99")]
    return tuple(found)


def _mean_over_rounds(rate: Callable[[SliceRow], float]) -> Logs:
    """The mean over the rounds in which both arms show `rate`; None when there is none."""

    def log_ratio(a: Trial, b: Trial) -> float | None:
        ours = {one.round: rate(one) for one in kept(b)}
        logs = [
            math.log(ours[one.round] / rate(one)) for one in kept(a) if ours.get(one.round, 0.0) > 0 and rate(one) > 0
        ]
        return math.fsum(logs) / len(logs) if logs else None

    return log_ratio


def _cpu(one: SliceRow) -> float:
    good = one.throughput_rps * one.length_s
    return one.cpu_s / good if good else 0.0


def _memory(a: Trial, b: Trial) -> float | None:
    return math.log(b.memory_bytes / a.memory_bytes) if a.memory_bytes and b.memory_bytes else None


def _latency(name: str, phase: Phase, prefix: str) -> Metric:
    quantile = QUANTILES[name]

    def value(trial: Trial) -> float | None:
        return resolved(histogram(trial.histogram), quantile) if trial.histogram else None

    def log_ratio(a: Trial, b: Trial) -> float | None:
        before, after = value(a), value(b)
        return math.log(after / before) if before and after else None

    return Metric(f"{prefix}_{name}_us", phase, False, log_ratio, value, quantile)  # noqa: FBT003


@lru_cache(maxsize=256)
def histogram(text: str) -> Histogram:
    """The histogram of a record; several percentiles are read from each."""
    return Histogram.decode(text)


THROUGHPUT = Metric(
    "throughput_rps",
    "closed",
    higher_is_better=True,
    log_ratio=_mean_over_rounds(lambda one: one.throughput_rps),
    value=lambda trial: trial.throughput_rps,
    primary=True,
)
