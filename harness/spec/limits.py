"""Beyond which the load generator does not believe its own numbers."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import ConfigDict

STRICT = ConfigDict(extra="forbid", strict=True)
"""As of the spec, of which it is a part."""


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
