"""What a trial says to a tuning: of its candidate, of its launch, and of its arrivals; pure."""

from __future__ import annotations

from typing import Any

from harness.judge.memory import shared_lost
from harness.judge.slo import Tally
from harness.judge.validity import kept
from harness.record import Trial
from harness.spec.histogram import Histogram
from harness.tune.blocks import Measured
from harness.tune.candidates import Candidate


def measured(candidate: Candidate, trial: Trial | None) -> Measured:
    """What its trial says of a candidate; where there is no trial that may be used, why."""
    if trial is None or not trial.valid or not trial.throughput_rps:
        why = "nothing was counted" if trial is None else trial.error or "; ".join(trial.reasons) or "no good answer"
        known = of_launch(trial) if trial else {}
        return Measured(candidate=candidate, error=why, memory_bytes=trial.memory_bytes if trial else None, **known)
    histogram = histogram_of(trial)
    return Measured(
        candidate=candidate,
        throughput_rps=trial.throughput_rps,
        requests=histogram.count,
        p99_us=histogram.percentile(99) if histogram.count else None,
        memory_bytes=trial.memory_bytes,
        **of_launch(trial),
        limit=trial.limit,
        ceiling_rps=trial.ceiling_rps,
        cpu_s_per_request=trial.cpu_s_per_request,
        worker_shares=tuple(sorted(trial.worker_shares.values(), reverse=True)),
    )


def of_launch(trial: Trial) -> dict[str, Any]:
    """What its trial says of how it started, and of the memory that its processes share."""
    return {
        "first_answer_s": trial.first_answer_s,
        "shared_bytes": trial.shared_bytes,
        "shared_lost_bytes": shared_lost(trial),
    }


def tally(trial: Trial) -> Tally:
    """What became of the arrivals of a trial; under closed load every request is one."""
    counts = [row.scheduled for row in kept(trial) if row.scheduled is not None]
    scheduled = sum(counts) if counts else None
    return Tally(
        arrivals=trial.requests if scheduled is None else scheduled,
        errors=trial.errors,
        unsent=trial.dropped,
        response_us=histogram_of(trial),
    )


def histogram_of(trial: Trial) -> Histogram:
    """The response times of a trial; empty where it has none."""
    return Histogram.decode(trial.histogram) if trial.histogram else Histogram()
