"""The metrics: what is measured of an arm, how one trial shows it, and how two trials of a pair are compared by it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from harness.judge.memory import shared_lost
from harness.judge.validity import kept
from harness.record import SliceRow, Trial
from harness.spec.histogram import Histogram
from harness.spec.percentiles import QUANTILES, all_resolved
from harness.suite import PHASES, Group, Phase
from harness.units import GIB


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A quantity of an arm."""

    name: str
    """As in summary.csv and `--json`, with its unit at the end."""
    label: str
    """In words."""
    unit: str
    """1/s, us, s, B, or 1 for what has none."""
    read: Callable[[Trial], float | None]
    """What one trial shows of it, in its unit; None where the trial does not show it."""
    read_slice: Callable[[SliceRow], float] | None = None
    """The same of one slice; 0 where the slice does not show it. None: only whole trials show the metric."""
    higher_is_better: bool = False
    phases: tuple[Phase, ...] = PHASES
    """The phases in which it means anything; a pair is compared by it in the first of them."""
    percentile: float | None = None
    """Of a latency: its quantile, 0 to 1."""
    primary: bool = False
    """Throughput is; everything else is exploratory."""
    geometric: bool = True
    """Whether its mean over blocks is geometric; that of shares, which may be zero, is arithmetic."""

    @property
    def phase(self) -> Phase:
        """The phase in which a pair is compared by it."""
        return self.phases[0]

    def log_ratio(self, a: Trial, b: Trial) -> float | None:
        """The natural logarithm of b over a, the one value that a block gives; None where a trial does not show it.

        Where slices show the metric it is the mean over the rounds in which both arms do: slices of one round were
        measured next to each other, so a machine that speeds up or slows down moves both.
        """
        if self.read_slice is not None:
            return _mean_over_rounds(self.read_slice, a, b)
        before, after = self.read(a), self.read(b)
        return math.log(after / before) if before and after else None


def metrics(group: Group) -> tuple[Metric, ...]:
    """The metrics that the pairs of `group` are compared by, each with the phases in which that can be done.

    Latency is compared under the open load, where both arms get the same rate. Under the closed load each arm has a
    rate of its own, and its latency is that of a queue: the names of such metrics begin with `saturated`.
    """
    planned = {name: tuple(phase for phase in phases if phase in group.phases) for name, phases in COMPARED.items()}
    return tuple(replace(METRICS[name], phases=phases) for name, phases in planned.items() if phases)


def label(name: str) -> str:
    """The metric of that name in words."""
    return METRICS[name].label if name in METRICS else name.replace("_", " ")


def latency_name(quantile: str, phase: Phase) -> str:
    """The metric of a percentile: `latency_p99_us` under the open load, `saturated_latency_p99_us` under the closed."""
    return f"latency_{quantile}_us" if phase == "open" else f"saturated_latency_{quantile}_us"


def quantile_label(quantile: str) -> str:
    """`p99_9` as p99.9."""
    return quantile.replace("_", ".")


def histogram(text: str) -> Histogram:
    """The histogram of a record."""
    whole = Histogram()
    buckets, counts = _counted(text)
    whole.counts[buckets] = counts
    return whole


@lru_cache(maxsize=8192)
def _counted(text: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The buckets of a record that are not empty, and their counts: a report asks four times, and decoding is slow."""
    counts = Histogram.decode(text).counts
    buckets = counts.nonzero()[0]
    return buckets, counts[buckets]


@lru_cache(maxsize=8192)
def _percentiles(text: str) -> Mapping[float, float | None]:
    """Every percentile of a record by its quantile: a histogram is large, so these are kept and not it."""
    return all_resolved(histogram(text), QUANTILES.values())


def _mean_over_rounds(read: Callable[[SliceRow], float], a: Trial, b: Trial) -> float | None:
    of_b = {row.round: read(row) for row in kept(b)}
    both = [(read(row), of_b.get(row.round, 0.0)) for row in kept(a)]
    logs = [math.log(after / before) for before, after in both if before > 0 and after > 0]
    return math.fsum(logs) / len(logs) if logs else None


def _latency(quantile: str, phase: Phase) -> Metric:
    level = QUANTILES[quantile]
    return Metric(
        name=latency_name(quantile, phase),
        label=f"{quantile_label(quantile)} {'latency' if phase == 'open' else 'latency at saturation'}",
        unit="us",
        read=lambda trial: _percentiles(trial.histogram)[level] if trial.histogram else None,
        phases=(phase,),
        percentile=level,
    )


def _cpu_of_slice(row: SliceRow) -> float:
    good = row.throughput_rps * row.length_s
    return (row.cpu_s or 0.0) / good if good else 0.0


def _services_cpu(trial: Trial) -> float | None:
    """CPU seconds that all services together used for a good answer."""
    good = sum(row.throughput_rps * row.length_s for row in kept(trial))
    used = list(trial.services_cpu_s.values())
    return sum(used) / good if good and used else None


def _per_cpu(trial: Trial) -> float | None:
    return 1 / trial.cpu_s_per_request if trial.cpu_s_per_request else None


def _memory_per_worker(trial: Trial) -> float | None:
    return trial.memory_bytes / trial.cell.workers if trial.memory_bytes is not None else None


def _per_gib(trial: Trial) -> float | None:
    if not trial.memory_bytes or not trial.throughput_rps:
        return None
    return trial.throughput_rps / (trial.memory_bytes / GIB)


def _of_ceiling(trial: Trial) -> float | None:
    return trial.throughput_rps / trial.ceiling_rps if trial.throughput_rps and trial.ceiling_rps else None


THROUGHPUT = Metric(
    name="throughput_rps",
    label="throughput",
    unit="1/s",
    read=lambda trial: trial.throughput_rps,
    read_slice=lambda row: row.throughput_rps,
    higher_is_better=True,
    primary=True,
)
_ALL = (
    THROUGHPUT,
    *(_latency(quantile, "open") for quantile in QUANTILES),
    *(_latency(quantile, "closed") for quantile in QUANTILES),
    Metric(
        name="cpu_s_per_request",
        label="server CPU a request",
        unit="s",
        read=lambda trial: trial.cpu_s_per_request,
        read_slice=_cpu_of_slice,
    ),
    Metric(name="services_cpu_s_per_request", label="services CPU a request", unit="s", read=_services_cpu),
    Metric(
        name="generator_cpu_s_per_request",
        label="generator CPU a request",
        unit="s",
        read=lambda trial: trial.generator_cpu_s_per_request,
    ),
    Metric(name="memory_bytes", label="memory", unit="B", read=lambda trial: trial.memory_bytes),
    Metric(
        name="shared_bytes",
        label="of it shared",
        unit="B",
        read=lambda trial: trial.shared_bytes,
        higher_is_better=True,
        geometric=False,
    ),
    Metric(name="shared_lost_bytes", label="shared no more", unit="B", read=shared_lost, geometric=False),
    Metric(
        name="memory_bytes_per_worker",
        label="memory a worker",
        unit="B",
        read=_memory_per_worker,
    ),
    Metric(
        name="first_answer_s",
        label="time to first answer",
        unit="s",
        read=lambda trial: trial.first_answer_s,
    ),
    Metric(
        name="requests_per_cpu_s",
        label="requests a CPU second",
        unit="1/s",
        read=_per_cpu,
        higher_is_better=True,
        phases=("closed",),
    ),
    Metric(
        name="rps_per_gib",
        label="requests/s a GiB",
        unit="1/s",
        read=_per_gib,
        higher_is_better=True,
        phases=("closed",),
    ),
    Metric(
        name="of_ceiling",
        label="of the ceiling",
        unit="1",
        read=_of_ceiling,
        higher_is_better=True,
        phases=("closed",),
    ),
    Metric(
        name="connections_per_request",
        label="connections a request",
        unit="1",
        read=lambda trial: trial.connections_per_request,
        geometric=False,
    ),
    Metric(
        name="cache_hit_ratio",
        label="cache hit ratio",
        unit="1",
        read=lambda trial: trial.cache_hit_ratio,
        higher_is_better=True,
        geometric=False,
    ),
)
METRICS = {metric.name: metric for metric in _ALL}
"""Every metric by its name, in the order in which reports list what an arm shows."""
COMPARED: Mapping[str, tuple[Phase, ...]] = {
    "throughput_rps": ("closed",),
    "cpu_s_per_request": PHASES,
    "memory_bytes": PHASES,
    **{latency_name(quantile, "open"): ("open",) for quantile in QUANTILES},
    **{latency_name(quantile, "closed"): ("closed",) for quantile in ("p50", "p99")},
}
"""What pairs are compared by, in the order in which a comparison lists it, and under which loads."""
