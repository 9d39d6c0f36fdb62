"""What stopped an arm, as the clause of a sentence."""

from __future__ import annotations

import math

from harness import units
from harness.suite import Arm, slots
from harness.suite.pod import cpus


def bound_by(
    limit: str | None, *, cores: int, worker_slots: float, connections: int, quota: float | None = None
) -> str:
    """What stopped an arm, as what a sentence says of it: `uses up its 2 server cores`; empty where nothing did.

    `cores` are the CPUs that its workers can use, `worker_slots` the requests that they can hold at once (infinite
    where nothing bounds them), `connections` those of its load, `quota` the CPUs of its pod. A limit that is not known
    here is said by its name.
    """
    if limit is None:
        return ""
    held = units.plural(int(worker_slots), "worker slot") if math.isfinite(worker_slots) else "worker slots"
    clauses = {
        "server-cpu": f"uses up its {units.plural(cores, 'server core') if cores > 1 else 'server core'}",
        "cpu-quota": f"uses up its quota{f' of {cpus(quota)}' if quota else ''}",
        "worker-slots": f"is bound by its {held}",
        "upstream": "is bound by the upstream",
        "connections": f"is bound by the load's {units.plural(connections, 'connection')}",
        "generator": "is bound by the load generator",
    }
    return clauses.get(limit, f"is bound by {limit}")


def arm_bound_by(limit: str | None, arm: Arm, server_cpus: int) -> str:
    """The same of an arm whose server may run on `server_cpus` CPUs: a worker uses one of them."""
    return bound_by(
        limit,
        cores=max(1, min(server_cpus, arm.cell.workers)),
        worker_slots=slots(arm),
        connections=arm.connections,
        quota=arm.cell.cpus,
    )
