"""A tuning whose servers are never launched, with a clock that only its steps move."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.errors import LaunchError
from harness.judge.slo import Tally, parse
from harness.machine import environment
from harness.machine.placement import place
from harness.spec.histogram import Histogram
from harness.subject.receipts import Receipts
from harness.tune import sitting as sittings
from harness.tune.blocks import BlockOutcome, Measured
from harness.tune.candidates import Candidate, Service
from harness.tune.journal import Journal
from harness.tune.live import LAUNCH_TRIALS
from harness.tune.next_rate import Try
from harness.tune.rate.asked import Asked, Offered, RateBlock
from harness.tune.session import tune
from harness.tune.sitting import Sitting
from harness.tune.state import LoneWorker, Offer, Question, Tuning
from harness.tune.subject import Subject
from harness.tune.trials import RateTrial
from harness.tune.variants import Variant, VariantBlock
from tests import factories

SERVICE = Service(cores=1, connections=16, unloaded_s=0.050, cpu_s_per_request=0.001, slots="one", worker_bytes=1000)
ARM = factories.arm(
    target=factories.FLASK,
    server=factories.sync_server(argv=("{python}", "-m", "gunicorn", "{app}", "-w", "{workers}")),
    scenario=factories.EXTERNAL,
)
FAST = Question(slo=parse("p99<100ms"), budget_s=480.0)


@dataclass
class Fake:
    """An instrument: sixteen slots are enough, 300 a second hold, and every step moves the clock."""

    now: float = 0.0
    broken: tuple[int, ...] = ()
    """Numbers of workers that do not come up."""
    unusable: bool = False
    """Whether the trials of the search are invalid."""
    capacity_rps: float = 300.0
    service: Service = SERVICE
    limit: str | None = None
    stop_at: int | None = None
    """The step at which the user presses Ctrl-C."""
    fail_at: int | None = None
    """The step at which `failure` is raised."""
    failure: Exception = field(default_factory=lambda: LaunchError("gunicorn ended with exit code 3"))
    steps: int = 0
    offered: int = 0
    launches: int = 0
    """Of the server that is searched with."""
    rates: list[float] = field(default_factory=list)
    """The rate of each block of open load."""
    launched: list[Candidate] = field(default_factory=list)
    stopped: list[Candidate] = field(default_factory=list)
    varied: bool = False
    """Whether the server has a factor that is for memory."""
    varied_over: list[int | None] = field(default_factory=list)
    """The connections of each block that varied it."""
    seeds: list[tuple[float, float]] = field(default_factory=list)
    """Where each search began, and over how many connections."""

    def go_on(self, _earlier: object) -> None:
        """Of the records of an earlier sitting nothing is needed."""

    def lone_worker(self) -> LoneWorker:
        """Thirty answers of fifty milliseconds."""
        self._step(5.0)
        responses = Histogram()
        responses.record([50_000] * 30)
        return LoneWorker(service=self.service, tally=Tally(arrivals=30, errors=0, unsent=0, response_us=responses))

    def block(self, group: tuple[Candidate, ...]) -> BlockOutcome:
        """Twenty answers a second for each worker, up to sixteen."""
        took_s = sum(2.0 + 0.3 * candidate.workers for candidate in group)
        self._step(took_s)
        return BlockOutcome(measured=tuple(self._measured(candidate) for candidate in group), took_s=took_s)

    def rate_block(self, group: tuple[Candidate, ...], asked: Asked) -> RateBlock:
        """A slot answers twenty a second."""
        took_s = sum(asked.slice_s + 1.5 for _ in group)
        start_s = self.now
        self._step(took_s)
        self.rates.append(asked.offered_rps)
        offered = tuple(self._held(candidate, asked, start_s) for candidate in group)
        return RateBlock(offered=offered, took_s=took_s)

    def _held(self, candidate: Candidate, asked: Asked, start_s: float) -> Offered:
        slots = candidate.slots if self.service.slots != "loop" else 1000
        holds = asked.offered_rps <= min(20.0 * slots, self.capacity_rps)
        trial = RateTrial(
            rate_rps=asked.offered_rps,
            planned_s=asked.slice_s,
            start_s=start_s,
            took_s=asked.slice_s + 1,
            outcome="held" if holds else "exceeded",
            loss_ratio=0.005 if holds else 0.4,
            excess=0.5 if holds else 40.0,
            objective="p99 < 100 ms",
            cause="late",
            p99_us=60_000.0 if holds else 400_000.0,
            cpu_s_per_request=0.0002,
            limit=None if holds else "worker-slots" if self.capacity_rps > asked.offered_rps else "server-cpu",
        )
        if self.unusable or candidate.workers in self.broken:
            trial = replace(trial, outcome="invalid", reasons=("did not come up",))
        memory_bytes = 1000 * candidate.workers
        return Offered(candidate=candidate, trial=trial, memory_bytes=memory_bytes, first_answer_s=0.5, shared_bytes=30)

    def variants(self, chosen: Candidate, connections: int | None) -> VariantBlock | None:
        """Half the memory where `varied` says so."""
        if not self.varied:
            return None
        self._step(10.0)
        self.launched.append(chosen)
        self.stopped.append(chosen)
        self.varied_over.append(connections)
        whole, half = self._measured(chosen), replace(self._measured(chosen), memory_bytes=500 * chosen.workers)
        return VariantBlock(
            candidate=chosen,
            variants=(
                Variant(factor="", level="", words="", measured=whole),
                Variant(factor="preload", level="preload", words="preloaded", measured=half),
            ),
            took_s=10.0,
        )

    @contextmanager
    def searching(self, chosen: Candidate, seed_rps: float, connections: int) -> Iterator[Offer]:
        """Every rate up to the capacity holds."""
        self.launched.append(chosen)
        self.seeds.append((seed_rps, connections))
        try:
            yield self._offered
        finally:
            self.stopped.append(chosen)

    def _measured(self, candidate: Candidate) -> Measured:
        if candidate.workers in self.broken:
            return Measured(candidate=candidate, error="did not come up")
        return Measured(
            candidate=candidate,
            throughput_rps=20.0 * min(16, candidate.workers),
            memory_bytes=1000 * candidate.workers,
            first_answer_s=0.3,
            shared_bytes=20,
            shared_lost_bytes=4,
            limit=self.limit,
            cpu_s_per_request=0.0002,
        )

    def _offered(self, step: Try) -> RateTrial:
        start_s = self.now
        self._step(step.up_to_s + 1)
        self.launches += step.afresh or self.offered % LAUNCH_TRIALS == 0
        self.offered += 1
        trial = RateTrial(
            rate_rps=step.rate_rps,
            planned_s=step.up_to_s,
            start_s=start_s,
            took_s=step.up_to_s + 1,
            launch=self.launches - 1,
            outcome="held",
        )
        if self.unusable:
            return replace(trial, outcome="invalid", reasons=("steal",))
        if step.rate_rps > self.capacity_rps:
            return replace(trial, outcome="exceeded", objective="p99 < 100 ms", cause="late")
        return trial

    def _step(self, seconds: float) -> None:
        self.now += seconds
        self.steps += 1
        if self.steps == self.stop_at:
            raise KeyboardInterrupt
        if self.steps == self.fail_at:
            raise self.failure


def session(
    fake: Fake,
    question: Question = FAST,
    say: Callable[[str], None] = lambda _: None,
    journal: Journal | None = None,
    tuning: Tuning | None = None,
) -> Tuning:
    """What `fake` measures, going on from `tuning` where one is given."""
    keep = journal.append if journal else lambda _, __: None
    return tune(question, fake, say, clock=lambda: fake.now, tuning=tuning, keep=keep)


def instead(monkeypatch: pytest.MonkeyPatch, fake: Fake) -> None:
    """Let sittings measure with `fake`, without services or versions."""

    @contextmanager
    def opened(*_: Any) -> Iterator[SimpleNamespace]:
        yield SimpleNamespace(missing={})

    monkeypatch.setattr(sittings, "opened", opened)
    monkeypatch.setattr(sittings, "receipts", lambda _: Receipts(versions={}, missing={}))
    monkeypatch.setattr(sittings, "Live", lambda *_, **__: fake)


def new_sitting(folder: Path) -> Sitting:
    """A sitting that has nothing to go on from, on this machine."""
    group = factories.group(ARM, ARM, pairs=())
    here = environment.describe()
    placement = place(tuple(here["usable_cpus"])).as_dict()
    info = factories.run(factories.plan(group), kind="tune", environment=here, placement=placement).info
    return sittings.begun(Subject(arm=ARM, plan=info.plan), FAST, None, folder, info)


def service(**changes: Any) -> Service:
    """One core, 50 ms of waiting and 1 ms of work: sync workers up to the 16 connections."""
    given: dict[str, Any] = {
        "cores": 1,
        "connections": 16,
        "unloaded_s": 0.051,
        "cpu_s_per_request": 0.001,
        "slots": "one",
    }
    return Service(**given | changes)


def workers(*counts: int) -> tuple[Candidate, ...]:
    """Candidates of one thread."""
    return tuple(Candidate(count) for count in counts)
