"""What the slices of an arm show of its pod, as keys of a record; pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from harness.trial.observe import Observation


def of_quota(observations: Iterable[Observation]) -> dict[str, Any]:
    """What the quota of a pod counted; nothing outside of one."""
    spent = [each.pod for each in observations if each.pod is not None]
    if not spent:
        return {}
    return {
        "nr_periods": sum(each.periods for each in spent),
        "nr_throttled": sum(each.throttled for each in spent),
        "throttled_s": sum(each.throttled_s for each in spent),
    }


def of_limit(observations: Iterable[Observation]) -> dict[str, Any]:
    """What the memory limit of a pod shows; nothing outside of one."""
    spent = [each.pod for each in observations if each.pod is not None]
    if not spent:
        return {}
    peaks = [each.peak_bytes for each in spent if each.peak_bytes is not None]
    return {"peak_memory_bytes": max(peaks, default=None), "oom_kills": max(each.oom_kills for each in spent)}
