"""How many generators drive a run, and where; one that does not say it has as many as its load may want."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from pathlib import Path

from harness import units
from harness.cli.options import RESULTS, placed
from harness.cli.output import quoted, remarks
from harness.errors import UsageError
from harness.machine.placement import Placement, spare_cores, usable_cpus
from harness.record.calibration import Calibration
from harness.suite import Plan
from harness.suite.expected import most_rps, most_workers


def driven(
    plan: Plan, server_cpus: int | None, generators: int | None, generator_cpus: int | None
) -> tuple[Plan, Placement]:
    """`plan` with its generators, and the CPUs of this machine as these options share them out.

    Raises `UsageError` where there are not so many, or an option is of another machine.
    """
    said = generators is not None or generator_cpus is not None or plan.server is not None
    shared = shared_out(plan, RESULTS, server_cpus, asked=said)
    return shared, placed_here(shared, server_cpus, generator_cpus)


def placed_here(plan: Plan, server_cpus: int | None = None, generator_cpus: int | None = None) -> Placement:
    """The CPUs of this machine for what of `plan` runs here; raises `UsageError` as `driven` does."""
    if (plan.machines or plan.server) and generator_cpus is not None:
        raise UsageError(
            f"--generator-cpus {generator_cpus} is of this machine: with --on each generator has a core of its own"
        )
    here = 1 if plan.machines else plan.generators  # the one leads those of others
    return placed(None if plan.server else server_cpus, generator_cpus, here)


def drivers(plan: Plan) -> str:
    """How many generators drive `plan`, and where; with the machine of the servers where that is another.

    `4 generators on bench@10.0.0.2 (2) and bench@10.0.0.3 (2)`
    """
    on = Counter(
        plan.machines[rank % len(plan.machines)].name for rank in range(plan.generators if plan.machines else 0)
    )
    each = [f"{name} ({count})" if plan.generators > 1 else name for name, count in on.items()]
    where = " and ".join(filter(None, (", ".join(each[:-1]), *each[-1:]))) if each else "this machine"
    there = f", servers on {plan.server.name}" if plan.server else ""
    return f"{units.plural(plan.generators, 'generator')} on {where}{there}"


def shared_out(plan: Plan, results: Path, server_cpus: int | None, *, asked: bool) -> Plan:
    """`plan` with as many generators as its load wants by the calibration under `results`, and says so.

    It stays as it is where somebody has `asked` for a number, where several drive it already, where a disturbance
    wants one, and where nobody has calibrated this machine.
    """
    if asked or plan.together or any(group.disturbance for group in plan.groups):
        return plan
    calibration = quoted(results)
    if calibration is None:
        return plan
    cpus = usable_cpus()
    count = wanted(plan, calibration, cpus, server_cpus)
    if count > 1:
        trusted = units.rps(calibration.trusted_rps)
        remarks().print(
            f"{count} generators share the load, for one may be too slow: it is trusted up to {trusted}; "
            "--generators says how many",
            soft_wrap=True,
        )
    return replace(plan, generators=count)


def wanted(
    plan: Plan, calibration: Calibration, cpus: tuple[int, ...], server_cpus: int | None = None, root: Path = Path("/")
) -> int:
    """How many generators the load of `plan` wants, at most as many as there are cores that no worker needs."""
    serving = server_cpus if server_cpus is not None else most_workers(plan)
    expected_rps = most_rps(plan, calibration.ceiling_rps, cores=len(cpus) if server_cpus is None else server_cpus)
    return max(1, min(math.ceil(expected_rps / calibration.trusted_rps), spare_cores(cpus, serving, root)))
