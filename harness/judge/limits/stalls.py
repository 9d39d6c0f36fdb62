"""The diagnosis of a server that stands still now and then, under an open load."""

from __future__ import annotations

from collections.abc import Iterator

from harness import units
from harness.judge.limits.evidence import Evidence
from harness.judge.validity import kept
from harness.judge.verdicts import Caveat

LEAST_STALLS, LEAST_STALLED = 4, 0.01
"""Stalls of a trial, and the share of its time in them: from both on the stalls make its p99."""


def stalls(evidence: Evidence) -> Iterator[Caveat]:
    """A server that stands still now and then: requests that arrive meanwhile wait, however little there is to do.

    It is not diagnosed where the server's CPU is used up: then a queue makes the p99; nor where its quota is what stops
    it.
    """
    slices, latency = kept(evidence.trial), evidence.trial.latency_us
    count = sum(slice_.stalls or 0 for slice_ in slices)
    stalled_s, length_s = sum(slice_.stalled_s or 0.0 for slice_ in slices), sum(slice_.length_s for slice_ in slices)
    still = stands_still(count, stalled_s, length_s) and not evidence.cpu_used_up and not evidence.throttled
    if not still or latency is None or latency.p99 is None:
        return
    yield Caveat(
        kind="stalls",
        text=(
            f"it stands still: {count / length_s:.1f} times a second nothing was answered for "
            f"{units.seconds(stalled_s / count)}, while {units.rps(evidence.trial.load.rate_rps)} came in and "
            f"{units.percent(evidence.server_cpu)} of the server's CPU was used; its p99 of "
            f"{units.duration_us(latency.p99)} is made of that"
        ),
        remedy=(
            "look for what stops all requests at once: in Python a full garbage collection (the factor "
            '`gc = "freeze"` shows what `gc.freeze()` after loading would save), a blocking call, a log that is flushed'
        ),
    )


def stands_still(count: int, stalled_s: float, length_s: float) -> bool:
    """Whether `count` stalls of together `stalled_s` seconds within `length_s` seconds make the p99."""
    return count >= LEAST_STALLS and stalled_s >= LEAST_STALLED * length_s
