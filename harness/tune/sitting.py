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
from harness.measure import Silent
from harness.record import RunInfo, Trial, Writer
from harness.subject.receipts import receipts
from harness.suite import Arm
from harness.trial.bench import opened
from harness.tune import answer, conclusion, journal
from harness.tune.answer import Answer
from harness.tune.journal import Journal
from harness.tune.live import Live
from harness.tune.session import Asked, Found, tune
from harness.tune.subject import Subject


@dataclass(frozen=True, slots=True, kw_only=True)
class Sitting:
    """A tuning about to be measured, or to be gone on with."""

    folder: Path
    arm: Arm
    info: RunInfo
    asked: Asked
    limit: int | None
    """Memory in bytes that a candidate may use."""
    found: Found
    earlier: tuple[Trial, ...] = ()
    """What the sittings before this one measured."""
    began: float = field(default_factory=time.monotonic)
    """On the monotonic clock: launching the services counts too."""

    @property
    def placement(self) -> Placement:
        """The CPUs of each role."""
        return Placement(**self.info.placement)

    @property
    def left_s(self) -> float:
        """What is left of the budget, in seconds."""
        return self.asked.budget_s - self.found.elapsed_s


def begun(subject: Subject, asked: Asked, limit: int | None, folder: Path, info: RunInfo) -> Sitting:
    """The first sitting of a tuning: nothing is known, and `info` is what run.json will say of it."""
    return Sitting(folder=folder, arm=subject.arm, info=info, asked=asked, limit=limit, found=Found())


def resumed(folder: Path, budget_s: float | None) -> Sitting:
    """What an earlier sitting left, with its budget or a new one, which is for all sittings together.

    Raises `UsageError` where nothing is left to do, or nothing to go on from.
    """
    run = record.read(folder)
    if run.info.kind != "tune":
        raise UsageError(f"{folder} is no tuning: gatebench run --resume goes on with it")
    asked, found = Journal(folder / journal.FILE).resume()
    if budget_s is None and run.info.finished is not None:
        raise UsageError(f"{folder} came to its end: --budget with more than {units.clock(asked.budget_s)} goes on")
    if (budget_s or asked.budget_s) <= found.elapsed_s:
        raise UsageError(f"--budget: {units.clock(found.elapsed_s)} are spent already; give more")
    assert found.service is not None  # noqa: S101 - no journal is resumed without its setup
    return Sitting(
        folder=folder,
        arm=replace(run.info.plan.groups[0].arms[0], connections=found.service.connections),  # the probe had one
        info=replace(run.info, finished=None),
        asked=replace(asked, budget_s=budget_s or asked.budget_s),
        limit=found.service.memory_bytes,
        found=found,
        earlier=run.trials,
    )


def measured(sitting: Sitting, say: Callable[[str], None]) -> tuple[Found, Answer]:
    """Measure until the choice is clear, the time is up or Ctrl-C; the answer stands in the folder too."""
    folder, arm = sitting.folder, sitting.arm
    stock = receipts([arm])
    if problem := stock.missing.get(arm.id):
        with contextlib.suppress(OSError):  # of an earlier sitting it is not empty, and stays
            folder.rmdir()
        raise NothingValidError(problem)
    with record.writing(folder, replace(sitting.info, versions=sitting.info.versions | stock.versions)) as writer:
        found = _session(sitting, writer, say)
        if not found.interrupted and found.failure is None:
            writer.finish()
    told = conclusion.answer(sitting.asked, arm, found)
    (folder / answer.FILE).write_text(answer.dump(told), encoding="utf-8")
    return found, told


def _session(sitting: Sitting, writer: Writer, say: Callable[[str], None]) -> Found:
    steps = Journal(sitting.folder / journal.FILE)
    if not sitting.earlier:
        steps.begin(sitting.asked)
    with opened(sitting.info.plan, [sitting.arm], sitting.placement, writer, Silent(), {}) as bench:
        instrument = Live(sitting.arm, bench, writer, slo=sitting.asked.slo, memory_bytes=sitting.limit)
        instrument.go_on(sitting.earlier)
        return tune(sitting.asked, instrument, say, began=sitting.began, found=sitting.found, keep=steps.append)
