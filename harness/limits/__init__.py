"""What bound a trial, the analytic ceiling above it, and the known confounds that its record shows."""

from harness.limits.bounds import ANYIO_THREADS, BUSY, Bound, Limit, bounds, cores, cores_used, limit, slots
from harness.limits.diagnose import diagnoses

__all__ = [
    "ANYIO_THREADS",
    "BUSY",
    "Bound",
    "Limit",
    "bounds",
    "cores",
    "cores_used",
    "diagnoses",
    "limit",
    "slots",
]
