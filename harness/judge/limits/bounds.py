"""What bound a trial, and the analytic ceiling above it.

By the utilization law (P. J. Denning and J. P. Buzen, "The operational analysis of queueing network models", Computing
Surveys 10 (1978), 225-261) the utilization of a resource is throughput x the time that a request holds it / how much of
the resource there is. The resource with the highest utilization is the limit, if that is at least `BUSY`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from harness.judge.validity import generator_cpu, generator_waiting, kept, mean
from harness.record import Trial
from harness.suite import Arm, Plan, Thresholds, Upstream, slots

Limit = Literal["server-cpu", "cpu-quota", "worker-slots", "upstream", "connections", "generator"]
Placement = Mapping[str, tuple[int, ...]]

BUSY = 0.80
"""Utilization from which a resource is called the limit: servers use 0.9 to 1.0 of what bounds them, and a resource of
which more than a fifth is idle bounds nothing."""
ROUND_TRIP_S = 0.0002
"""Seconds that loopback and two wake-ups of processes add to a request when nothing queues."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """How much of a resource is used, and what throughput all of it would allow."""

    name: Limit
    utilization: float
    ceiling_rps: float
    """Infinite where the resource bounds nothing."""


def limit(trial: Trial, arm: Arm, plan: Plan, placement: Placement) -> tuple[Limit | None, float | None]:
    """What bound `trial`, and its analytic ceiling in good answers a second.

    The limit is None where nothing bound it, as under an open load below capacity; the ceiling is None where no
    resource sets one.
    """
    if not trial.throughput_rps or not kept(trial):
        return None, None
    resources = bounds(trial, arm, plan.upstream, placement)
    ceiling_rps = min(bound.ceiling_rps for bound in resources)
    return _name(trial, resources, plan.thresholds), ceiling_rps if math.isfinite(ceiling_rps) else None


def _name(trial: Trial, resources: Iterable[Bound], thresholds: Thresholds) -> Limit | None:
    if any(generator_cpu(trial, thresholds)):
        return "generator"
    # A quota stops only what it has throttled.
    busiest = max(
        (each for each in resources if each.name != "cpu-quota" or trial.nr_throttled),
        key=lambda bound: bound.utilization,
    )
    if busiest.utilization >= BUSY:
        return busiest.name
    # Asked last: an upstream that uses up the CPU that it shares with the generator makes the generator wait too.
    return "generator" if any(generator_waiting(trial, thresholds)) else None


def bounds(trial: Trial, arm: Arm, upstream: Upstream, placement: Placement) -> tuple[Bound, ...]:
    """The resources that a trial with good answers used; where two are equally busy, the limit is the first of them."""
    rps = trial.throughput_rps or 0.0
    used = used_cores(trial)
    cpu_s = used["server"] / rps
    waits_s = upstream_wait_s(trial, arm, upstream)
    cpus = cores(arm, placement) * (1 - mean(kept(trial), lambda slice_: slice_.steal_fraction))
    resources = [_server_bound(used, cpus, arm.cell.cpus or math.inf, rps, placement)]
    if waits_s:
        resources.append(_places_bound("worker-slots", slots(arm), rps, waits_s, cpu_s))
    away_s = waits_s + link_s(trial)
    resources.append(_places_bound("connections", arm.connections, rps, away_s, cpu_s + ROUND_TRIP_S))
    if waits_s and used["services"]:
        # The upstream is one process, so it uses one CPU, however many it may run on.
        resources.append(_cpu_bound("upstream", used["services"], _left(used, "services", 1.0, placement), rps))
    return tuple(resources)


def cores(arm: Arm, placement: Placement) -> int:
    """CPUs that the arm's workers can use: a worker runs Python on one of them at a time (the GIL)."""
    return max(1, min(len(placement["server"]), arm.cell.workers))


def used_cores(trial: Trial) -> dict[str, float]:
    """How many CPUs' time each role used over the slices that count; `services` is the upstream alone."""
    slices = kept(trial)
    length_s = sum(slice_.length_s for slice_ in slices)
    return {
        "server": sum(slice_.cpu_s or 0.0 for slice_ in slices) / length_s,
        "generator": (trial.generator_cpu_s_per_request or 0.0) * (trial.throughput_rps or 0.0),
        "services": trial.services_cpu_s.get("upstream", 0.0) / length_s,
    }


def upstream_wait_s(trial: Trial, arm: Arm, upstream: Upstream) -> float:
    """What an answer waits for the upstream when that is idle: calls x delay, cached answers left out."""
    misses = 1 - (trial.cache_hit_ratio or 0.0)
    return arm.scenario.upstream_calls * misses * mean_delay_s(upstream)


def link_s(trial: Trial) -> float:
    """What a request spends on the link to another machine: a round trip, and one more for each new connection."""
    return (trial.round_trip_us or 0.0) / 1e6 * (1 + (trial.connections_per_request or 0.0))


def mean_delay_s(upstream: Upstream) -> float:
    """Seconds that a call takes when nothing queues: the delay, of any law with that mean, and the CPU time."""
    return (upstream.delay_ms + upstream.busy_ms) / 1e3


def _places_bound(name: Limit, count: float, rps: float, waits_s: float, works_s: float) -> Bound:
    """Slots or connections: a request holds one of `count`, while it waits and while it is worked on."""
    return Bound(name=name, utilization=rps * (waits_s + works_s) / count, ceiling_rps=_over(count, waits_s))


def _server_bound(used: Mapping[str, float], cpus: float, quota: float, rps: float, placement: Placement) -> Bound:
    """The server's CPU time: a quota that is less than what its CPUs leave it is all that it has."""
    left = _left(used, "server", cpus, placement)
    return _cpu_bound("cpu-quota" if quota < left else "server-cpu", used["server"], min(quota, left), rps)


def _left(used: Mapping[str, float], role: str, cpus: float, placement: Placement) -> float:
    """What of its CPUs the roles leave that share them."""
    return cpus - sum(used[other] for other in used if other != role and set(placement[other]) & set(placement[role]))


def _cpu_bound(name: Limit, used: float, there: float, rps: float) -> Bound:
    """A role's CPU time: how much of what is there it has used."""
    free = max(there, used, 1e-9)
    return Bound(name=name, utilization=used / free, ceiling_rps=_over(free, used / rps))


def _over(amount: float, each: float) -> float:
    return amount / each if each > 0 else math.inf
