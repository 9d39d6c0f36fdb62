"""What cannot be true in a record, by name."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from harness.judge.validity.rules import hits
from harness.judge.validity.slices import kept, mean
from harness.judge.validity.steadiness import littles_law
from harness.record import Latency, Trial
from harness.suite import Thresholds

ROUNDING = 0.01
"""Share by which a histogram's buckets and a record's rounding may change a figure."""


def impossible(trial: Trial, thresholds: Thresholds, *, upstream_calls: int = 1) -> tuple[str, ...]:
    """What cannot be true in a record, by name; such a record is refused, not shown as invalid.

    What the model itself forbids (a negative CPU time, a share over 1) never gets here: `harness.record` refuses it.
    """
    contradictions = [*_validity(trial), *_counts(trial), *_throughput(trial), *_falling_percentiles(trial)]
    if trial.valid and trial.error is None:
        contradictions += littles_law(trial, thresholds)
        contradictions += hits(trial, thresholds, upstream_calls)
    return tuple(contradictions)


def _validity(trial: Trial) -> Iterator[str]:
    if not trial.valid:
        return
    if trial.error is not None:
        yield "it is called valid and has an error"
    elif trial.throughput_rps is None or not kept(trial):
        yield "it is called valid and has no throughput"
    if trial.reasons:
        yield "it is called valid and has reasons why not"


def _counts(trial: Trial) -> Iterator[str]:
    if trial.errors > trial.requests:
        yield f"more errors ({trial.errors}) than requests ({trial.requests})"
    for slice_ in trial.slices:
        if slice_.throughput_rps and not slice_.length_s:
            yield f"answers in round {slice_.round}, which has no length"
        if slice_.scheduled is not None and slice_.done is not None and slice_.done > slice_.scheduled:
            yield f"more done ({slice_.done}) than scheduled ({slice_.scheduled}) in round {slice_.round}"
    parts = [(row.requests, row.errors) for row in trial.by_request]
    if parts and (trial.requests, trial.errors) != tuple(map(sum, zip(*parts, strict=True))):
        yield "its requests, each by itself, do not add up to all of them"
    if sum(trial.worker_shares.values()) > 1 + ROUNDING:
        yield "the workers' shares sum to more than 1"


def _throughput(trial: Trial) -> Iterator[str]:
    slices_rps = mean(kept(trial), lambda slice_: slice_.throughput_rps)
    if trial.throughput_rps is not None and abs(trial.throughput_rps - slices_rps) > ROUNDING * slices_rps:
        yield f"throughput {trial.throughput_rps:.1f}/s, but its slices show {slices_rps:.1f}/s"


def _falling_percentiles(trial: Trial) -> Iterator[str]:
    for field in ("latency_us", "service_us", "lateness_us"):
        shown: Latency | None = getattr(trial, field)
        if shown is None:
            continue
        names = [name for name in ("p50", "p90", "p95", "p99", "p99_9", "max") if getattr(shown, name) is not None]
        for lower, higher in combinations(names, 2):
            if getattr(shown, higher) < getattr(shown, lower) * (1 - ROUNDING):
                yield f"{field}: {higher} ({getattr(shown, higher):.0f}) below {lower} ({getattr(shown, lower):.0f})"
                break
