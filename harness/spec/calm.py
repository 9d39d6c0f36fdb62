"""When a slice that was disturbed may end."""

from __future__ import annotations

from dataclasses import dataclass

from harness.spec.requests import STRICT


@dataclass(frozen=True, slots=True, kw_only=True)
class Calm:
    """When an open slice that was disturbed may end: most of its arrivals are answered in time again."""

    __pydantic_config__ = STRICT

    after_s: float
    """Not before: seconds since the window opened."""
    limit_us: int
    """An answer that takes longer is late."""
    share: float
    """Of the arrivals due within `for_s`, so many may be late or lost."""
    for_s: float = 1.0
