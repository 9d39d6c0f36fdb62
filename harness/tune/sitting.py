"""One sitting of a tuning, new or resumed: what it needs, and how it is measured into its folder."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness import record, units
from harness.errors import NothingValidError, UsageError
from harness.machine.placement import Placement
from harness.record import RunInfo, Trial, Writer, lock
from harness.record.conditions import today
from harness.record.sitting import under
from harness.subject.receipts import receipts
from harness.suite import Arm
from harness.trial.bench import opened
from harness.trial.progress import Silent
from harness.tune import conclusion, journal
from harness.tune.journal import Journal
from harness.tune.live import Live
from harness.tune.recommendation import FILE, Recommendation, dump
from harness.tune.session import tune
from harness.tune.state import Question, Tuning, objective
from harness.tune.subject import Subject


@dataclass(frozen=True, slots=True, kw_only=True)
class Sitting:
    """A tuning that is about to be measured, or to be gone on with."""

    folder: Path
    arm: Arm
    info: RunInfo
    question: Question
    memory_bytes: int | None
    """What a candidate may use."""
    tuning: Tuning
    earlier: tuple[Trial, ...] = ()
    """The trials of the sittings before this one."""
    began: float = field(default_factory=time.monotonic)
    """On the monotonic clock: launching the services counts too."""

    @property
    def placement(self) -> Placement:
        """The CPUs of each role."""
        return Placement(**self.info.placement)

    @property
    def left_s(self) -> float:
        """What is left of the budget, in seconds."""
        return self.question.budget_s - self.tuning.elapsed_s


def begun(subject: Subject, question: Question, memory_bytes: int | None, folder: Path, info: RunInfo) -> Sitting:
    """The first sitting of a tuning, into `folder`; `info` is what run.json will say of it."""
    return Sitting(
        folder=folder, arm=subject.arm, info=info, question=question, memory_bytes=memory_bytes, tuning=Tuning()
    )


def resumed(folder: Path, budget_s: float | None, *, accept_changes: bool = False) -> Sitting:
    """A sitting that goes on from `folder`, with its budget or a new budget, which is for all sittings together.

    Raises `UsageError` where nothing is left to do, there is nothing to go on from, it is still running, or machine,
    versions or code have changed and `accept_changes` is not given.
    """
    lock.refuse_if_held(folder)  # first: to read the steps cuts off a torn line
    run = record.read(folder)
    if run.info.kind != "tune":
        raise UsageError(f"{folder} is no tuning: gatebench run --resume goes on with it")
    question, tuning = Journal(folder / journal.FILE).resume()
    if budget_s is None and run.info.finished is not None:
        raise UsageError(f"{folder} came to its end: --budget with more than {units.clock(question.budget_s)} goes on")
    if (budget_s or question.budget_s) <= tuning.elapsed_s:
        raise UsageError(f"--budget: {units.clock(tuning.elapsed_s)} are spent already; give more")
    assert tuning.service is not None  # noqa: S101 - no journal is resumed without it
    arm = run.info.plan.groups[0].arms[0]
    info = under(folder, run.info, today(run.info, receipts([arm]).versions), accept_changes=accept_changes)
    return Sitting(
        folder=folder,
        arm=info.plan.groups[0].arms[0].over(tuning.service.connections),  # the lone worker had one
        info=replace(info, finished=None),
        question=replace(question, budget_s=budget_s or question.budget_s),
        memory_bytes=tuning.service.memory_bytes,
        tuning=tuning,
        earlier=run.trials,
    )


def measure(sitting: Sitting, say: Callable[[str], None]) -> tuple[Tuning, Recommendation]:
    """Measure until the choice is clear, the time is up, a launch or load fails, or Ctrl-C; write tune.json.

    Unless it came to its end, it can be resumed without a new budget. Raises `NothingValidError` where the server
    cannot be launched for want of a package, and `LaunchError` where not even one worker can be measured.
    """
    folder, arm = sitting.folder, sitting.arm
    stock = receipts([arm])
    if problem := stock.missing.get(arm.id):
        with contextlib.suppress(OSError):  # the folder of an earlier sitting is not empty, and stays
            folder.rmdir()
        raise NothingValidError(problem)
    with record.writing(folder, replace(sitting.info, versions=sitting.info.versions | stock.versions)) as writer:
        tuning = _tuned(sitting, writer, say)
        if not tuning.interrupted and tuning.failure is None:
            writer.finish()
    recommendation = conclusion.recommend(sitting.question, arm, tuning, sitting.info.plan.factors)
    writer.store(FILE, dump(recommendation).encode())
    return tuning, recommendation


def _tuned(sitting: Sitting, writer: Writer, say: Callable[[str], None]) -> Tuning:
    steps = Journal(sitting.folder / journal.FILE)
    if not sitting.earlier:
        steps.begin(sitting.question)
    with opened(sitting.info.plan, [sitting.arm], sitting.placement, writer, Silent(), {}) as bench:
        if problem := bench.missing.get(sitting.arm.id):
            raise NothingValidError(problem)
        question = sitting.question
        instrument = Live(
            sitting.arm,
            bench,
            writer,
            slo=objective(question, sitting.tuning),
            memory_bytes=sitting.memory_bytes,
            fills=question.rate_rps is None,
        )
        instrument.go_on(sitting.earlier)
        return tune(question, instrument, say, began=sitting.began, tuning=sitting.tuning, keep=steps.append)
