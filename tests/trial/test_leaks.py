"""A long run takes no more of anything than a short one, but for the rows on its disk."""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from harness import measure, record, spec
from harness.machine.identity import PROC
from harness.machine.placement import Placement
from harness.machine.pods import NONE, Groups
from harness.machine.process import Process
from harness.record import Trial
from harness.record.sitting import begin
from harness.subject.answers import Answer
from harness.subject.launch import Launched
from harness.subject.receipts import Receipts
from harness.suite import Arm, Prepared, Thresholds, prepared
from harness.trial import site
from harness.trial.generator import Generator, OnEvent
from harness.trial.progress import Silent
from tests import factories

TRIALS = 1000
SETTLED = 100
"""Trials after which everything is imported and every cache is filled."""
MOST_BYTES = 4_700_000
MOST_ROW_BYTES = 20_000
RESPONSES = factories.histogram(np.random.default_rng(1).lognormal(5, 0.2, 2_000))


class Nothing:
    """Stands for what was started."""

    def members(self) -> list[int]:
        """No process."""
        return []

    def alive(self) -> bool:
        """Yes."""
        return True

    def ask_to_stop(self) -> None:
        """It need not."""


@dataclass(frozen=True)
class FakeServer:
    """Answers at once."""

    arm: Arm
    process: Nothing
    host: str = "127.0.0.1"
    port: int = 1
    groups: Groups = NONE
    proc: Path = PROC

    @property
    def each(self) -> tuple[FakeServer, ...]:
        """It is one."""
        return (self,)

    def killed(self) -> None:
        """It is in no pod."""

    def memory(self) -> None:
        """It has none."""

    def wait_ready(self, *_: float) -> None:
        """It is."""

    def requests(self) -> tuple[Prepared, ...]:
        """What its scenario asks."""
        return prepared(self.arm.scenario)

    def verify(self, *_: object) -> Answer:
        """A right answer."""
        return Answer(status=200, headers={}, body=b"ok")


@contextmanager
def fake_launch(arm: Arm, *_: Any, **__: Any) -> Iterator[Launched]:
    """Launch nothing."""
    yield cast("Launched", FakeServer(arm, Nothing()))


def fake_load(_: Generator, order: spec.Spec, on_event: OnEvent, _check: Callable[[], None]) -> spec.Result:
    """A slice for each arm and round, in no time."""
    process = cast("Process", Nothing())
    slices = []
    for number, turn in enumerate(order.rounds):
        for position in turn:
            arm = order.arms[position].name
            for event in ("started", "opened", "closed"):
                on_event(spec.Event(event=cast("Any", event), arm=arm, round=number), process)
            on_event(spec.Event(event="drained", arm=arm, round=number, throughput_rps=1000.0), process)
            slices.append(a_slice(arm, number))
    totals = [
        spec.Totals(arm=arm.name, attempts=500, good=500, errors=0, connects=8, reconnects=0, response_s=0.064)
        for arm in order.arms
    ]
    return spec.Result(slices=tuple(slices), totals=tuple(totals))


def a_slice(arm: str, number: int) -> spec.Slice:
    """Half a second."""
    return spec.Slice(
        arm=arm,
        round=number,
        start_ns=0,
        length_s=0.5,
        requests=500,
        good=500.0,
        errors=0,
        throughput_rps=1000.0,
        half_rps=(1000.0, 1000.0),
        in_flight=64.0,
        mean_latency_us=64_000.0,
        latency=RESPONSES,
        generator=spec.SliceCheck(cpu_percent=20.0, waiting_fraction=0.0),
    )


def holdings() -> tuple[int, int, int]:
    """Resident bytes, open descriptors and threads of this process."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE"), len(list(Path("/proc/self/fd").iterdir())), threading.active_count()


@dataclass
class Watch(Silent):
    """Looks at what is held after SETTLED trials, and after all."""

    trials: int = 0
    held: list[tuple[int, int, int]] = field(default_factory=list)

    def trial_done(self, trial: Trial) -> None:
        """Count."""
        del trial
        self.trials += 1
        if self.trials in {SETTLED, TRIALS}:
            self.held.append(holdings())


def test_a_run_of_1000_trials_leaks_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory, descriptors, threads; and a row stays small."""
    monkeypatch.setattr(Generator, "start", lambda _: None)
    monkeypatch.setattr(Generator, "run", fake_load)
    monkeypatch.setattr(site, "launch_pods", fake_launch)
    monkeypatch.setattr(site, "wait_settled", lambda _servers: None)
    monkeypatch.setattr(site, "receipts", lambda _arms: Receipts(versions={}, missing={}))
    anywhere = Thresholds(outside_load=1.0, steal=1.0)  # how busy this machine is, is none of this test's business
    plan = factories.plan(blocks=TRIALS // 2, rounds=1, thresholds=anywhere)
    watch = Watch()
    placement = Placement(server=(0,), generator=(0,), services=())
    measure.measure(begin(tmp_path, plan, placement, None), watch)
    assert watch.trials == TRIALS
    before, after = watch.held
    assert after[0] - before[0] < MOST_BYTES
    assert after[1:] == before[1:]
    assert (tmp_path / record.TRIALS).stat().st_size < TRIALS * MOST_ROW_BYTES
    assert {trial.reasons for trial in record.read(tmp_path).trials} == {()}
