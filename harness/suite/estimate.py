"""How long a plan takes, and which services it needs beside the targets."""

from __future__ import annotations

from collections.abc import Iterable

from harness.suite.factors import NONE, Factor
from harness.suite.model import Cell, Upstream
from harness.suite.plan import Arm, Group, Plan, slots


def block_seconds(plan: Plan, group: Group) -> float:
    """An estimate of how long a block of `group` takes, in seconds, before anything is measured.

    It counts the start of the servers (half a second a worker process) and of Locust (0.8 s a phase), the warm-ups, and
    the slices: to the counted part of each come four response times at its edges.
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
    """An estimate of the response time under closed load, in seconds: as long as the CPU or the slots make it.

    The CPU seconds of a request are rounded figures of runs on one core of an AMD EPYC: an estimate needs no more.
    """
    calls = arm.scenario.upstream_calls > 0 and arm.cell.level("cache") == NONE
    cpu_s = 0.0005
    if calls and arm.cell.level("pooling") == NONE and str(arm.cell.level("client")).startswith("httpx"):
        cpu_s = 0.026  # each request makes a client, which loads the TLS certificates
    elif calls:
        cpu_s = 0.0045 if arm.cell.level("client") == "httpx" else 0.0015
    by_slots = arm.connections * upstream.delay_ms / 1000 / slots(arm) if calls else 0.0
    return max(arm.connections * cpu_s, by_slots)


def seconds(plan: Plan) -> float:
    """An estimate of how long the run takes, in seconds; with `width`, until every group has `blocks` blocks."""
    return sum(plan.blocks * block_seconds(plan, group) for group in plan.groups)


def needs(arms: Iterable[Arm], factors: Iterable[Factor]) -> frozenset[str]:
    """Names of the services that the levels of `arms` need beside the targets, such as `redis`."""
    cells = [arm.cell for arm in arms]
    return frozenset(
        factor.needs[str(level)]
        for factor in factors
        for level in {cell.level(factor.name) for cell in cells}
        if str(level) in factor.needs
    )


def spares_upstream(cell: Cell, factors: Iterable[Factor]) -> bool:
    """Whether `cell` may answer without a call of the upstream, as from a cache."""
    return any(cell.level(factor.name) in factor.spares_upstream for factor in factors)


def needs_upstream(arms: Iterable[Arm]) -> bool:
    """Whether any scenario calls the slow API."""
    return any(arm.scenario.upstream_calls for arm in arms)
