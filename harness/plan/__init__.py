"""(definitions, filters, seed) -> groups, blocks, rounds; pure."""

from harness.plan.estimate import block_seconds, expected_response_s, needs_redis, needs_upstream, seconds
from harness.plan.layout import Options, build, cell, matches, rounds
from harness.plan.model import ANYIO_THREADS, Arm, Group, Pair, Plan, slots

__all__ = [
    "ANYIO_THREADS",
    "Arm",
    "Group",
    "Options",
    "Pair",
    "Plan",
    "block_seconds",
    "build",
    "cell",
    "expected_response_s",
    "matches",
    "needs_redis",
    "needs_upstream",
    "rounds",
    "seconds",
    "slots",
]
