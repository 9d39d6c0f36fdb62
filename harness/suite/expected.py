"""What a plan may come to, before anything is measured: it says how many generators its load may want."""

from __future__ import annotations

import math
from collections.abc import Iterator

from harness.suite.estimate import spares_upstream
from harness.suite.plan import Arm, Plan

OF_A_WORKER = 1 / 9
"""The most that a worker answers, as a share of what a generator's core can send.

Of all servers here granian answers most, 19,800/s of `json` (results/reference-servers), where a core sends 190,000/s.
"""


def most_rps(plan: Plan, ceiling_rps: float, cores: int) -> float:
    """The most that an arm of `plan` is expected to be sent a second, where a generator's core sends `ceiling_rps`.

    A stated rate is itself. Else it is what the arm's workers, of which at most `cores` run at once, could answer if
    they did next to nothing, or what all its connections get from a slow API.
    """
    return max((_of(arm, plan, ceiling_rps, cores) for arm in _arms(plan)), default=0.0)


def most_workers(plan: Plan) -> int:
    """The most workers that an arm launches on this machine; 0 where all run already."""
    return max((arm.cell.workers for arm in _arms(plan) if not arm.target.url), default=0)


def _arms(plan: Plan) -> Iterator[Arm]:
    return (arm for group in plan.groups for arm in group.arms)


def _of(arm: Arm, plan: Plan, ceiling_rps: float, cores: int) -> float:
    stated_rps = arm.rate_rps or 0.0
    if arm.target.url or all(load.rate_rps is not None for load in arm.loads):
        return stated_rps
    answered_rps = min(arm.cell.workers, cores, arm.cell.cpus or math.inf) * OF_A_WORKER * ceiling_rps
    waits_s = arm.scenario.upstream_calls * plan.upstream.delay_ms / 1000
    if waits_s > 0 and not spares_upstream(arm.cell, plan.factors):
        answered_rps = min(answered_rps, arm.connections / waits_s)
    return max(stated_rps, answered_rps)
