"""`gatebench run`: measure a suite."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from harness import record, units
from harness import suite as planning
from harness.calibrate import as_json as calibration_json
from harness.calibrate import stored
from harness.cli.options import (
    RESULTS,
    AsJson,
    Baseline,
    Blocks,
    Filter,
    Seed,
    ServerCpus,
    fraction,
    fresh_seed,
    placed,
    seconds,
)
from harness.cli.output import answers, print_json, remarks
from harness.errors import NothingValidError, UsageError
from harness.machine import environment
from harness.machine.placement import Placement
from harness.suite import load_suite


def run(
    suite: Annotated[
        str | None, typer.Argument(metavar="SUITE", help="A suite's name or file; not needed with --resume.")
    ] = None,
    *,
    wanted: Filter = "",
    blocks: Blocks = None,
    width: Annotated[
        str | None,
        typer.Option(metavar="5%", help="Add whole blocks until each throughput interval is that narrow to each side."),
    ] = None,
    budget: Annotated[str | None, typer.Option(metavar="10m", help="With --width: the time the run may take.")] = None,
    seed: Seed = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="The run's own directory; it must not exist.")] = None,
    resume: Annotated[str | None, typer.Option(metavar="RUN", help="Go on with a run that was interrupted.")] = None,
    baseline: Baseline = None,
    server_cpus: ServerCpus = None,
    as_json: AsJson = False,
) -> None:
    """Measure a suite and draw its report.

    Examples: `gatebench run quick`, `gatebench run my-suite.toml --width 3% --budget 10m`,
    `gatebench run full --filter scenario=json`, `gatebench run --resume latest`.
    """
    if resume is not None:
        folder, info, done = _resumed(resume, suite)
        placement = Placement(**info.placement)
    elif suite is None:
        raise UsageError("which suite? `gatebench list suites` shows them; --resume RUN goes on with a run")
    else:
        if budget is not None and width is None:
            raise UsageError("--budget goes with --width: without it a run is exactly its blocks")
        definitions, chosen = load_suite(suite)
        laid = planning.build(
            definitions,
            chosen,
            planning.Options(
                seed=fresh_seed(seed),
                wanted=wanted,
                baseline=baseline,
                blocks=blocks,
                width=fraction(width) if width else None,
                budget_s=seconds(budget) if budget else None,
            ),
        )
        placement = placed(server_cpus)
        folder, info, done = _new(laid, placement, out, baseline)
    _measure(folder, info, placement, done, as_json=as_json)


def _measure(
    folder: Path, info: record.RunInfo, placement: Placement, done: tuple[record.Trial, ...], *, as_json: bool
) -> None:
    from harness.cli.progress import shown
    from harness.measure import measure
    from harness.subject.receipts import receipts

    stock = receipts(arm for group in info.plan.groups for arm in group.arms)
    info = replace(info, versions=info.versions | stock.versions)
    console = remarks()
    if placement.shared:
        console.print("caveat: server and generator share a CPU here; use a machine with two or more", soft_wrap=True)
    interrupted: KeyboardInterrupt | None = None
    with record.writing(folder, info) as writer:
        try:
            with shown(console) as say:
                measure(info.plan, placement, writer, stock.missing, say, done)
        except KeyboardInterrupt as stop:
            interrupted = stop
            console.print(f"interrupted; what is measured is kept: gatebench run --resume {folder}", soft_wrap=True)
    valid = _show(folder, as_json=as_json)
    if interrupted is not None:
        raise interrupted
    if not valid:
        raise NothingValidError(f"nothing valid came out; the reasons stand in {folder}/{record.TRIALS} and the report")


def _show(folder: Path, *, as_json: bool) -> int:
    """Draw the report and print the answer; returns how many trials are valid."""
    from harness.judge.compare import as_json as comparison_json
    from harness.report.build import build
    from harness.report.figures import study
    from harness.report.index import index
    from harness.report.terminal import terminal

    opened = study(folder)
    run = opened.run
    page = build(opened, folder)
    if folder.resolve().parent == RESULTS.resolve():  # beside a run of --out lies what is none of ours
        index(RESULTS)
    valid = sum(trial.valid for trial in run.trials)
    failed = sum(trial.error is not None for trial in run.trials)
    if as_json:
        counts = {"valid": valid, "invalid": len(run.trials) - valid - failed, "failed": failed}
        print_json({"run": str(folder), "trials": len(run.trials)} | counts | comparison_json(opened.comparison))
    else:
        terminal(opened, answers())
        answers().print(f"\nreport: {page}", soft_wrap=True)
    return valid


def _new(
    laid: planning.Plan, placement: Placement, out: Path | None, baseline: str | None
) -> tuple[Path, record.RunInfo, tuple[record.Trial, ...]]:
    folder = _own_folder(out) if out is not None else record.new_folder(RESULTS, laid.suite)
    about = f"about {units.clock(planning.seconds(laid))}, seed {laid.seed}"
    remarks().print(f"{laid.suite}: {about}, into {folder}", soft_wrap=True)
    return folder, new_info(folder, laid, placement, baseline), ()


def new_info(
    folder: Path, laid: planning.Plan, placement: Placement, baseline: str | None = None, kind: str = "suite"
) -> record.RunInfo:
    """What run.json says of a run that starts now; the versions are still to come."""
    quoted = stored(folder.parent)
    return record.RunInfo(
        run=folder.name,
        started=record.utc_now(),
        gatebench=environment.version(),
        command=("gatebench", *sys.argv[1:]),
        plan=laid,
        versions={},
        environment=environment.describe() | ({"calibration": calibration_json(quoted)} if quoted else {}),
        placement=placement.as_dict(),
        baseline=baseline,
        kind=kind,
    )


def _own_folder(out: Path) -> Path:
    try:
        out.mkdir(parents=True)
    except FileExistsError as error:
        raise UsageError(
            f"--out {out}: exists already; a run is never overwritten (--resume goes on with it)"
        ) from error
    except OSError as error:
        raise UsageError(f"--out {out}: {error}") from error
    return out


def _resumed(name: str, suite: str | None) -> tuple[Path, record.RunInfo, tuple[record.Trial, ...]]:
    if suite is not None:
        raise UsageError("--resume takes its suite from the run: leave SUITE out")
    folder = record.find(name, RESULTS)
    run = record.read(folder)
    if run.info.kind != "suite":
        raise UsageError(f"{folder} is a {run.info.kind} run: gatebench {run.info.kind} --resume goes on with it")
    if run.info.finished is not None:
        raise UsageError(f"{folder} came to its end: nothing is left to measure")
    if run.torn:
        remarks().print("the last line was torn; that trial's block is measured again")
    whole = record.whole_blocks(run)
    record.keep_only(folder, whole)
    return folder, run.info, whole
