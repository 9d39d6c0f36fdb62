"""What cannot be true in a record, by name."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from harness.judge.validity.rules import hits, littles_law
from harness.judge.validity.slices import kept, mean
from harness.record import Latency, Trial
from harness.suite import Thresholds

ROUNDING = 0.01
"""What a histogram's buckets and a record's rounding may do to a figure."""


def impossible(trial: Trial, thresholds: Thresholds, *, upstream_calls: int = 1) -> tuple[str, ...]:
    """What cannot be true in a record, by name; such a record is refused, not shown as invalid.

    What the model itself forbids (a negative CPU time, a share over 1) never gets here: `harness.record` refuses it.
    """
    found = [*_contradictions(trial), *_falling_percentiles(trial)]
    if trial.valid and trial.error is None:
        found += littles_law(trial, thresholds)
        found += hits(trial, thresholds, upstream_calls)
    return tuple(found)


def _contradictions(trial: Trial) -> Iterator[str]:
    if trial.valid and trial.error is not None:
        yield "it is called valid and has an error"
    if trial.valid and trial.error is None and (trial.throughput_rps is None or not kept(trial)):
        yield "it is called valid and has no throughput"
    if trial.valid and trial.reasons:
        yield "it is called valid and has reasons why not"
    if trial.errors > trial.requests:
        yield f"more errors ({trial.errors}) than requests ({trial.requests})"
    for one in trial.slices:
        if one.scheduled is not None and one.done is not None and one.done > one.scheduled:
            yield f"more done ({one.done}) than scheduled ({one.scheduled}) in round {one.round}"
    if sum(trial.worker_shares.values()) > 1 + ROUNDING:
        yield "the workers' shares sum to more than 1"
    slices_rps = mean(kept(trial), lambda one: one.throughput_rps)
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
