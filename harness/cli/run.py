"""`gatebench run`: measure a suite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness import record, units
from harness.cli.before import SharedCpu, Strict, disturbances, noted
from harness.cli.beside import announced
from harness.cli.driving import driven, placed_here
from harness.cli.elsewhere import Bind, On, asked_elsewhere, bound, facts, machines, placed_there
from harness.cli.gate import AllowFailedBlocks, FailOnInconclusive, FailOnRegression, GateMetrics, demands, enforce
from harness.cli.options import (
    RESULTS,
    AcceptChanges,
    AsJson,
    Baseline,
    Blocks,
    Cpus,
    Filter,
    GeneratorCpus,
    Generators,
    Seed,
    ServerCpus,
    fraction,
    fresh_seed,
    pod,
    seconds,
    suites_from,
)
from harness.cli.output import answers, print_json, quoted, remarks
from harness.cli.own import AppA, AppB, Own, Path_, Python, ServerA, ServerB, own_suite
from harness.cli.revisions import Revisions, require_two, suite_at
from harness.errors import NothingValidError, UsageError
from harness.judge.demands import Demands
from harness.judge.verdicts import Gate
from harness.machine.placement import Placement
from harness.record.conditions import today
from harness.record.folders import still_there
from harness.record.sitting import Sitting, begin, own_folder, refuse_new_plan
from harness.record.sitting import resume as go_on
from harness.suite import Arm, Definitions, Options, Plan, Suite, run_times
from harness.suite import build as build_plan

if TYPE_CHECKING:
    from harness.trial.machines import Greeted


def run(
    suite: Annotated[
        str | None,
        typer.Argument(
            metavar="SUITE", help="A suite's name or file; not needed with --resume.", autocompletion=suites_from
        ),
    ] = None,
    *,
    a: AppA = None,
    b: AppB = None,
    path: Path_ = None,
    python: Python = None,
    server_a: ServerA = None,
    server_b: ServerB = None,
    rev: Revisions = None,
    wanted: Filter = "",
    blocks: Blocks = None,
    width: Annotated[
        str | None,
        typer.Option(metavar="5%", help="Add whole blocks until each throughput interval is that narrow to each side."),
    ] = None,
    budget: Annotated[str | None, typer.Option(metavar="10m", help="With --width: the time the run may take.")] = None,
    seed: Seed = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="The run's own directory; it must not exist.")] = None,
    resume: Annotated[
        str | None,
        typer.Option(metavar="RUN", help="Go on with a run that was interrupted, or add to one with more --blocks."),
    ] = None,
    accept_changes: AcceptChanges = False,
    baseline: Baseline = None,
    cpus: Cpus = None,
    memory: Annotated[
        str | None, typer.Option(metavar="512MiB", help="Run each server in a pod with that memory limit.")
    ] = None,
    server_cpus: ServerCpus = None,
    generators: Generators = None,
    generator_cpus: GeneratorCpus = None,
    on: On = None,
    bind: Bind = None,
    strict: Strict = False,
    shared_cpu: SharedCpu = False,
    fail_on_regression: FailOnRegression = None,
    allow_failed_blocks: AllowFailedBlocks = None,
    metric: GateMetrics = None,
    fail_on_inconclusive: FailOnInconclusive = False,
    as_json: AsJson = False,
) -> None:
    """Measure a suite and draw its report.

    Examples: `gatebench run quick`, `gatebench run my-suite.toml --width 3% --budget 10m`,
    `gatebench run full --filter scenario=json`, `gatebench run --resume latest`,
    `gatebench run --resume latest --blocks 10`,
    `gatebench run shop.toml --baseline shop-main --fail-on-regression 5%`,
    `gatebench run --a shop:app --b shop_async:app --path /products`, `gatebench run quick --cpus 0.5 --memory 512MiB`,
    `gatebench run --app shop:app --path /products --rev main --rev HEAD`,
    `gatebench run quick --on generator=ssh://bench@10.0.0.2 --bind 10.0.0.1`,
    `gatebench run quick --on server=ssh://bench@10.0.0.3`.
    """
    own = {"--a": a, "--b": b, "--path": path, "--python": python, "--server-a": server_a, "--server-b": server_b}
    asked = demands(fail_on_regression, allow_failed_blocks, metric, fail_on_inconclusive=fail_on_inconclusive)
    look = partial(disturbances, strict=strict, shared_cpu=shared_cpu)
    if resume is not None:
        refuse_new_plan(
            own
            | {
                "SUITE": suite,
                "--width": width,
                "--budget": budget,
                "--filter": wanted,
                "--baseline": baseline,
                "--rev": rev,
                "--seed": seed,
                "--cpus": cpus,
                "--memory": memory,
                "--server-cpus": server_cpus,
                "--generators": generators,
                "--generator-cpus": generator_cpus,
                "--on": on,
                "--bind": bind,
                "--out": out,
            }
        )
        sitting, there = _resumed(resume, blocks, accept_changes=accept_changes)
        plan = sitting.info.plan
        here = sitting.placement if plan.server is None else placed_here(plan)
        found = look(_arms_here(plan), here, plan.thresholds, there.findings)
    else:
        if budget is not None and width is None:
            raise UsageError("--budget goes with --width: without it a run is exactly its blocks")
        generator_machines, server_machine = machines(on or ())
        options = Options(
            seed=fresh_seed(seed),
            wanted=wanted,
            baseline=baseline,
            blocks=blocks,
            width=fraction(width) if width else None,
            budget_s=seconds(budget) if budget else None,
            generators=generators,
            machines=generator_machines,
            server=server_machine,
            bind=bound(bind),
            pod=pod(cpus, memory),
        )
        plan = build_plan(*_chosen(suite, own, baseline, rev or ()), options)
        plan, here = driven(plan, server_cpus, generators, generator_cpus)
        there = asked_elsewhere(plan)
        found = look(_arms_here(plan), here, plan.thresholds, there.findings)
        placement = here if there.considered is None else placed_there(there.considered, server_cpus)
        sitting = _begun(plan, placement, out, baseline, facts(there))
    _measured(replace(sitting, info=noted(sitting.info, found)), asked, as_json=as_json)


def _chosen(
    suite: str | None, own: Mapping[str, str | None], baseline: str | None, revs: Sequence[str]
) -> tuple[Definitions, Suite]:
    """The suite that is named, or that of the apps that are: `own` has their options by name."""
    given = [name for name, value in own.items() if value is not None]
    if revs:
        require_two(revs, baseline)
    if not given:
        if suite is None:
            raise UsageError("which suite? `gatebench list suites` shows them; --resume RUN goes on with a run")
        return suite_at(suite, revs, baseline)
    if suite is not None or baseline is not None:
        raise UsageError(f"either {'SUITE' if suite is not None else '--baseline'} or {', '.join(given)}")
    if revs:  # the same app on the same server, unless it is said to be another by then
        own = {**own, "--b": own["--b"] or own["--a"], "--server-b": own["--server-b"] or own["--server-a"]}
    a, b = (
        Own(option=f"--{side}", app=own[f"--{side}"], server_option=f"--server-{side}", server=own[f"--server-{side}"],
            revision=rev)
        for side, rev in zip("ab", revs or (None, None), strict=True)
    )  # fmt: skip
    return own_suite(a, b, own["--path"], own["--python"])


def _measured(sitting: Sitting, asked: Demands | None, *, as_json: bool) -> None:
    from harness.cli.progress import shown
    from harness.measure import measure

    console = remarks()
    interrupted: KeyboardInterrupt | None = None
    try:
        with announced("run", sitting.folder), shown(console) as progress:
            measure(sitting, progress)
    except KeyboardInterrupt as stop:
        interrupted = stop
        console.print(f"interrupted; what is measured is kept: gatebench run --resume {sitting.folder}", soft_wrap=True)
    valid, decision = _show(sitting.folder, asked, as_json=as_json)
    if interrupted is not None:
        raise interrupted
    if decision is not None:
        enforce(decision)
    if not valid:
        where = f"{sitting.folder}/{record.TRIALS}"
        raise NothingValidError(f"nothing valid came out; the reasons stand in {where} and the report")


def _show(folder: Path, asked: Demands | None, *, as_json: bool) -> tuple[int, Gate | None]:
    """Draw the report and print the answer; returns how many trials are valid, and what a gate decides."""
    from harness.judge.compare import as_json as comparison_json
    from harness.judge.compare import gate
    from harness.judge.episodes import ran_out
    from harness.report.build import build
    from harness.report.figures import study
    from harness.report.index import index
    from harness.report.terminal import terminal

    with still_there(folder, f"gatebench report {folder}"):
        opened = study(folder)
    run = opened.run
    page = build(opened, folder)
    decision = gate(opened.comparison, [run], asked) if asked is not None else None
    if folder.resolve().parent == RESULTS.resolve():  # beside a run of --out lies what is none of ours
        index(RESULTS)
    valid = sum(trial.valid for trial in run.trials)
    failed = sum(trial.error is not None for trial in run.trials)
    if as_json:
        counts = {"valid": valid, "invalid": len(run.trials) - valid - failed, "failed": failed}
        compared = comparison_json(opened.comparison, decision)
        broken = [
            asdict(each) | {"confidence": each.confidence, "ran_out": ran_out(opened.arms[arm], each)}
            for arm, each in opened.breaks.items()
        ]
        print_json(
            {"run": str(folder), "trials": len(run.trials)}
            | counts
            | {"breaks": broken, "contrasts": list(map(asdict, opened.contrasts))}
            | compared
        )
    else:
        terminal(opened, answers())
        answers().print(f"\nreport: {page}", soft_wrap=True)
    return valid, decision


def _arms_here(plan: Plan) -> list[tuple[Arm, ...]]:
    """Those that run on this machine, by group."""
    return [] if plan.server is not None else [group.arms for group in plan.groups]


def _begun(
    plan: Plan, placement: Placement, out: Path | None, baseline: str | None, elsewhere: dict[str, Any]
) -> Sitting:
    folder = own_folder(out) if out is not None else record.new_folder(RESULTS, plan.suite)
    about = f"about {units.clock(run_times(plan).total_s)}, seed {plan.seed}"
    load = f", load from {', '.join(machine.name for machine in plan.machines)}" if plan.machines else ""
    servers = f", servers on {plan.server.name}" if plan.server else ""
    remarks().print(f"{plan.suite}: {about}{servers}{load}, into {folder}", soft_wrap=True)
    sitting = begin(folder, plan, placement, quoted(folder.parent), baseline=baseline)
    return replace(sitting, info=replace(sitting.info, environment=sitting.info.environment | elsewhere))


def _resumed(name: str, blocks: int | None, *, accept_changes: bool) -> tuple[Sitting, Greeted]:
    from harness.subject.receipts import receipts

    folder = record.find(name, RESULTS)
    info = record.read_info(folder)
    there = asked_elsewhere(info.plan)
    arms = [arm for group in info.plan.groups for arm in group.arms]
    found = there.considered.receipts if there.considered is not None else receipts(arms)
    now = today(info, found.versions)
    now = replace(now, environment=now.environment | facts(there))
    sitting = go_on(folder, now, accept_changes=accept_changes, blocks=blocks)
    if sitting.torn:
        remarks().print("the last line was torn; that trial's block is measured again")
    return sitting, there
