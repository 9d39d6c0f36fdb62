"""A load: what a trial is driven by. One value from the suite to the record.

Closed: each of a number of connections sends its next request when the last answer is in; this shows capacity. Open:
requests arrive at a rate, whatever the server does; this shows what users feel. Where the two differ, the difference is
a property or a method here, so that no other module needs to ask which of them a load is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Literal, Protocol

from pydantic import AfterValidator, ConfigDict, Field

from harness.spec import arrivals as laws

STRICT = ConfigDict(extra="forbid")
Phase = Literal["closed", "open"]
"""A phase is one load on all arms of a block; it is called like the kind of that load."""
PHASES: tuple[Phase, ...] = ("closed", "open")
"""In the order in which they are measured."""
WhenFull = Literal["queue", "drop"]
"""What becomes of an arrival that finds no free connection. It waits, and its wait is latency; or it is dropped, and
counted."""
Arrivals = Annotated[str, AfterValidator(laws.checked)]
"""An arrival law in text, see `harness.spec.arrivals`."""
Connections = Annotated[int, Field(ge=1)]
Rate = Annotated[float, Field(gt=0, allow_inf_nan=False)]

RESPONSES_A_SLICE = 5
"""Response times that a closed slice lasts at least, so that its edges are a small part of it."""
LONGEST_BY_RESPONSE_S = 30.0
"""Response times lengthen a closed slice up to this; a slice for which a suite asks may be longer."""
WARM_UP_S = 0.5
"""Least length of the uncounted load before the first slice of a block."""


class Slicing(Protocol):
    """What a plan says of slices."""

    @property
    def rounds(self) -> int:
        """Closed slices of each arm in a block."""

    @property
    def slice_s(self) -> float:
        """Least length of a closed slice in seconds."""

    @property
    def open_slice_s(self) -> float:
        """Length of an open slice in seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """A number of connections that send back to back."""

    __pydantic_config__ = STRICT

    kind: Literal["closed"] = "closed"
    connections: Connections
    response_s: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    """Response time in seconds by which slices were sized; None: not known yet."""

    warm_up_s = WARM_UP_S
    more_samples = "a longer slice (slice_s)"
    unplanned = "there is no throughput to compare"
    shows_capacity = True
    rate_rps = None
    arrivals = None
    when_full = None

    @property
    def can_be_offered(self) -> bool:
        """Whether nothing is missing of it: a closed load offers what the server takes."""
        return True

    def rounds(self, slicing: Slicing) -> int:
        """Slices of an arm in a block."""
        return slicing.rounds

    def least_slice_s(self, slicing: Slicing) -> float:
        """Least length of a slice in seconds."""
        return slicing.slice_s

    def length_s(self, least_s: float, response_s: float) -> float:
        """Length of a slice in seconds, when a response takes `response_s`."""
        return max(least_s, min(RESPONSES_A_SLICE * response_s, LONGEST_BY_RESPONSE_S))

    def sized_by(self, response_s: float | None) -> Closed:
        """The same load, with the response time by which its slices are sized."""
        return replace(self, response_s=response_s)

    def offering(self, rate_rps: float | None) -> Closed:  # noqa: ARG002 - a closed load has no rate
        """The same load: it offers as much as the server takes."""
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """Arrivals at a rate, handed to a pool of connections."""

    __pydantic_config__ = STRICT

    kind: Literal["open"] = "open"
    connections: Connections
    """Size of the pool."""
    rate_rps: Rate | None = None
    """Arrivals a second. None in a plan: derived from the capacity that the first block of the run shows."""
    arrivals: Arrivals = "poisson"
    when_full: WhenFull = "queue"

    warm_up_s = 0.0
    more_samples = "a longer slice (open_slice_s) or a higher rate"
    unplanned = "there are no latencies at equal rates"
    shows_capacity = False
    response_s = None

    @property
    def can_be_offered(self) -> bool:
        """Whether nothing is missing of it: its rate is known."""
        return self.rate_rps is not None

    def rounds(self, slicing: Slicing) -> int:  # noqa: ARG002 - one long slice, so that percentiles have their samples
        """Slices of an arm in a block."""
        return 1

    def least_slice_s(self, slicing: Slicing) -> float:
        """Length of a slice in seconds."""
        return slicing.open_slice_s

    def length_s(self, least_s: float, response_s: float) -> float:  # noqa: ARG002 - arrivals come whatever it takes
        """Length of a slice in seconds: the length that was asked for."""
        return least_s

    def sized_by(self, response_s: float | None) -> Open:  # noqa: ARG002 - its slices have a fixed length
        """The same load: response times do not size its slices."""
        return self

    def offering(self, rate_rps: float | None) -> Open:
        """The same load at that rate."""
        return replace(self, rate_rps=rate_rps)

    @property
    def law(self) -> laws.Law:
        """Its arrival law."""
        return laws.law(self.arrivals)


Load = Annotated[Closed | Open, Field(discriminator="kind")]
LOADS: dict[Phase, type[Closed | Open]] = {"closed": Closed, "open": Open}
"""The kinds of load by their phase. Each says what gives a percentile more samples (`more_samples`), what a report
lacks without it (`unplanned`), and whether its throughput is the server's capacity (`shows_capacity`)."""
