"""The records of a search: a trial is one open load at one rate, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from harness.strict import STRICT

UNUSABLE = 8
"""Trials in a row that cannot be used, after which a search gives up."""

Outcome = Literal["held", "exceeded", "invalid"]
Ending = Literal["settled", "time is up", "nothing holds", "generator", "unusable", "failed", "interrupted"]
"""Why a search tried no further rate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RateTrial:
    """One rate that was offered, and whether the objectives held."""

    __pydantic_config__ = STRICT

    rate_rps: float
    planned_s: float
    start_s: float
    """Since the search began."""
    took_s: float
    """With starting, draining and stopping."""
    spell: bool = False
    """Whether it was to show the machine's spells, once the edge was found; the bracket is of the others."""
    launch: int = 0
    """The launch of the server that answered, counted from 0."""
    outcome: Outcome
    loss_ratio: float | None = None
    """Of the objective that was missed by most, or came closest to being missed."""
    excess: float | None = None
    """That ratio over what the objective allows: above 1 it is missed."""
    objective: str | None = None
    """That objective, as text."""
    cause: str | None = None
    """What most of its loss was: late, errors or never sent."""
    p99_us: float | None = None
    stalls: int = 0
    """Times that the server stood still: nothing was answered while requests came in."""
    stalled_s: float = 0.0
    """For how long it stood still in all, of the `lasted_s` that the trial lasted."""
    lasted_s: float = 0.0
    cpu_s_per_request: float | None = None
    limit: str | None = None
    """What stopped the server, as `harness.judge.limits` names it."""
    reasons: tuple[str, ...] = ()
    """Why it is invalid."""
    saturated: bool = False
    """Whether the generator could not offer this rate: then no higher rate can be tried."""
