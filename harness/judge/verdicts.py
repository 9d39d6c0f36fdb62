"""What a comparison says, as values: `harness.judge.compare` makes them, every report prints them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Verdict = Literal["better", "worse", "equivalent", "inconclusive", "not judged", "invalid", "error", "not resolved"]
"""`not judged`: there is a ratio of runs that say nothing of one another (`Comparison.unjudged`).

The last three say why there is no ratio: no valid trial, a failure, or too few samples for the percentile.
"""

Blame = Literal["candidate", "baseline", "machine", "unclear"]
"""Whose fault it is that a block does not count; the services and the load generator count as the machine."""
GateKind = Literal["regression", "spoiled", "inconclusive", "no verdict"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PairVerdict:
    """One metric of one pair: ratio = b / a, with the 95 % interval over blocks."""

    pair: str
    scenario: str
    factors: dict[str, Any]
    """workers, pooling, cache, connections, load kind, rate_rps, and each side's threads, client, middleware, gc."""
    a: str
    """TARGET on SERVER, with what is each side's own."""
    b: str
    metric: str
    """throughput_rps, cpu_s_per_request, latency_p50_us, latency_p90_us, latency_p95_us, latency_p99_us, ..."""
    primary: bool
    """Throughput is; everything else is exploratory."""
    higher_is_better: bool
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    a_value: float | None = None
    """The metric of each side over the valid blocks, in the metric's unit (geometric mean over blocks)."""
    b_value: float | None = None
    blocks: int = 0
    """Blocks in which both sides are valid."""
    blocks_measured: int = 0
    verdict: Verdict
    reasons: tuple[str, ...] = ()
    """Why there is no ratio, or why blocks are missing from it, each with its remedy."""
    settle: str | None = None
    """For inconclusive: whether only some blocks were valid and mainly why, and what would settle it."""
    a_limit: str | None = None
    b_limit: str | None = None
    a_ceiling: float | None = None
    """Measured over the analytic ceiling."""
    b_ceiling: float | None = None
    phase: Literal["closed", "open"] = "closed"
    null: bool = False
    """An A/A pair."""
    adjusted_p: float | None = None
    """Holm's adjusted p, in what `regressions` returns."""
    standard_error: float | None = None
    """Of the logarithm of the ratio, on `degrees` degrees of freedom."""
    degrees: float | None = None
    caveats: tuple[str, ...] = ()
    """What weakens the verdict without voiding it: an A/A pair that differs, blocks that were not valid."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """What the A/A pairs show: a check of the instrument, not a second margin."""

    metric: str
    low: float
    high: float
    ratio: float
    excludes_one: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """The effect of one factor within an interface, or how it differs between the interfaces."""

    factor: str
    """pooling, cache, client, workers, threads, middleware, gc."""
    low_level: str
    high_level: str
    scenario: str
    where: str
    """wsgi, asgi, or `asgi / wsgi` for the ratio of the two effects."""
    metric: str
    ratio: float
    low: float
    high: float
    blocks: int
    context: str = ""
    """The other factors, in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caveat:
    """Something a reader must know before believing a number, with the remedy in it."""

    text: str
    remedy: str = ""
    pair: str | None = None
    arm: str | None = None
    kind: str = "caveat"
    """caveat, or the name of a diagnosis."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmChange:
    """Between runs: the absolute throughput of one arm. It drifts with the machine, so there is no verdict on it."""

    pair: str
    side: Literal["a", "b"]
    scenario: str
    arm: str
    """TARGET on SERVER, with what is the side's own."""
    before_rps: float
    after_rps: float
    ratio: float


@dataclass(frozen=True, slots=True, kw_only=True)
class GateFinding:
    """Why a gate fails a pair, or could not decide on it."""

    pair: str
    scenario: str
    candidate: str
    """TARGET on SERVER, with what is its side's own."""
    kind: GateKind
    metric: str | None = None
    """None for blocks that the candidate spoiled: they are missing from every metric."""
    blocks: tuple[int, ...] = ()
    """Those that the candidate spoiled."""
    faults: tuple[Blame, ...]
    reasons: tuple[str, ...] = ()
    """What happened in which blocks, each with its remedy; none where the ratio says it."""
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    adjusted_p: float | None = None
    """Of a regression: Holm's adjusted p over all pairs and metrics of the gate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """The decision of `--fail-on-regression`: it passes when nothing failed and nothing is undecided."""

    threshold: float
    metrics: tuple[str, ...]
    allowed_failed_blocks: int
    pairs: tuple[str, ...]
    """The pairs that were judged."""
    failed: tuple[GateFinding, ...]
    undecided: tuple[GateFinding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """All that a run (or two) shows."""

    runs: tuple[str, ...]
    pairs: tuple[PairVerdict, ...]
    noise: tuple[Noise, ...] = ()
    effects: tuple[Effect, ...] = ()
    caveats: tuple[Caveat, ...] = ()
    environment_changes: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Between runs: what differs, before and after."""
    unjudged: str | None = None
    """Between runs: why there are figures and no verdicts, if so."""
    arms: tuple[ArmChange, ...] = ()
    """Between runs: absolute throughputs, without a verdict."""
