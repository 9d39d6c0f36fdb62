"""Which percentiles are reported, and how many samples each of them needs."""

from __future__ import annotations

from collections.abc import Collection

from harness.spec.histogram import Histogram

QUANTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p99_9": 0.999}
"""Name in records -> share of the samples at or below it."""
SAMPLES_BEYOND = 10
"""A percentile is resolved when at least this many samples lie beyond it."""
_ROUNDING = 1e-9
"""1 - 0.999 is a little less than 0.001: without this, p99.9 of exactly 10,000 samples would not be resolved."""


def samples_needed(quantile: float) -> int:
    """The fewest samples that resolve `quantile` (0 to 1): 10 / (1 - quantile)."""
    return round(SAMPLES_BEYOND / (1 - quantile))


def is_resolved(samples: int, quantile: float) -> bool:
    """Whether `samples` are enough for `quantile` (0 to 1)."""
    return samples * (1 - quantile) >= SAMPLES_BEYOND - _ROUNDING


def resolved(histogram: Histogram, quantile: float) -> float | None:
    """The value in microseconds at `quantile` (0 to 1); None where too few samples lie beyond it."""
    return all_resolved(histogram, [quantile])[quantile]


def all_resolved(histogram: Histogram, quantiles: Collection[float]) -> dict[float, float | None]:
    """What `resolved` says of each of `quantiles`."""
    count = histogram.count
    reached = [quantile for quantile in quantiles if is_resolved(count, quantile)]
    values = histogram.percentiles([quantile * 100 for quantile in reached])
    return dict.fromkeys(quantiles) | dict(zip(reached, values, strict=True))
