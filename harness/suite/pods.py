"""Several pods of one side: what they share, in words, and what they cannot share."""

from __future__ import annotations

from collections.abc import Iterator

from harness import units
from harness.suite.model import Cell, Definitions, PairDefinition, Side
from harness.suite.pod import cpus

LEAST_CPUS, LEAST_BYTES = 0.01, 1 << 20
"""Of each: the kernel gives no less."""


def pod_words(cell: Cell) -> tuple[str, ...]:
    """What a cell is limited to: `0.5 CPU`, `512 MiB`; of several pods `4 pods share 1 CPU`, `1 GiB`."""
    words = cell.pod.words if cell.pod else ()
    return words if cell.pods == 1 or not words else (f"{cell.pods} pods share {words[0]}", *words[1:])


def unshared(cell: Cell) -> str | None:
    """Why the pods of a cell cannot share what it has; None where they can."""
    part = cell.part
    if cell.pod is None:
        return f"pods = {cell.pods}: they share a pod's quota or memory limit: state pod, or --cpus and --memory"
    if part.cpus is not None and part.cpus < LEAST_CPUS:
        return f"{_too_little(cell, cpus(cell.cpus or 0))} {cpus(LEAST_CPUS)}: give them more"
    if part.memory_limit_bytes is not None and part.memory_limit_bytes < LEAST_BYTES:
        return f"{_too_little(cell, units.bytes_(cell.memory_limit_bytes))} {units.bytes_(LEAST_BYTES)}: give them more"
    return None


def pods_problems(side: Side, pair: PairDefinition, definitions: Definitions) -> Iterator[str]:
    """What a side in several pods cannot be."""
    if side.pods == 1:
        return
    target, server = definitions.targets[side.target], definitions.servers[side.server]
    workers = dict(pair.levels + side.levels).get("workers", 1)
    if target.url:
        yield f"pods: {target.name} runs already, and cannot be put into pods: leave that out"
    if isinstance(workers, int) and workers % side.pods:
        yield f"pods: {units.plural(workers, 'worker')} cannot be shared by {side.pods} pods, equal parts each"
    if server.programs:
        front = ", ".join(server.programs)
        yield f"pods: {server.name} has {front} in front of it, which would be in each of them: name another server"
    if pair.disturbance is not None:
        yield "pods: a disturbance is done to one server, and an episode watches one: leave that out"


def _too_little(cell: Cell, budget: str) -> str:
    return f"pods = {cell.pods}: {budget} in all leaves each of them less than"
