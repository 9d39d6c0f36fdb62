"""What is reported of an arm: each metric's name, unit, text form and how a trial shows it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness import units

if TYPE_CHECKING:
    from harness.record import Trial

PERCENTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p99_9": 0.999}


@dataclass(frozen=True, slots=True)
class Metric:
    """A quantity of a trial; `read` gives None where the trial does not show it."""

    name: str
    label: str
    unit: str
    text: Callable[[float | None], str]
    read: Callable[[Trial], float | None]
    logarithmic: bool = True
    """Averaged over blocks as a geometric mean; otherwise arithmetically (shares, which may be zero)."""
    phases: tuple[str, ...] = ("closed", "open")


def _latency(quantile: str) -> Callable[[Trial], float | None]:
    def read(trial: Trial) -> float | None:
        value: float | None = getattr(trial.latency_us, quantile) if trial.latency_us else None
        return value

    return read


def _services(trial: Trial) -> float | None:
    good = sum(row.requests - row.errors for row in trial.slices)
    return sum(trial.services_cpu_s.values()) / good if good and trial.services_cpu_s else None


def _per_cpu(trial: Trial) -> float | None:
    return 1 / trial.cpu_s_per_request if trial.cpu_s_per_request else None


def _per_gib(trial: Trial) -> float | None:
    if not trial.memory_bytes or not trial.throughput_rps:
        return None
    return trial.throughput_rps / (trial.memory_bytes / units.GIB)


def _of_ceiling(trial: Trial) -> float | None:
    return trial.throughput_rps / trial.ceiling_rps if trial.throughput_rps and trial.ceiling_rps else None


def quantile_label(quantile: str) -> str:
    """`p99_9` as p99.9."""
    return quantile.replace("_", ".")


CLOSED = ("closed",)
METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("throughput_rps", "throughput", "1/s", units.rps, lambda t: t.throughput_rps),
        *(
            Metric(
                f"latency_{name}_us", f"{quantile_label(name)} latency", "us", units.duration_us, _latency(name)
            )
            for name in PERCENTILES
        ),
        Metric("cpu_s_per_request", "server CPU a request", "s", units.seconds, lambda t: t.cpu_s_per_request),
        Metric(
            "generator_cpu_s_per_request",
            "generator CPU a request",
            "s",
            units.seconds,
            lambda t: t.generator_cpu_s_per_request,
        ),
        Metric("services_cpu_s_per_request", "services CPU a request", "s", units.seconds, _services),
        Metric("memory_bytes", "memory", "B", units.bytes_, lambda t: t.memory_bytes),
        Metric("requests_per_cpu_s", "requests a CPU second", "1/s", units.number, _per_cpu, phases=CLOSED),
        Metric("rps_per_gib", "requests/s a GiB", "1/s", units.number, _per_gib, phases=CLOSED),
        Metric("of_ceiling", "of the ceiling", "1", units.percent, _of_ceiling, phases=CLOSED),
        Metric(
            "connections_per_request",
            "connections a request",
            "1",
            units.number,
            lambda t: t.connections_per_request,
            logarithmic=False,
        ),
        Metric(
            "cache_hit_ratio", "cache hit ratio", "1", units.percent, lambda t: t.cache_hit_ratio, logarithmic=False
        ),
    )
}
