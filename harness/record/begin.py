"""What run.json says of a run that starts now."""

from __future__ import annotations

import sys
from pathlib import Path

from harness.machine import environment
from harness.machine.placement import Placement
from harness.record import calibration as calibrations
from harness.record.calibration import Calibration
from harness.record.rows import RunInfo
from harness.record.writer import utc_now
from harness.suite import Plan


def new_info(
    folder: Path,
    plan: Plan,
    placement: Placement,
    calibration: Calibration | None,
    *,
    baseline: str | None = None,
    kind: str = "suite",
) -> RunInfo:
    """The head of the records in `folder`: plan, machine, the command line of this process; versions are still to come.

    `calibration` is quoted in the environment, if there is one.
    """
    quoted = {"calibration": calibrations.as_json(calibration)} if calibration else {}
    return RunInfo(
        run=folder.name,
        started=utc_now(),
        gatebench=environment.version(),
        command=("gatebench", *sys.argv[1:]),
        plan=plan,
        versions={},
        environment=environment.describe() | quoted,
        placement=placement.as_dict(),
        baseline=baseline,
        kind=kind,
    )
