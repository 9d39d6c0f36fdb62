"""One sitting of a run: the folder that it measures into, begun anew or gone on with."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from harness.errors import UsageError
from harness.machine import environment
from harness.machine.placement import Placement
from harness.record import calibration as calibrations
from harness.record.calibration import Calibration
from harness.record.reader import read, whole_blocks
from harness.record.rows import RunInfo, Trial
from harness.record.writer import keep_only, utc_now
from harness.suite import Plan


@dataclass(frozen=True, slots=True)
class Sitting:
    """What is about to be measured, and what earlier sittings have left of it."""

    folder: Path
    info: RunInfo
    earlier: tuple[Trial, ...] = ()
    """Trials of whole blocks; a block that was interrupted is measured again."""
    torn: bool = False
    """Whether the last line of the records was torn, so that its block is measured again."""

    @property
    def placement(self) -> Placement:
        """The CPUs of each role."""
        return Placement(**self.info.placement)


def begin(
    folder: Path, plan: Plan, placement: Placement, calibration: Calibration | None, *, baseline: str | None = None
) -> Sitting:
    """The first sitting of a run into `folder`, which is there and empty."""
    return Sitting(folder, new_info(folder, plan, placement, calibration, baseline=baseline))


def resume(folder: Path) -> Sitting:
    """The next sitting of the run in `folder`; raises `UsageError` where nothing is left to do, `RecordError`.

    The records are rewritten without the trials of an interrupted block, which are set aside.
    """
    run = read(folder)
    if run.info.kind != "suite":
        raise UsageError(f"{folder} is a {run.info.kind} run: gatebench {run.info.kind} --resume goes on with it")
    if run.info.finished is not None:
        raise UsageError(f"{folder} came to its end: nothing is left to measure")
    whole = whole_blocks(run)
    keep_only(folder, whole)
    return Sitting(folder, run.info, whole, torn=bool(run.torn))


def own_folder(out: Path) -> Path:
    """The folder that a user asks for, made; raises `UsageError` where it exists or cannot be made."""
    try:
        out.mkdir(parents=True)
    except FileExistsError as error:
        raise UsageError(
            f"--out {out}: exists already; a run is never overwritten (--resume goes on with it)"
        ) from error
    except OSError as error:
        raise UsageError(f"--out {out}: {error}") from error
    return out


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
