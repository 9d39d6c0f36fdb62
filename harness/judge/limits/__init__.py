"""What bound a trial, in words too, the analytic ceiling above it, and the known confounds that its record shows."""

from harness.judge.limits.bounds import BUSY, Bound, Limit, bounds, cores, limit, used_cores
from harness.judge.limits.diagnose import diagnoses
from harness.judge.limits.stalls import stands_still
from harness.judge.limits.words import arm_bound_by, bound_by

__all__ = [
    "BUSY",
    "Bound",
    "Limit",
    "arm_bound_by",
    "bound_by",
    "bounds",
    "cores",
    "diagnoses",
    "limit",
    "stands_still",
    "used_cores",
]
