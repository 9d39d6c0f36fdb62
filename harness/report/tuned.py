"""What tune found, as a run's folder holds it."""

from __future__ import annotations

from pathlib import Path

from harness.report.rows import of_candidate, of_capacity
from harness.report.values import Value
from harness.tune.recommendation import FILE, Recommendation, load

METRICS = ("throughput_rps", "of_best", "saturated_latency_p99_us", "memory_bytes", "share_of_picks")
"""Of a candidate."""


def tuned(folder: Path) -> Recommendation | None:
    """The answer of a tuning; None of any other run. Raises `RecordError` when it cannot be read."""
    path = folder / FILE
    return load(path.read_bytes(), str(path)) if path.is_file() else None


def tuned_values(answer: Recommendation) -> list[Value]:
    """Every number of it, as rows of summary.csv."""
    found = [of_candidate(row, metric, answer) for row in answer.candidates for metric in METRICS]
    found += [of_capacity(answer, end) for end in ("low", "high")] if answer.capacity_rps else []
    return [value for value in found if value.value is not None or value.metric == "throughput_rps"]
