"""`gatebench tune`: how many workers to deploy, and what they hold."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness import record, units
from harness import suite as planning
from harness.cli.options import RESULTS, AsJson, Results, Seed, ServerCpus, fresh_seed, placed, seconds
from harness.cli.output import answers, print_json, remarks
from harness.cli.run import new_info
from harness.errors import GateError, NothingValidError, UsageError
from harness.machine.placement import Placement
from harness.suite import Arm, Plan, Suite, load_definitions, load_suite

if TYPE_CHECKING:
    from harness.tune.answer import Answer
    from harness.tune.session import Asked, Found
    from harness.tune.sitting import Sitting

SIZES = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
BUDGET = "5m"
LEAST_BUDGET_S = 20.0
"""Less does not suffice for a probe and one block."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is tuned, and how it is measured."""

    arm: Arm
    plan: Plan
    """Without groups: they are decided as it goes on."""


def tune(
    suite: Annotated[
        str | None, typer.Argument(metavar="SUITE", help="Tune side b of a suite's first pair, as it stands there.")
    ] = None,
    *,
    target: Annotated[str | None, typer.Option(metavar="T", help="Instead of a suite: the target,")] = None,
    server: Annotated[str | None, typer.Option(metavar="S", help="the server that it runs on,")] = None,
    scenario: Annotated[str | None, typer.Option(metavar="C", help="and the scenario.")] = None,
    slo: Annotated[
        str | None, typer.Option(metavar="SLO", help="Objectives to hold, such as `p99<100ms,errors<0.1%`.")
    ] = None,
    budget: Annotated[str | None, typer.Option(metavar="5m", help="Time that it may take; default: 5m.")] = None,
    memory: Annotated[str | None, typer.Option(metavar="1GiB", help="Memory that the servers may take.")] = None,
    connections: Annotated[
        int | None, typer.Option(min=1, help="Of the closed load; default: the suite's or scenario's.")
    ] = None,
    seed: Seed = None,
    resume: Annotated[
        str | None, typer.Option(metavar="RUN", help="Go on with a tuning that was interrupted, or with more --budget.")
    ] = None,
    server_cpus: ServerCpus = None,
    results: Results = RESULTS,
    as_json: AsJson = False,
) -> None:
    """The worker count to deploy: the smallest that is not worse than the best; with --slo also the load that it holds.

    Ctrl-C ends it with the best answer so far. Exit code 1 when no load holds the objectives.

    Examples: `gatebench tune --target flask --server gunicorn-gthread --scenario external-data --slo "p99<100ms"`,
    `gatebench tune my-suite.toml --budget 10m`, `gatebench tune --resume latest`.
    """
    from harness.judge.slo import parse
    from harness.tune.session import Asked

    if resume is not None:
        if suite or target or server or scenario or slo or memory or connections or seed or server_cpus:
            raise UsageError("--resume takes all but --budget from the run: leave the rest out")
        sitting = _resumed(record.find(resume, results), seconds(budget) if budget else None)
        _measured(sitting, as_json=as_json)
        return
    number = fresh_seed(seed)
    subject = _from_suite(suite, number) if suite else _from_names(target, server, scenario, number)
    if suite and (target or server or scenario):
        raise UsageError("either SUITE or --target, --server and --scenario")
    if connections is not None:
        subject = replace(subject, arm=replace(subject.arm, connections=connections))
    asked = Asked(slo=parse(slo) if slo else None, budget_s=seconds(budget or BUDGET), margin=subject.plan.margin)
    if asked.budget_s < LEAST_BUDGET_S:
        raise UsageError(f"--budget {budget}: less than {LEAST_BUDGET_S:.0f} s suffices for nothing")
    sitting = _new(subject, asked, memory_bytes(memory) if memory else None, placed(server_cpus), results)
    _measured(sitting, as_json=as_json)


def memory_bytes(text: str) -> int:
    """`1GiB`, `512MiB`, or bytes."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(B|KiB|MiB|GiB|)", text.strip())
    if match is None or float(match[1]) <= 0:
        raise UsageError(f"--memory {text!r} is no amount: write 512MiB or 1GiB")
    return round(float(match[1]) * SIZES[match[2] or "B"])


def _from_suite(name: str, seed: int) -> Subject:
    definitions, suite = load_suite(name)
    plan = planning.build(definitions, suite, planning.Options(seed=seed))
    arm = plan.groups[0].arms[1]
    about = f"{arm.cell.target} on {arm.cell.server} in {arm.cell.scenario}, of suite {plan.suite}"
    return Subject(arm=replace(arm, rate_rps=None), plan=replace(plan, suite="tune", about=about, groups=()))


def _from_names(target: str | None, server: str | None, scenario: str | None, seed: int) -> Subject:
    if target is None or server is None or scenario is None:
        raise UsageError(
            "tune what? Give SUITE, or all of --target, --server and --scenario; `gatebench list` has them"
        )
    known = load_definitions()
    for kind, name, names in (
        ("target", target, known.targets),
        ("server", server, known.servers),
        ("scenario", scenario, known.scenarios),
    ):
        if name not in names:
            raise UsageError(f"--{kind} {name}: unknown; one of {', '.join(names)}")
    chosen, on, asks = known.targets[target], known.servers[server], known.scenarios[scenario]
    if chosen.interface != on.interface:
        raise UsageError(f"--server {server} serves {on.interface}, {target} is {chosen.interface}")
    made = planning.cell(chosen, on, asks)
    arm = Arm(id="t0", cell=made, connections=asks.connections, target=chosen, server=on, scenario=asks)
    return Subject(arm=arm, plan=_plan(f"{target} on {server} in {scenario}", seed))


def _plan(about: str, seed: int) -> Plan:
    """How a suite that says nothing is measured."""
    usual = Suite(name="tune", pairs=())
    return Plan(
        suite=usual.name,
        about=about,
        seed=seed,
        groups=(),
        blocks=usual.blocks,
        rounds=usual.rounds,
        slice_s=usual.slice_s,
        open_slice_s=usual.open_slice_s,
        margin=usual.margin,
        arrivals=usual.arrivals,
        upstream=usual.upstream,
        thresholds=usual.thresholds,
    )


def _new(subject: Subject, asked: Asked, limit: int | None, placement: Placement, results: Path) -> Sitting:
    from harness.tune.session import Found
    from harness.tune.sitting import Sitting

    folder = record.new_folder(results, "tune")
    remarks().print(
        f"tune: {subject.plan.about}, at most {units.clock(asked.budget_s)}, seed {subject.plan.seed}, into {folder}",
        soft_wrap=True,
    )
    info = new_info(folder, subject.plan, placement, kind="tune")
    return Sitting(folder=folder, arm=subject.arm, info=info, asked=asked, limit=limit, found=Found())


def _resumed(folder: Path, budget_s: float | None) -> Sitting:
    from harness.tune.sitting import resumed

    sitting = resumed(folder, budget_s)
    remarks().print(
        f"tune: {sitting.info.plan.about}, {units.clock(sitting.left_s)} left, into {folder}", soft_wrap=True
    )
    return sitting


def _measured(sitting: Sitting, *, as_json: bool) -> None:
    """Measure, show what came of it, and leave with the exit code that it calls for."""
    from harness.tune.sitting import measured

    console = remarks()
    if sitting.placement.shared:
        console.print("caveat: server and generator share a CPU here; use a machine with two or more", soft_wrap=True)
    found, answer = measured(sitting, lambda line: console.print(line, soft_wrap=True))
    _show(sitting.folder, answer, as_json=as_json)
    _end(sitting.folder, found, answer)


def _show(folder: Path, answer: Answer, *, as_json: bool) -> None:
    from harness.report.build import build
    from harness.report.figures import study
    from harness.report.terminal import terminal
    from harness.tune.answer import dump
    from harness.tune.explain import shell

    opened = study(folder)
    page = build(opened, folder) if opened.run.trials else None
    if as_json:
        print_json({"run": str(folder)} | json.loads(dump(answer)))
        return
    console = answers()
    if opened.run.trials:
        terminal(opened, console)
    for caveat in answer.caveats:
        console.print(f"! {caveat}", soft_wrap=True)
    if answer.command:
        console.print(f"\ndeploy: {shell(answer.command)}", soft_wrap=True)
    if page is not None:
        console.print(f"report: {page}", soft_wrap=True)


def _end(folder: Path, found: Found, answer: Answer) -> None:
    """Leave with the exit code that the answer calls for."""
    from harness.tune.conclusion import refusal

    if found.interrupted:
        so_far = (
            "the best answer so far stands above" if answer.candidates or answer.searched else "nothing is known yet"
        )
        remarks().print(f"interrupted: {so_far}; gatebench tune --resume {folder} goes on", soft_wrap=True)
        raise KeyboardInterrupt
    if answer.capacity_rps is not None and answer.capacity_rps.ending == "nothing holds":
        raise GateError(refusal(found) or f"no load holds {answer.slo}: {answer.explanation}")
    if answer.recommended is None:
        raise NothingValidError(f"nothing valid came out; the reasons stand in {folder}/{record.TRIALS} and the report")
