"""Whether a trial may be used, and what cannot be true in a record."""

from __future__ import annotations

from collections.abc import Sequence

from harness.judge.validity.faults import Cause, causes
from harness.judge.validity.generator import generator_cpu, generator_waiting
from harness.judge.validity.records import impossible
from harness.judge.validity.rules import BROKEN_BY_OVERLOAD, RULES, Rule, hits
from harness.judge.validity.slices import disturbed, kept, left_out, mean
from harness.record import Trial
from harness.suite import Thresholds

__all__ = [
    "RULES",
    "Cause",
    "Rule",
    "causes",
    "disturbed",
    "generator_cpu",
    "generator_waiting",
    "impossible",
    "judge",
    "kept",
    "left_out",
    "mean",
]


def judge(
    trial: Trial,
    thresholds: Thresholds,
    *,
    upstream_calls: int = 1,
    seen: Sequence[str] = (),
    overload: bool = False,
) -> tuple[str, ...]:
    """Why `trial` may not be used, each reason with its remedy; nothing when it may.

    `upstream_calls` is how often an uncached answer calls the upstream. `seen` are reasons that no record shows: a
    worker that restarted, a wrong answer after the load. `overload` says that the load may be more than the server
    holds; then what an overload does by itself is no reason.
    """
    if trial.error is not None:
        return (f"failed: {trial.error}",)
    reasons = [*seen]
    for rule in RULES:
        if not (overload and rule in BROKEN_BY_OVERLOAD):
            reasons += rule(trial, thresholds)
    reasons += hits(trial, thresholds, upstream_calls)
    return tuple(reasons)
