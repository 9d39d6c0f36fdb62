"""Rules about the load generator: it must not be what is measured."""

from __future__ import annotations

import math
from collections.abc import Iterator

from harness.judge.validity.words import percent
from harness.record import Latency, Trial
from harness.suite import Thresholds


def generator_cpu(trial: Trial, thresholds: Thresholds) -> Iterator[str]:
    """The generator had CPU to spare."""
    check = trial.generator
    if check is not None and check.cpu_percent > thresholds.generator_cpu_percent:
        yield (
            f"the load generator was saturated: {check.cpu_percent:.0f} % of a core, at most "
            f"{thresholds.generator_cpu_percent:.0f} % allowed: what was measured is the generator; "
            "give the server fewer CPUs (--server-cpus), or share the load (--generators)"
        )


def generator_waiting(trial: Trial, thresholds: Thresholds) -> Iterator[str]:
    """The generator hardly ever waited for a CPU while it had something to do."""
    check = trial.generator
    if check is not None and check.waiting_fraction > thresholds.generator_waiting:
        yield (
            f"the load generator waited for a CPU {percent(check.waiting_fraction)} of the time, at most "
            f"{percent(thresholds.generator_waiting)} allowed: leave its CPU to it alone, or use a quieter machine"
        )


def lateness(trial: Trial, thresholds: Thresholds) -> Iterator[str]:
    """Open: requests were sent when they were due, or so little later that it hardly shows in the response times."""
    name, late_us, response_us = _highest_resolved(trial.lateness_us, trial.latency_us)
    if late_us > thresholds.lateness_p99_us and late_us > thresholds.lateness_of_response * response_us:
        yield (
            f"the load generator was late: lateness {name} {late_us / 1e3:.2f} ms, which is over "
            f"{thresholds.lateness_p99_us / 1e3:.2f} ms and over {percent(thresholds.lateness_of_response)} of the "
            f"response {name} of {response_us / 1e3:.2f} ms: lower the rate, or leave the generator's CPU to it alone"
        )


def _highest_resolved(late: Latency | None, response: Latency | None) -> tuple[str, float, float]:
    """The highest percentile, up to p99, that the samples of both reach, and both values of it."""
    for name in ("p99", "p95", "p90", "p50"):
        values = getattr(late, name, None), getattr(response, name, None)
        if values[0] is not None and values[1] is not None:
            return name, values[0], values[1]
    return "p50", 0.0, math.inf
