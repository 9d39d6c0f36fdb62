"""What bound a trial, and the analytic ceiling above it.

By the utilization law (P. J. Denning and J. P. Buzen, "The operational analysis of queueing network models", Computing
Surveys 10 (1978), 225-261) a resource is busy for throughput x the time that a request holds it, over how much of it
there is. The busiest one is the limit, if it is busy enough to be one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from harness.judge.validity import generator_cpu, generator_waiting, kept, mean
from harness.record import Trial
from harness.suite import Arm, Plan, Thresholds, Upstream, slots

Limit = Literal["server-cpu", "worker-slots", "upstream", "connections", "generator"]
Placement = Mapping[str, tuple[int, ...]]

BUSY = 0.80
"""Utilization from which a resource is called the limit: real servers reach 0.9 to 1.0 of what bounds them, an idle
fifth would have shown in throughput."""
ROUND_TRIP_S = 0.0002
"""What loopback and two wake-ups add to a request when nothing queues."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """What a resource allows, and how much of it is used."""

    name: Limit
    utilization: float
    ceiling_rps: float
    """Infinite where it is no bound."""


def limit(trial: Trial, arm: Arm, plan: Plan, placement: Placement) -> tuple[Limit | None, float | None]:
    """What bound `trial` (None: nothing did, as under an open load below capacity) and its analytic ceiling."""
    if not trial.throughput_rps or not kept(trial):
        return None, None
    found = bounds(trial, arm, plan.upstream, placement)
    ceiling = min(bound.ceiling_rps for bound in found)
    return _name(trial, found, plan.thresholds), ceiling if math.isfinite(ceiling) else None


def _name(trial: Trial, found: Iterable[Bound], thresholds: Thresholds) -> Limit | None:
    if any(generator_cpu(trial, thresholds)):
        return "generator"
    busiest = max(found, key=lambda bound: bound.utilization)
    if busiest.utilization >= BUSY:
        return busiest.name
    # Last, because an upstream that hogs the generator's CPU makes it wait too.
    return "generator" if any(generator_waiting(trial, thresholds)) else None


def bounds(trial: Trial, arm: Arm, upstream: Upstream, placement: Placement) -> tuple[Bound, ...]:
    """Every resource of a trial that has good answers; of equally busy ones the first is meant."""
    rps = trial.throughput_rps or 0.0
    used = used_cores(trial)
    cpu_s = used["server"] / rps
    waits_s = upstream_wait_s(trial, arm, upstream)
    free = cores(arm, placement) * (1 - mean(kept(trial), lambda one: one.steal_fraction))
    found = [_worn("server-cpu", used, "server", free, rps, placement)]
    if waits_s:
        found.append(_held("worker-slots", slots(arm), rps, waits_s, cpu_s))
    found.append(_held("connections", arm.connections, rps, waits_s, cpu_s + ROUND_TRIP_S))
    if waits_s and used["services"]:
        # One process, so one core, whatever CPUs it may run on.
        found.append(_worn("upstream", used, "services", 1.0, rps, placement))
    return tuple(found)


def cores(arm: Arm, placement: Placement) -> int:
    """CPUs that the arm's workers can use: a worker runs Python on one at a time (the GIL)."""
    return max(1, min(len(placement["server"]), arm.cell.workers))


def used_cores(trial: Trial) -> dict[str, float]:
    """CPUs' worth of time that each role used over the slices that count; of the services, the upstream."""
    length = sum(one.length_s for one in kept(trial))
    return {
        "server": sum(one.cpu_s for one in kept(trial)) / length,
        "generator": (trial.generator_cpu_s_per_request or 0.0) * (trial.throughput_rps or 0.0),
        "services": trial.services_cpu_s.get("upstream", 0.0) / length,
    }


def upstream_wait_s(trial: Trial, arm: Arm, upstream: Upstream) -> float:
    """What an answer waits for the upstream when that is idle: calls x delay, cached answers left out."""
    misses = 1 - (trial.cache_hit_ratio or 0.0)
    return arm.scenario.upstream_calls * misses * mean_delay_s(upstream)


def mean_delay_s(upstream: Upstream) -> float:
    """What a call takes when nothing queues: the delay, which is the mean whatever its law, and what is burnt."""
    return (upstream.delay_ms + upstream.busy_ms) / 1e3


def _held(name: Limit, count: float, rps: float, waits_s: float, works_s: float) -> Bound:
    """A resource of which a request holds one, while it waits and while it is worked on."""
    return Bound(name=name, utilization=rps * (waits_s + works_s) / count, ceiling_rps=_over(count, waits_s))


def _worn(name: Limit, used: Mapping[str, float], role: str, cpus: float, rps: float, placement: Placement) -> Bound:
    """A role's CPU time, of which the roles that share its CPUs leave it the rest."""
    shared = sum(used[other] for other in used if other != role and set(placement[other]) & set(placement[role]))
    free = max(cpus - shared, used[role], 1e-9)
    return Bound(name=name, utilization=used[role] / free, ceiling_rps=_over(free, used[role] / rps))


def _over(amount: float, each: float) -> float:
    return amount / each if each > 0 else math.inf
