"""What harness/ tells the helper that holds requests, and what that answers: a line of JSON each."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from harness.spec import STRICT, Request

How = Literal["whole", "slow-headers", "slow-read", "now-and-then"]
"""How a client sends and reads: as fast as it can, and again when it is answered; its request a byte at a time, so that
it never comes to its end; the answer a few bytes at a time; or as fast as it can, and again at its next time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """What `python -P -m loadtests.held` holds: so many requests, each on a connection of its own, renewed when over.

    It gets this as a line on its standard input, prints `ready`, then awaits a line with a :class:`Between`, and prints
    a :class:`HeldLog` when that is over.
    """

    __pydantic_config__ = STRICT

    host: str
    port: int
    request: Request
    count: int
    how: How = "whole"
    every_s: float = 1.0
    """Between two requests of one client, from sent to sent, where they come now and then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Between:
    """Two moments of CLOCK_MONOTONIC, between which a disturbance lasts."""

    __pydantic_config__ = STRICT

    start_ns: int
    end_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldLog:
    """What was held, and when."""

    __pydantic_config__ = STRICT

    changes: tuple[tuple[int, int, int], ...] = ()
    """At each change: when, how many requests were sent and not answered to the end, and how many of those had begun
    to be answered."""
    answers: int = 0
    """Whole answers: each was followed by the next request."""
    wrong: dict[str, int] = field(default_factory=dict)
    """What came instead of what was asked for: `status 404`, `refused` and the like, and how often."""
