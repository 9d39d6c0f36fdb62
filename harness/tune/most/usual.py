"""The objective that is taken where none is given; pure."""

from __future__ import annotations

import math

from harness.judge.slo import Slo, parse
from harness.tune.candidates import Service

USUAL_MS, TIMES, ROUND_MS = 100, 4, 10
"""A response may take so long, or so many times as long as unloaded, in steps of so much."""
LONG_S = 10.0
"""Seconds that the arrivals of a slice may take for an objective to be taken: a lower percentile needs fewer."""


def usual(service: Service) -> Slo | None:
    """`p99<100ms`, with four unloaded responses as the limit where those take longer.

    It is p90 where the service is too slow for the thousand arrivals that p99 needs, and None where it is for that too.
    """
    unloaded_ms = TIMES * service.unloaded_s * 1000
    limit_ms = max(USUAL_MS, ROUND_MS * math.ceil(unloaded_ms / ROUND_MS - 1e-9))
    for percentile in ("p99", "p90"):
        slo = parse(f"{percentile}<{limit_ms}ms")
        if slo.arrivals_needed * service.cpu_s_per_request <= LONG_S * service.cpus:
            return slo
    return None
