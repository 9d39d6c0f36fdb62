"""How long a plan takes, and what it needs beside the targets."""

from __future__ import annotations

from collections.abc import Iterable

from harness.suite.factors import NONE, Factor
from harness.suite.model import Cell, Upstream
from harness.suite.plan import Arm, Group, Plan, slots


def block_seconds(plan: Plan, group: Group) -> float:
    """About how long one block of `group` takes, before anything is measured.

    Start-up (half a second a worker process, Locust's 0.8 s a phase), then the slices: a closed one lasts five response
    times, with four more uncounted at its edges.
    """
    workers = sum(arm.cell.workers for arm in group.arms)
    seconds = 1.0 + 0.5 * workers + 0.8 * len(group.phases)
    for arm in group.arms:
        response_s = expected_response_s(arm, plan.upstream)
        edges_s = max(4 * response_s, 0.15)
        for load in arm.loads:
            if load.warm_up_s:
                seconds += max(load.warm_up_s, 50 * arm.cell.workers * response_s / arm.connections) + response_s
            slice_s = load.length_s(load.least_slice_s(plan), response_s)
            seconds += load.rounds(plan) * (slice_s + edges_s)
    return seconds


def expected_response_s(arm: Arm, upstream: Upstream) -> float:
    """About how long a response takes under closed load: as slow as the CPU or the slots make it (figures of FACTS)."""
    calls = arm.scenario.upstream_calls > 0 and arm.cell.level("cache") == NONE
    cpu_s = 0.0005
    if calls and arm.cell.level("pooling") == NONE and str(arm.cell.level("client")).startswith("httpx"):
        cpu_s = 0.026  # a TLS context a request
    elif calls:
        cpu_s = 0.0045 if arm.cell.level("client") == "httpx" else 0.0015
    by_slots = arm.connections * upstream.delay_ms / 1000 / slots(arm) if calls else 0.0
    return max(arm.connections * cpu_s, by_slots)


def seconds(plan: Plan) -> float:
    """About how long the run takes; with `width`, until every group has its first `blocks` blocks."""
    return sum(plan.blocks * block_seconds(plan, group) for group in plan.groups)


def needs(arms: Iterable[Arm], factors: Iterable[Factor]) -> frozenset[str]:
    """The services that the levels of `arms` need beside the targets, by name."""
    cells = [arm.cell for arm in arms]
    return frozenset(
        factor.needs[str(level)]
        for factor in factors
        for level in {cell.level(factor.name) for cell in cells}
        if str(level) in factor.needs
    )


def spares_upstream(cell: Cell, factors: Iterable[Factor]) -> bool:
    """Whether answers of `cell` may come without a call of the upstream, as out of a cache."""
    return any(cell.level(factor.name) in factor.spares_upstream for factor in factors)


def needs_upstream(arms: Iterable[Arm]) -> bool:
    """Whether any scenario calls the slow API."""
    return any(arm.scenario.upstream_calls for arm in arms)
