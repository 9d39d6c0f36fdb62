"""From a question and a budget to all that a tuning measures; what launches servers and loads them is behind one seam.

    one worker under one connection -> blocks of candidates until the choice is clear -> rates under the chosen count

All that is known so far stands in a `Tuning` at any moment. So Ctrl-C, or a launch that fails, ends the work and not
the answer, and the next sitting goes on from there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from statistics import median
from typing import Protocol

from scipy.stats import binom

from harness import units
from harness.errors import AnswerError, LaunchError, LoadError, UsageError
from harness.judge.slo import Loss, Slo, Tally
from harness.tune import next_block, next_rate
from harness.tune.blocks import BlockOutcome, BlocksEnding, Setup
from harness.tune.candidates import Candidate, Service, candidates
from harness.tune.choice import Choice, choose
from harness.tune.next_block import Measure
from harness.tune.next_rate import Try
from harness.tune.rows import rows
from harness.tune.search import Search
from harness.tune.trials import UNUSABLE, Ending, RateTrial

LEAST_BUDGET_S = 20.0
"""Less does not suffice for the lone worker and a block."""
CHOOSING = 0.4
"""Share of the budget after which the search for the capacity gets its turn."""
CLOSING_S, CLOSING = 4.0, 0.05
"""What stopping the servers and drawing the report take of the budget: so long, or that share of a short one."""
CERTAIN = 1e-4
"""Chance of so many losses if the objective held, below which it is certain that it does not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What the user wants to know, and how long it may take; raises `UsageError` where that is too short."""

    slo: Slo | None
    """The objectives to search the capacity under; None: only the count is asked for."""
    budget_s: float
    margin: float = 0.05

    def __post_init__(self) -> None:
        if self.budget_s < LEAST_BUDGET_S:
            least = units.clock(LEAST_BUDGET_S)
            raise UsageError(f"--budget: {units.clock(self.budget_s)} suffice for nothing; give {least} or more")


@dataclass(frozen=True, slots=True, kw_only=True)
class LoneWorker:
    """What one worker under one connection showed."""

    service: Service
    tally: Tally


Offer = Callable[[Try], RateTrial]
"""Offers the launched server one rate."""
Step = Setup | BlockOutcome | RateTrial
"""What a later sitting goes on from."""
Keep = Callable[[Step, float], None]
"""Gets each step, and the seconds that the tuning had taken by then."""


class Instrument(Protocol):
    """What launches servers and offers loads: `live.Live`, or a test's."""

    def lone_worker(self) -> LoneWorker:
        """Measure one worker under one connection; raises `LaunchError` when it does not answer."""

    def block(self, group: tuple[Candidate, ...]) -> BlockOutcome:
        """Launch `group` side by side and measure a block; candidates that failed are in it too."""

    def searching(self, chosen: Candidate, seed_rps: float, connections: int) -> AbstractContextManager[Offer]:
        """Make ready to offer `chosen` rates around `seed_rps` over `connections`; what it gives offers one rate."""


@dataclass(slots=True)
class Tuning:
    """All that is known so far."""

    service: Service | None = None
    setup: Setup | None = None
    blocks: list[BlockOutcome] = field(default_factory=list)
    ended: BlocksEnding | None = None
    """Why no further block was measured."""
    search: Search | None = None
    connections: int | None = None
    """Over which the rates are offered."""
    trials: list[RateTrial] = field(default_factory=list)
    ending: Ending | None = None
    """Why no further rate was offered."""
    refused: Loss | None = None
    """The objective that even one connection misses."""
    interrupted: bool = False
    failure: str | None = None
    """What a launch or a load said that failed and so broke the tuning off."""
    elapsed_s: float = 0.0
    """Of all sittings."""

    @property
    def choice(self) -> Choice | None:
        """The candidate to deploy, as far as the blocks tell."""
        return choose(self.setup, self.blocks) if self.setup and self.blocks else None


@dataclass(frozen=True, slots=True)
class _Session:
    """What all steps need."""

    question: Question
    instrument: Instrument
    tuning: Tuning
    say: Callable[[str], None]
    keep: Keep
    elapsed_s: Callable[[], float]

    def left_s(self, share: float = 1.0) -> float:
        """Seconds of the budget, or of a share of it, that are left."""
        budget_s = self.question.budget_s
        return share * (budget_s - min(CLOSING_S, CLOSING * budget_s)) - self.elapsed_s()

    def report(self, line: str) -> None:
        """Say what was done, and how much time is left."""
        self.say(f"{line}; about {units.clock(max(0.0, self.left_s()))} left")

    def done(self, step: Step) -> None:
        """Keep a step."""
        self.keep(step, self.elapsed_s())


def tune(
    question: Question,
    instrument: Instrument,
    say: Callable[[str], None],
    clock: Callable[[], float] = time.monotonic,
    *,
    began: float | None = None,
    tuning: Tuning | None = None,
    keep: Keep = lambda _, __: None,
) -> Tuning:
    """Measure what the budget allows, which counts from `began`; `say` gets a line for each step, `keep` the step.

    `tuning` is what earlier sittings left; it is carried on and returned. After Ctrl-C, or when a launch or a load
    fails, it holds what was measured until then, and says so. Raises `LaunchError` where not even one worker can be
    measured: then there is nothing to go on from.
    """
    tuning = tuning or Tuning()
    began = (clock() if began is None else began) - tuning.elapsed_s
    session = _Session(question, instrument, tuning, say, keep, lambda: clock() - began)
    try:
        if tuning.setup is not None or _possible(session):
            _choose(session)
            if question.slo is not None:
                _search(session, question.slo)
    except KeyboardInterrupt:
        tuning.interrupted = True
    except (LaunchError, AnswerError, LoadError) as error:
        if tuning.setup is None:
            raise
        tuning.failure = str(error)
    tuning.elapsed_s = session.elapsed_s()
    return tuning


def _possible(session: _Session) -> bool:
    """Measure one worker under one connection; whether it keeps the objectives, for no load is lighter."""
    slo, tuning = session.question.slo, session.tuning
    alone = session.instrument.lone_worker()
    tuning.service = alone.service
    for loss in slo.evaluate(alone.tally) if slo else ():
        if loss.arrivals and binom.sf(loss.lost - 1, loss.arrivals, loss.objective.loss_goal) < CERTAIN:
            tuning.refused = loss
            return False
    session.report(_described(alone.service))
    return True


def _described(service: Service) -> str:
    ladder = candidates(service)
    first, last = _name(ladder[0]), _name(ladder[-1])
    response, cpu = units.seconds(service.unloaded_s), units.seconds(service.cpu_s_per_request)
    ends = f"{first} to {last}" if len(ladder) > 1 else first
    return f"unloaded response {response}, {cpu} of CPU a request: {len(ladder)} candidates from {ends}"


def _choose(session: _Session) -> None:
    """Measure blocks until the choice is clear; once rates were searched, only those that are missing."""
    question, tuning = session.question, session.tuning
    share = 1.0 if question.slo is None else 0.0 if tuning.trials else CHOOSING
    if tuning.setup is None:
        assert tuning.service is not None  # noqa: S101 - the lone worker came first
        tuning.setup = next_block.begin(tuning.service, session.left_s(share), margin=question.margin)
        session.done(tuning.setup)
    while isinstance(step := next_block.decide(tuning.setup, tuning.blocks, session.left_s(share)), Measure):
        block = session.instrument.block(step.candidates)
        tuning.blocks.append(block)
        session.done(block)
        for arm in block.measured:
            if arm.error is not None:
                session.say(f"  {_name(arm.candidate)}: {arm.error}")
        session.report(f"block {len(tuning.blocks)}: {_throughputs(block, tuning.choice)}")
    tuning.ended = step.why


def _throughputs(block: BlockOutcome, choice: Choice | None) -> str:
    shown = ", ".join(f"{_name(candidate)} {units.rps(rps)}" for candidate, rps in sorted(block.rps.items()))
    return (shown or "nothing valid") + (f"; so far {_name(choice.recommended)}" if choice else "")


def _search(session: _Session, slo: Slo) -> None:
    """Offer the chosen count rates until the bracket is settled, with times and launches counted on from before."""
    tuning = session.tuning
    choice, setup = tuning.choice, tuning.setup
    if choice is None or setup is None:
        return
    chosen, seed_rps = choice.recommended, _seed_rps(tuning, setup, choice)
    tuning.search, tuning.connections = Search(slo, seed_rps), setup.service.pool(chosen, seed_rps)
    earlier_s = max((trial.start_s + trial.took_s for trial in tuning.trials), default=0.0)
    launches = max((trial.launch + 1 for trial in tuning.trials), default=0)
    with session.instrument.searching(chosen, seed_rps, tuning.connections) as offer:
        while isinstance(step := next_rate.decide(tuning.search, tuning.trials, session.left_s()), Try):
            trial = offer(step)
            trial = replace(trial, start_s=earlier_s + trial.start_s, launch=launches + trial.launch)
            tuning.trials.append(trial)
            session.done(trial)
            session.report(_outcome(trial))
            if _unusable(tuning.trials):
                tuning.ending = "unusable"
                return
        tuning.ending = step.ending


def _seed_rps(tuning: Tuning, setup: Setup, choice: Choice) -> float:
    """Where the search begins: the closed capacity of the choice.

    A closed load that had too few connections says less than that; then it is what slots and CPU allow.
    """
    chosen = choice.recommended
    table = rows(setup, tuning.blocks, choice)
    row = next(row for row in table if Candidate(row.workers, row.threads) == chosen)
    assert row.throughput_rps is not None  # noqa: S101 - the choice was measured
    measured = [arm for block in tuning.blocks for arm in block.measured if arm.candidate == chosen]
    cpu_s = [arm.cpu_s_per_request for arm in measured if arm.cpu_s_per_request]
    if row.limit != "connections" or not cpu_s:
        return row.throughput_rps
    return max(row.throughput_rps, setup.service.most_rps(chosen, median(cpu_s)))


def _unusable(trials: Sequence[RateTrial]) -> bool:
    """Whether so many trials in a row could not be used that the next ones will hardly be better."""
    return len(trials) >= UNUSABLE and all(trial.outcome == "invalid" for trial in trials[-UNUSABLE:])


def _outcome(trial: RateTrial) -> str:
    if trial.outcome == "invalid":
        return f"{units.rps(trial.rate_rps)}: not usable, {'; '.join(trial.reasons)}"
    p99 = f" (p99 {units.duration_us(trial.p99_us)})" if trial.p99_us is not None else ""
    missed = f"not held, {trial.objective} missed, mostly {trial.cause}"
    return f"{units.rps(trial.rate_rps)}: {'held' if trial.outcome == 'held' else missed}{p99}"


def _name(candidate: Candidate) -> str:
    workers = f"{candidate.workers} worker{'s' if candidate.workers > 1 else ''}"
    return workers if candidate.threads == 1 else f"{workers} x {candidate.threads}"
