"""How a load generator is judged, and what it says of itself for each slice."""

from __future__ import annotations

from dataclasses import dataclass

from harness.spec.requests import STRICT


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratorLimits:
    """Beyond these the generator is too slow for its numbers to be believed."""

    __pydantic_config__ = STRICT

    cpu_percent: float = 85.0
    """CPU that it uses, as a percentage of one core over any 250 ms."""
    waiting_fraction: float = 0.05
    """Share of the time in which it could run but had no CPU."""
    lateness_p99_us: float = 1000.0
    """Open: the p99 of lateness is too high when it exceeds this, and ..."""
    lateness_of_response: float = 0.25
    """... this share of the p99 of the response time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceCheck:
    """The generator's judgement of itself over one slice's counted window."""

    __pydantic_config__ = STRICT

    cpu_percent: float
    """The most CPU that it used over 250 ms, as a percentage of one core."""
    waiting_fraction: float
    """Share of the window in which it could run but had no CPU (`/proc/PID/schedstat`)."""
    gc_pause_s: float = 0.0
    cpu_s: float = 0.0
    """All the CPU that it used in the window, in seconds."""
    valid: bool = True
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceShare:
    """What one of several generators had of a slice."""

    __pydantic_config__ = STRICT

    generator: int
    """Its number, from 1 on."""
    connections: int
    requests: int
    cpu_percent: float
    waiting_fraction: float
    cpu_s: float = 0.0
    """CPU seconds in the window."""
    lateness_p99_us: float | None = None
    """Open: of the arrivals that it took."""
    clock_offset_us: float = 0.0
    """Its monotonic clock minus the master's; 0 where they are one."""
    clock_bound_us: float = 0.0
    """How far the offset may be wrong: half the least round trip."""
