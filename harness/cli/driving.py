"""How many generators drive a run that does not say it: as many as its load may want, where cores are free."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

from harness import units
from harness.cli.output import quoted, remarks
from harness.machine.placement import spare_cores, usable_cpus
from harness.record.calibration import Calibration
from harness.suite import Plan
from harness.suite.expected import most_rps, most_workers


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
