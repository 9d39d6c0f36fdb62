"""Runs that never happened, for the report's tests, and their records and reports."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from harness import record
from harness.judge.compare import within
from harness.record import GeneratorShare, Run, RunInfo
from harness.report.build import build
from harness.report.charts import charts
from harness.report.drawing import draw
from harness.report.figures import Study, study
from harness.report.page import report
from harness.spec.machines import Machine
from tests.report.report_pairs import FakePair, quick_pairs
from tests.report.report_plans import plan
from tests.report.report_trials import trials_of

if TYPE_CHECKING:
    from pathlib import Path

    from harness.suite import Phase, Plan


def run(
    pairs: list[FakePair] | None = None,
    *,
    suite: str = "quick",
    blocks: int = 5,
    phases: tuple[Phase, ...] = ("closed", "open"),
    seed: int = 7,
    name: str = "20261124T070000Z-quick",
) -> Run:
    """A finished run of these pairs (the six of `quick` by default)."""
    pairs = quick_pairs() if pairs is None else pairs
    the_plan = plan(pairs, suite=suite, blocks=blocks, phases=phases)
    return Run(path=name, info=info(the_plan, name), trials=tuple(trials_of(the_plan, pairs, seed)))


def driven(run: Run, *machines: Machine) -> Run:
    """The same, of two generators: the second drove a third, and has a clock of its own with `machines`."""
    one = GeneratorShare(generator=1, connections=8, requests=200, cpu_percent=40.0, waiting_fraction=0.01)
    two = dataclasses.replace(one, generator=2, requests=100, cpu_percent=70.0)
    if machines:
        two = dataclasses.replace(two, clock_offset_us=-2.5e6, clock_bound_us=120.0)
    trials = []
    for trial in run.trials:
        late = trial.phase == "open"
        shares = [
            dataclasses.replace(each, lateness_p99_us=250.0 * each.generator if late else None) for each in (one, two)
        ]
        trials.append(dataclasses.replace(trial, generators=() if trial.error else tuple(shares)))
    plan_ = dataclasses.replace(run.info.plan, generators=2, machines=machines)
    return dataclasses.replace(run, info=dataclasses.replace(run.info, plan=plan_), trials=tuple(trials))


def info(the_plan: Plan, name: str) -> RunInfo:
    """A run.json."""
    return RunInfo(
        run=name,
        started="2026-11-24T07:00:00Z",
        finished="2026-11-24T07:08:40Z",
        gatebench="0.1.0",
        command=("gatebench", "run", the_plan.suite),
        plan=the_plan,
        versions={
            "fastapi": "0.165.0",
            "flask": "3.1.3",
            "gunicorn": "27.0.1",
            "uvicorn": "0.54.0",
            "uvloop": "0.23.0",
            "httptools": "0.9.0",
            "locust": "2.47.0",
            "gevent": "26.9.0",
            "redis-server": "6.2.14",
        },
        environment={
            "cpu": "Intel(R) Xeon(R) Platinum 8488C",
            "cores": 2,
            "kernel": "6.1.0",
            "python": "3.11.2",
            "memory_bytes": 24 * 2**30,
            "container": False,
        },
        placement={"server": (0,), "generator": (1,), "services": (1,)},
    )


def interrupted(whole: Run, keep: int) -> Run:
    """The run as it is after `keep` trials, when it was killed."""
    info_ = dataclasses.replace(whole.info, finished=None)
    return dataclasses.replace(whole, info=info_, trials=whole.trials[:keep], torn=1)


def written(whole: Run, folder: Path) -> Path:
    """The run's records under `folder`, as a run leaves them."""
    target = folder / whole.info.run
    target.mkdir(parents=True, exist_ok=True)
    with record.writing(target, whole.info) as writer:
        for trial in whole.trials:
            writer.append(trial)
    return target


def study_of(whole: Run) -> Study:
    """The run as a report sees it, without a folder."""
    return Study(whole, within(whole))


def paged(seen: Study) -> str:
    """The page alone of a report: to draw the PNGs beside it would take most of the time."""
    return report(seen, draw(list(charts(seen)), png=False))


def built(folder: Path) -> Path:
    """The page of the report that is made of a folder."""
    return build(study(folder), folder)
