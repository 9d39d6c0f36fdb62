"""What a gate asks of the candidates; the command line makes it, `harness.judge.compare.gate` answers it."""

from __future__ import annotations

from dataclasses import dataclass

THROUGHPUT = "throughput_rps"
GATED = {
    "throughput": THROUGHPUT,
    "p99": "latency_p99_us",
    "cpu": "cpu_s_per_request",
    "memory": "memory_bytes",
}
"""What may be gated: its short name, and the metric."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Demands:
    """What a gate asks of the candidates."""

    threshold: float
    """By how much a candidate may be worse, as a share."""
    metrics: tuple[str, ...] = (THROUGHPUT,)
    allow_failed_blocks: int = 0
    """How many blocks, of all pairs together, the candidates may spoil."""
    fail_on_inconclusive: bool = False
    """Whether a regression that the interval does not exclude fails too."""
