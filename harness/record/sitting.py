"""One sitting of a run: the folder that it measures into, begun anew or gone on with."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from harness.errors import UsageError
from harness.machine import environment
from harness.machine.placement import Placement, place
from harness.record import calibration as calibrations
from harness.record import durable, lock
from harness.record.calibration import Calibration
from harness.record.conditions import changes, sittings, today
from harness.record.reader import read, whole_blocks
from harness.record.rows import RunInfo, SittingRow, Trial
from harness.record.run import Run
from harness.record.secrets import new_salt, unsealed
from harness.record.times import utc_now
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


def resume(
    folder: Path, now: SittingRow | None = None, *, accept_changes: bool = False, blocks: int | None = None
) -> Sitting:
    """The next sitting of the run in `folder`, which measures an interrupted block again; the records stay as they are.

    `now` is what it would be measured with (`conditions.today`, which is also the default). With `blocks` the run gets
    so many in all, be it finished or not. Raises `UsageError` where nothing is left to do, where `blocks` are fewer
    than it has, where another harness measures into the folder, or as `under` does; `RecordError` where the records
    are wrong.
    """
    lock.refuse_if_held(folder)
    run = read(folder)
    if run.info.kind != "suite":
        raise UsageError(f"{folder} is a {run.info.kind} run: gatebench {run.info.kind} --resume goes on with it")
    info = run.info if blocks is None else extended(run, blocks)
    if info.finished is not None:
        raise UsageError(
            f"{folder} came to its end: nothing is left to measure; --blocks with a higher number adds some"
        )
    info = under(folder, info, now, accept_changes=accept_changes)
    return Sitting(folder, info, whole_blocks(run), torn=bool(run.torn))


def extended(run: Run, blocks: int) -> RunInfo:
    """The head of `run` with `blocks` in all, to be gone on with where these are more than before.

    The order of a block is drawn from the seed and its number, so that of the earlier blocks is what it was. Raises
    `UsageError` where they are fewer than planned or measured.
    """
    planned = run.info.plan.blocks
    measured = 1 + max((trial.block for trial in run.trials), default=-1)
    if blocks < planned:
        raise UsageError(f"--blocks {blocks}: {run.path} has {planned}, and --resume only adds to them")
    if blocks == planned:
        return run.info
    if run.info.plan.width is not None and blocks <= measured:  # else some are measured again in place of lost ones
        raise UsageError(f"--blocks {blocks}: {run.path} has measured {measured}, and --resume only adds to them")
    return replace(run.info, plan=replace(run.info.plan, blocks=blocks), finished=None)


def under(folder: Path, info: RunInfo, now: SittingRow | None = None, *, accept_changes: bool = False) -> RunInfo:
    """`info` as a sitting under the conditions `now` goes on with it: with its placement, versions and environment.

    Raises `UsageError` where machine, versions or code are no longer those of the sitting before and `accept_changes`
    is not given.
    """
    before, now = sittings(info)[-1], now or today(info)
    changed = changes(before, now)
    if changed and not accept_changes:
        listed = "; ".join(f"{name}: {earlier} before, {later} now" for name, (earlier, later) in changed.items())
        raise UsageError(
            f"{folder}: it would not go on as it was begun: {listed}. Undo that, or go on with --accept-changes"
        )
    placement = before.placement
    if "placement" in changed and info.plan.server is None:
        here = 1 if info.plan.machines else info.plan.generators
        placement = place(tuple(now.environment["usable_cpus"]), generators=here).as_dict()
    going_on = unsealed(folder, info)
    return replace(going_on, placement=placement, versions=now.versions, environment=now.environment)


def refuse_new_plan(options: Mapping[str, object]) -> None:
    """Raise `UsageError` where an option is given that would change the plan of a run that is gone on with.

    `options` are values by name, as `{"--blocks": 7, "--width": None}`; None and "" mean that it is not given.
    """
    given = [name for name, value in options.items() if value not in (None, "")]
    if given:
        raise UsageError(f"{', '.join(given)}: --resume goes on with the plan of the run: leave the rest out")


def own_folder(out: Path) -> Path:
    """The folder that a user asks for, made; raises `UsageError` where it holds something or cannot be made."""
    try:
        durable.make_folder(out)
    except FileExistsError as error:
        if out.is_dir() and {each.name for each in out.iterdir()} <= {lock.FILE}:  # of a start that did not get far
            return out
        raise UsageError(
            f"--out {out}: exists already; a run is never overwritten (--resume goes on with it)"
        ) from error
    except (OSError, ValueError) as error:  # a ValueError: a NUL in its name
        raise UsageError(f"--out {str(out)[:200]!r}: {error}") from error
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
        salt=new_salt(),
    )
