"""A calibration that was never measured."""

from __future__ import annotations

from typing import Any

from harness import calibrate
from harness.record.calibration import Calibration, Timing


def calibration(**changes: Any) -> Calibration:
    """A calibration of this machine with plain figures, and `changes` by name."""
    timing = Timing(p50_us=10.0, p99_us=60.0)
    fields: dict[str, Any] = {
        "seen_rps": 90_000.0,
        "seen_cpu_percent": 90.0,
        "ceiling_rps": 100_000.0,
        "trusted_rps": 85_000.0,
        "fasthttp_rps": 6_000.0,
        "wrk_rps": None,
        "wrk": "missing: apt-get install wrk",
        "floor": timing,
        "floor_blocking": timing,
        "timer": timing,
        "timer_gevent": timing,
        "histogram_error": 0.0005,
    }
    return calibrate.whole(fields | changes)
