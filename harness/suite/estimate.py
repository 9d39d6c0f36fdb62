"""How long a plan takes, and which services it needs beside the targets."""

from __future__ import annotations

from collections.abc import Iterable

from harness.suite.factors import NONE, Factor
from harness.suite.model import Cell, Upstream
from harness.suite.plan import Arm, Group, Plan, slots
from harness.suite.times import Times

LAUNCH_S = 0.45
"""A worker process, which starts on the CPUs of all servers, while one of the block before ends there."""
LEFT_S, STOP_S = 0.05, 0.6
"""What is left of the end of all servers of a block when the next ones are ready; and all of it, on another machine."""

AGREE_S = 0.25
"""What several generators need to agree on the moments of a slice."""


SEARCHED = 2
"""Episodes of an arm in a block that search for the break between two stated strengths."""
WELL_S, EPISODE_EDGES_S = 1.5, 0.6
"""Until an episode has seen that all is well again; its connections, its helper, and the look at the server."""


def block_times(plan: Plan, group: Group) -> Times:
    """An estimate of where the time of a block of `group` goes, before anything is measured.

    To the counted part of each slice come four response times at its edges.
    """
    load_s = edges_s = warm_up_s = 0.0
    for arm in group.arms:
        response_s = expected_response_s(arm, plan.upstream)
        for load in arm.loads:
            if load.warm_up_s:
                enough_s = 50 * arm.cell.workers * response_s / arm.connections
                warm_up_s += max(load.warm_up_s, enough_s) + response_s
            load_s += load.rounds(plan) * load.length_s(load.least_slice_s(plan), response_s)
            edges_s += load.rounds(plan) * (max(4 * response_s, 0.15) + (AGREE_S if plan.together else 0.0))
    disturbance = group.disturbance
    if disturbance is not None:
        episodes = len(disturbance.strengths) + (SEARCHED if disturbance.searched else 0)
        episode_s = disturbance.before_s + disturbance.during_s + WELL_S
        load_s += len(group.arms) * episodes * episode_s
        edges_s += len(group.arms) * episodes * EPISODE_EDGES_S
    return Times(
        load_s=load_s,
        edges_s=edges_s,
        warm_up_s=warm_up_s,
        launch_s=LAUNCH_S * sum(arm.cell.workers for arm in group.arms),
        verify_s=sum(2 * _answer_s(arm, plan.upstream) for arm in group.arms) * (1 + len(group.phases) / 2),
        stop_s=LEFT_S if plan.server is None else STOP_S,
    )


def _answer_s(arm: Arm, upstream: Upstream) -> float:
    """An estimate of how long one answer takes while nothing else is asked."""
    return arm.scenario.upstream_calls * upstream.delay_ms / 1000


def expected_response_s(arm: Arm, upstream: Upstream) -> float:
    """An estimate of the response time under closed load, in seconds: as long as the CPU or the slots make it.

    The CPU seconds of a request are rounded figures of runs on one core of an AMD EPYC: an estimate needs no more.
    """
    calls = arm.scenario.upstream_calls > 0 and arm.cell.level("cache") == NONE
    cpu_s = 0.0002
    if calls and arm.cell.level("pooling") == NONE and str(arm.cell.level("client")).startswith("httpx"):
        cpu_s = 0.016  # each request makes a client, which loads the TLS certificates
    elif calls:
        cpu_s = 0.004 if arm.cell.level("client") == "httpx" else 0.0012
    by_slots = arm.connections * upstream.delay_ms / 1000 / slots(arm) if calls else 0.0
    return max(arm.connections * cpu_s, by_slots)


def run_times(plan: Plan) -> Times:
    """An estimate of where the time of the run goes; with `width`, until every group has `blocks` blocks."""
    return Times.summed(block_times(plan, group) for group in plan.groups for _ in range(plan.blocks))


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
