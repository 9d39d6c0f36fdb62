"""What is reported of an arm: each metric's name, unit, text form and how a trial shows it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from harness import units
from harness.judge.compare.metrics import histogram
from harness.judge.validity import kept
from harness.record import Trial
from harness.spec.percentiles import QUANTILES, resolved

Read = Callable[[Trial], float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A quantity of a trial; `read` gives None where the trial does not show it."""

    name: str
    label: str
    unit: str
    text: Callable[[float | None], str]
    read: Read
    logarithmic: bool = True
    """Averaged over blocks as a geometric mean; otherwise arithmetically (shares, which may be zero)."""
    phase: str | None = None
    """The only phase in which it means anything; None: either."""
    quantile: float | None = None


def latency_name(quantile: str, phase: str) -> str:
    """The metric of a percentile: what is measured at saturation says so in its name."""
    return f"latency_{quantile}_us" if phase == "open" else f"saturated_latency_{quantile}_us"


def quantile_label(quantile: str) -> str:
    """`p99_9` as p99.9."""
    return quantile.replace("_", ".")


def _latency(quantile: str, phase: str) -> Metric:
    level = QUANTILES[quantile]
    return Metric(
        name=latency_name(quantile, phase),
        label=f"{quantile_label(quantile)} {'latency' if phase == 'open' else 'latency at saturation'}",
        unit="us",
        text=units.duration_us,
        read=lambda trial: resolved(histogram(trial.histogram), level) if trial.histogram else None,
        phase=phase,
        quantile=level,
    )


def services_cpu(trial: Trial, service: str | None = None) -> float | None:
    """CPU seconds that a service (or all of them) used for a good answer."""
    good = sum(one.throughput_rps * one.length_s for one in kept(trial))
    used = [seconds for name, seconds in trial.services_cpu_s.items() if service in (None, name)]
    return sum(used) / good if good and used else None


def _per_cpu(trial: Trial) -> float | None:
    return 1 / trial.cpu_s_per_request if trial.cpu_s_per_request else None


def _per_gib(trial: Trial) -> float | None:
    if not trial.memory_bytes or not trial.throughput_rps:
        return None
    return trial.throughput_rps / (trial.memory_bytes / units.GIB)


def _of_ceiling(trial: Trial) -> float | None:
    return trial.throughput_rps / trial.ceiling_rps if trial.throughput_rps and trial.ceiling_rps else None


_ALL = (
    Metric(name="throughput_rps", label="throughput", unit="1/s", text=units.rps, read=lambda t: t.throughput_rps),
    *(_latency(name, "open") for name in QUANTILES),
    *(_latency(name, "closed") for name in QUANTILES),
    Metric(
        name="cpu_s_per_request",
        label="server CPU a request",
        unit="s",
        text=units.seconds,
        read=lambda t: t.cpu_s_per_request,
    ),
    Metric(
        name="services_cpu_s_per_request",
        label="services CPU a request",
        unit="s",
        text=units.seconds,
        read=services_cpu,
    ),
    Metric(
        name="generator_cpu_s_per_request",
        label="generator CPU a request",
        unit="s",
        text=units.seconds,
        read=lambda t: t.generator_cpu_s_per_request,
    ),
    Metric(name="memory_bytes", label="memory", unit="B", text=units.bytes_, read=lambda t: t.memory_bytes),
    Metric(
        name="requests_per_cpu_s",
        label="requests a CPU second",
        unit="1/s",
        text=units.number,
        read=_per_cpu,
        phase="closed",
    ),
    Metric(name="rps_per_gib", label="requests/s a GiB", unit="1/s", text=units.number, read=_per_gib, phase="closed"),
    Metric(name="of_ceiling", label="of the ceiling", unit="1", text=units.percent, read=_of_ceiling, phase="closed"),
    Metric(
        name="connections_per_request",
        label="connections a request",
        unit="1",
        text=units.number,
        read=lambda t: t.connections_per_request,
        logarithmic=False,
    ),
    Metric(
        name="cache_hit_ratio",
        label="cache hit ratio",
        unit="1",
        text=units.percent,
        read=lambda t: t.cache_hit_ratio,
        logarithmic=False,
    ),
)
METRICS = {metric.name: metric for metric in _ALL}


TUNED: dict[str, Callable[[float | None], str]] = {"share_of_picks": units.percent, "capacity_rps": units.rps}
"""What only a tuning has."""


def label(name: str) -> str:
    """A metric in words."""
    return METRICS[name].label if name in METRICS else name.replace("_", " ")


def form(name: str) -> Callable[[float | None], str]:
    """How a metric's values are written."""
    return METRICS[name].text if name in METRICS else TUNED[name]
