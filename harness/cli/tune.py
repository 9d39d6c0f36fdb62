"""`gatebench tune`: how many workers to deploy, and what they hold."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness import record, units
from harness.cli.before import SharedCpu, Strict, disturbances, noted
from harness.cli.beside import announced
from harness.cli.options import (
    RESULTS,
    AcceptChanges,
    AsJson,
    Cpus,
    Results,
    Seed,
    ServerCpus,
    fresh_seed,
    memory_bytes,
    placed,
    pod,
    seconds,
)
from harness.cli.output import answers, print_json, quoted, remarks
from harness.cli.own import App, Own, Path_, Python, own_arm
from harness.errors import UsageError
from harness.machine.placement import Placement
from harness.record.folders import still_there
from harness.record.sitting import new_info
from harness.suite import Pod

if TYPE_CHECKING:
    from harness.tune.recommendation import Recommendation
    from harness.tune.sitting import Sitting
    from harness.tune.state import Question, Tuning
    from harness.tune.subject import Subject

BUDGET = "5m"
MOST_RATE, MOST_HEADROOM = 10_000_000, 9.0
"""Requests a second, and the share of them: more than anybody means."""
MOST_POOL = 1024
"""Connections that the lone worker's slots are counted by, where no load decides it."""


def tune(
    suite: Annotated[
        str | None, typer.Argument(metavar="SUITE", help="Tune side b of a suite's first pair, as it stands there.")
    ] = None,
    *,
    target: Annotated[str | None, typer.Option(metavar="T", help="Instead of a suite: the target,")] = None,
    server: Annotated[
        str | None,
        typer.Option(metavar="S", help="the server that it runs on (of an --app: gunicorn-gthread or uvicorn),"),
    ] = None,
    scenario: Annotated[str | None, typer.Option(metavar="C", help="and the scenario.")] = None,
    app: App = None,
    path: Path_ = None,
    python: Python = None,
    slo: Annotated[
        str | None,
        typer.Option(metavar="SLO", help="Objectives to hold, such as `p99<100ms,errors<0.1%`; default: p99<100ms."),
    ] = None,
    rate: Annotated[
        str | None,
        typer.Option(metavar="500/s", help="With --slo: find the cheapest settings that hold this rate."),
    ] = None,
    headroom: Annotated[
        str | None, typer.Option(metavar="30%", help="What they must hold beyond the rate; default: 30%.")
    ] = None,
    budget: Annotated[str | None, typer.Option(metavar="5m", help="Time that it may take; default: 5m.")] = None,
    memory: Annotated[str | None, typer.Option(metavar="1GiB", help="Memory that the servers may take.")] = None,
    cpus: Cpus = None,
    seed: Seed = None,
    resume: Annotated[
        str | None,
        typer.Option(metavar="RUN", help="Go on with a tuning that did not come to its end, or with more --budget."),
    ] = None,
    accept_changes: AcceptChanges = False,
    server_cpus: ServerCpus = None,
    strict: Strict = False,
    shared_cpu: SharedCpu = False,
    results: Results = RESULTS,
    as_json: AsJson = False,
) -> None:
    """The workers and threads to deploy: the cheapest that hold about as much as the best under --slo, and how much.

    With --slo and --rate: the cheapest workers and threads that hold the rate with headroom, by memory first.
    With --cpus everything is measured in a pod, whose memory limit --memory is then.

    Ctrl-C ends it with the best answer so far. Exit code 1 when no load, or nothing at the rate, holds the objectives,
    3 when a launch or a load fails: what was measured is kept, and --resume goes on.

    Examples: `gatebench tune --target flask --server gunicorn-gthread --scenario external-data --slo "p99<100ms"`,
    `gatebench tune --app shop:app --path /products --slo "p99<100ms" --rate 500/s`,
    `gatebench tune --target flask --server gunicorn-gthread --scenario external-data --cpus 0.5 --memory 512MiB`,
    `gatebench tune my-suite.toml --budget 10m`, `gatebench tune --app shop:app --path /products`,
    `gatebench tune --resume latest`.
    """
    look = partial(disturbances, strict=strict, shared_cpu=shared_cpu)
    if resume is not None:
        if (
            suite
            or target
            or server
            or scenario
            or app
            or path
            or python
            or slo
            or rate
            or headroom
            or memory
            or cpus
            or seed
            or server_cpus
        ):
            raise UsageError("--resume takes all but --budget from the run: leave the rest out")
        sitting = _resumed(record.find(resume, results), budget, accept_changes=accept_changes)
        found = look([[sitting.arm]], sitting.placement, sitting.info.plan.thresholds)
    else:
        if app or path or python:
            if suite or target or scenario:
                raise UsageError("either SUITE, or --target and --scenario, or --app and --path")
            subject = _own(app, path, python, server, seed)
        else:
            subject = _subject(suite, target, server, scenario, seed)
        if rate is not None:
            subject = replace(subject, arm=subject.arm.over(MOST_POOL))
        if cpus is not None and (inside := pod(cpus, memory)):
            subject = _within(subject, inside)
        limit = memory_bytes(memory) if memory else subject.arm.cell.memory_limit_bytes
        question, placement = _question(slo, budget, subject.plan.margin, rate, headroom), placed(server_cpus)
        found = look([[subject.arm]], placement, subject.plan.thresholds)
        sitting = _new(subject, question, limit, placement, results)
    _measured(replace(sitting, info=noted(sitting.info, found)), as_json=as_json)


def _subject(
    suite: str | None, target: str | None, server: str | None, scenario: str | None, seed: int | None
) -> Subject:
    from harness.tune.subject import of_names, of_suite

    if suite and (target or server or scenario):
        raise UsageError("either SUITE or --target, --server and --scenario")
    number = fresh_seed(seed)
    return of_suite(suite, number) if suite else of_names(target, server, scenario, number)


def _own(app: str | None, path: str | None, python: str | None, server: str | None, seed: int | None) -> Subject:
    from harness.tune.subject import of_arm

    named = Own(option="--app", app=app, server_option="--server", server=server)
    return of_arm(*own_arm(named, path, python), fresh_seed(seed))


def _within(subject: Subject, inside: Pod) -> Subject:
    from harness.tune.subject import within

    return within(subject, inside)


def _question(slo: str | None, budget: str | None, margin: float, rate: str | None, headroom: str | None) -> Question:
    from harness.judge.slo import parse
    from harness.tune.rate.asked import HEADROOM
    from harness.tune.state import Question

    if headroom is not None and rate is None:
        raise UsageError("--headroom is what must be held beyond a --rate: give that too")
    return Question(
        slo=parse(slo) if slo else None,
        budget_s=seconds(budget or BUDGET),
        margin=margin,
        rate_rps=rate_rps(rate) if rate else None,
        headroom=share(headroom) if headroom else HEADROOM,
    )


def rate_rps(text: str) -> float:
    """`500/s`, `500`, `30000/min` or `0.5/s` as requests a second."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(/s|/min|rps|)", text.strip())
    if match is None or not 0 < float(match[1]) <= MOST_RATE:
        raise UsageError(f"--rate {text!r} is no rate: write 500/s or 30000/min")
    return float(match[1]) / (60 if match[2] == "/min" else 1)


def share(text: str) -> float:
    """`30%` or `0.3`; 0 for none."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(%?)", text.strip())
    value = float(match[1]) / (100 if match[2] else 1) if match else -1.0
    if not 0 <= value <= MOST_HEADROOM:
        raise UsageError(f"--headroom {text!r} is no share of a rate: write 30% or 0.3, at most {MOST_HEADROOM:.0%}")
    return value


def _new(
    subject: Subject, question: Question, memory_limit: int | None, placement: Placement, results: Path
) -> Sitting:
    from harness.tune.sitting import begun

    folder = record.new_folder(results, "tune")
    info = new_info(folder, subject.plan, placement, quoted(results), kind="tune")
    return _announced(begun(subject, question, memory_limit, folder, info))


def _resumed(folder: Path, budget: str | None, *, accept_changes: bool) -> Sitting:
    from harness.tune.sitting import resumed

    return _announced(resumed(folder, seconds(budget) if budget else None, accept_changes=accept_changes))


def _announced(sitting: Sitting) -> Sitting:
    """Say what is tuned, for how long and into which folder; the sitting itself."""
    plan = sitting.info.plan
    left = units.clock(sitting.left_s)
    time = f"{left} left" if sitting.tuning.setup else f"at most {left}, seed {plan.seed}"
    remarks().print(f"tune: {plan.about}, {time}, into {sitting.folder}", soft_wrap=True)
    return sitting


def _measured(sitting: Sitting, *, as_json: bool) -> None:
    """Measure, print the recommendation, and leave with the exit code that it calls for."""
    from harness.tune.sitting import measure

    console = remarks()
    with announced("tune", sitting.folder):
        tuning, recommendation = measure(sitting, lambda line: console.print(line, soft_wrap=True))
    _show(sitting.folder, recommendation, as_json=as_json)
    _end(sitting.folder, tuning, recommendation)


def _show(folder: Path, recommendation: Recommendation, *, as_json: bool) -> None:
    from harness.report.build import build
    from harness.report.figures import study
    from harness.report.terminal import terminal
    from harness.tune.explain import shell
    from harness.tune.recommendation import dump
    from harness.tune.resources import manifest

    with still_there(folder, f"gatebench report {folder}"):
        opened = study(folder)
    page = build(opened, folder) if opened.run.trials else None
    if as_json:
        print_json({"run": str(folder)} | json.loads(dump(recommendation)))
        return
    console = answers()
    if opened.run.trials:
        terminal(opened, console)
    for caveat in recommendation.caveats:
        console.print(f"! {caveat}", soft_wrap=True)
    if recommendation.command:
        console.print(f"\ndeploy: {shell(recommendation.command)}", soft_wrap=True)
        if recommendation.resources:
            console.print(manifest(recommendation.resources), soft_wrap=True)
    if page is not None:
        console.print(f"report: {page}", soft_wrap=True)


def _end(folder: Path, tuning: Tuning, recommendation: Recommendation) -> None:
    """After Ctrl-C say how to go on; leave with the exit code that the recommendation calls for."""
    from harness.tune.conclusion import shortfall

    if tuning.interrupted:
        known = recommendation.candidates or recommendation.searched
        so_far = "the best answer so far stands above" if known else "nothing is known yet"
        way_on = f"gatebench tune --resume {folder} goes on" if tuning.setup else "call gatebench tune again"
        remarks().print(f"interrupted: {so_far}; {way_on}", soft_wrap=True)
        raise KeyboardInterrupt
    if error := shortfall(folder, tuning, recommendation):
        raise error
