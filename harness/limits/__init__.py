"""What bound a trial, the analytic ceiling above it, and the known confounds that its record shows."""

from harness.limits.bounds import ANYIO_THREADS, BUSY, Bound, Limit, bounds, cores, limit, slots, used_cores
from harness.limits.diagnose import diagnoses

__all__ = [
    "ANYIO_THREADS",
    "BUSY",
    "Bound",
    "Limit",
    "bounds",
    "cores",
    "diagnoses",
    "limit",
    "slots",
    "used_cores",
]
