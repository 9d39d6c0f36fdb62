"""What bound a trial, the analytic ceiling above it, and the known confounds that its record shows."""

from harness.judge.limits.bounds import BUSY, Bound, Limit, bounds, cores, limit, used_cores
from harness.judge.limits.diagnose import diagnoses, stands_still

__all__ = [
    "BUSY",
    "Bound",
    "Limit",
    "bounds",
    "cores",
    "diagnoses",
    "limit",
    "stands_still",
    "used_cores",
]
