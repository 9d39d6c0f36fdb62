"""What was asked of a service, and the records: each block under the rate, and what it showed of its candidates."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.errors import UsageError
from harness.judge.slo import Slo
from harness.strict import STRICT
from harness.tune.candidates import LEAST_POOL, MOST_POOL, SPARE, USUAL_POOL, Candidate, Service
from harness.tune.trials import RateTrial

HEADROOM = 0.3
"""What is offered beyond the rate that was asked for, as a share of it, unless stated."""
LEAST_S, SLACKS, SLACKS_S, LONGEST_S = 3.0, 10.0, 10.0, 30.0
"""A slice lasts so long at least; so many time limits, for an overload by a tenth to show as lateness, but not longer
than that; and at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A rate to hold, of a service that is known from one worker under one connection."""

    __pydantic_config__ = STRICT

    service: Service
    rate_rps: float
    headroom: float
    connections: int
    """Over which the rate is offered, the same for all candidates."""
    slice_s: float
    """How long a candidate is offered the rate in a block."""

    @property
    def offered_rps(self) -> float:
        """The rate with its headroom: what candidates must hold."""
        return with_headroom(self.rate_rps, self.headroom)

    @property
    def slots(self) -> float:
        """Requests in hand at once at that rate when a response takes as long as unloaded (J. D. C. Little, 1961)."""
        return self.offered_rps * self.service.unloaded_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """What a candidate made of the rate in one block."""

    __pydantic_config__ = STRICT

    candidate: Candidate
    trial: RateTrial
    throughput_rps: float | None = None
    """Good answers a second; None where there is no trial."""
    memory_bytes: int | None = None
    shared_bytes: int | None = None
    shared_lost_bytes: int | None = None
    first_answer_s: float | None = None
    """The last three as in `harness.tune.blocks.Measured`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RateBlock:
    """All candidates of a block, launched side by side and offered the same arrivals one after the other."""

    __pydantic_config__ = STRICT

    offered: tuple[Offered, ...]
    took_s: float


def with_headroom(rate_rps: float, headroom: float) -> float:
    """The rate that is offered."""
    return rate_rps * (1 + headroom)


def asked_of(service: Service, slo: Slo, rate_rps: float, headroom: float) -> Asked:
    """The question, once the service is known."""
    offered_rps = with_headroom(rate_rps, headroom)
    longest_s = max(slo.slack_s, service.unloaded_s)
    pool = max(LEAST_POOL, min(USUAL_POOL, 4 * offered_rps * service.unloaded_s), SPARE * offered_rps * longest_s)
    return Asked(
        service=service,
        rate_rps=rate_rps,
        headroom=headroom,
        connections=math.ceil(min(MOST_POOL, pool)),
        slice_s=slice_s(slo, offered_rps),
    )


def slice_s(slo: Slo, offered_rps: float) -> float:
    """How long a slice must last to resolve the objectives; raises `UsageError` where that is too long."""
    resolved_s = slo.arrivals_needed / offered_rps
    if resolved_s > LONGEST_S:
        raise UsageError(
            f"--rate: {slo.text} needs {slo.arrivals_needed} arrivals in a slice, which take {resolved_s:.0f} s at "
            f"{offered_rps:.3g}/s: state a lower percentile, such as p90, or a larger share of errors"
        )
    return max(LEAST_S, min(SLACKS * slo.slack_s, SLACKS_S), resolved_s)


def each(blocks: Sequence[RateBlock]) -> Iterator[Offered]:
    """What every block showed of every candidate."""
    return (offered for block in blocks for offered in block.offered)
