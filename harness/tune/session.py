"""From an objective and a budget to all that tune finds; what launches and loads is behind one seam.

    probe -> blocks of candidates until the choice is clear -> rates until the bracket is, under the chosen count

Everything found so far stands in a `Found` at any moment: Ctrl-C ends the work, never the answer, and an interrupted
session goes on from what was found.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from statistics import median
from typing import Protocol

from scipy.stats import binom

from harness import units
from harness.errors import AnswerError, LaunchError, LoadError, UsageError
from harness.judge.slo import Kept, Slo, Tally
from harness.tune import next_block, next_rate
from harness.tune.answer import rows
from harness.tune.blocks import BlockOutcome, BlocksEnding, Setup
from harness.tune.candidates import Candidate, Service, candidates
from harness.tune.choice import Choice, choose
from harness.tune.next_block import Measure
from harness.tune.next_rate import Try
from harness.tune.search import Search
from harness.tune.trials import UNUSABLE, Ending, RateTrial

LEAST_BUDGET_S = 20.0
"""Less does not suffice for one worker alone and one block."""
RECOMMENDING = 0.4
"""Share of the budget after which the search for the capacity gets its turn."""
CLOSING_S, CLOSING = 4.0, 0.05
"""What stopping the servers and drawing the report take of the budget: so long, or that share of a short one."""
CERTAIN = 1e-4
"""Probability of so many losses under an objective that one connection would keep, from which it cannot be kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the user wants."""

    slo: Slo | None
    budget_s: float
    margin: float = 0.05

    def __post_init__(self) -> None:
        if self.budget_s < LEAST_BUDGET_S:
            least = units.clock(LEAST_BUDGET_S)
            raise UsageError(f"--budget: {units.clock(self.budget_s)} suffice for nothing; give {least} or more")


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One worker under one connection."""

    service: Service
    tally: Tally


Offer = Callable[[Try], RateTrial]
Step = Setup | BlockOutcome | RateTrial
"""What a session goes on from."""
Keep = Callable[[Step, float], None]
"""Gets each step, and the seconds that the session had taken by then."""


class Instrument(Protocol):
    """What launches servers and offers loads: `live.Live`, or a test's."""

    def probe(self) -> Probe:
        """Measure one worker with one connection; raises `LaunchError` when it does not answer."""

    def block(self, some: tuple[Candidate, ...]) -> BlockOutcome:
        """Launch `some` side by side and measure a block; the failed ones are listed too."""

    def searching(self, chosen: Candidate, seed_rps: float, connections: int) -> AbstractContextManager[Offer]:
        """Launch `chosen` and hand out what offers it rates, which lie around `seed_rps`, over `connections`."""


@dataclass(slots=True)
class Found:
    """What is known so far."""

    service: Service | None = None
    setup: Setup | None = None
    blocks: list[BlockOutcome] = field(default_factory=list)
    ended: BlocksEnding | None = None
    search: Search | None = None
    connections: int | None = None
    """Over which the rates are offered."""
    trials: list[RateTrial] = field(default_factory=list)
    ending: Ending | None = None
    refused: Kept | None = None
    """The objective that even one connection misses."""
    interrupted: bool = False
    failure: str | None = None
    """Of a launch or a load, that broke the session off."""
    elapsed_s: float = 0.0

    @property
    def choice(self) -> Choice | None:
        """The recommendation so far."""
        return choose(self.setup, self.blocks) if self.setup and self.blocks else None


@dataclass(frozen=True, slots=True)
class _Session:
    """What all steps need."""

    asked: Asked
    instrument: Instrument
    found: Found
    say: Callable[[str], None]
    keep: Keep
    elapsed_s: Callable[[], float]

    def left_s(self, share: float = 1.0) -> float:
        """Seconds of the budget, or of a share of it, that are left."""
        budget_s = self.asked.budget_s
        return share * (budget_s - min(CLOSING_S, CLOSING * budget_s)) - self.elapsed_s()

    def tell(self, line: str) -> None:
        """Say what was done, and how much time is left."""
        self.say(f"{line}; about {units.clock(max(0.0, self.left_s()))} left")

    def done(self, step: Step) -> None:
        """Keep a step."""
        self.keep(step, self.elapsed_s())


def tune(
    asked: Asked,
    instrument: Instrument,
    say: Callable[[str], None],
    clock: Callable[[], float] = time.monotonic,
    *,
    began: float | None = None,
    found: Found | None = None,
    keep: Keep = lambda _, __: None,
) -> Found:
    """All that can be found within the budget, which counts from `began`; `say` gets a line a step, `keep` the step.

    Interrupted, or broken off by a launch or a load that failed, what was found until then; `found` is what an earlier
    sitting left. Raises `LaunchError` where not even one worker can be measured: then there is nothing to go on from.
    """
    found = found or Found()
    began = (clock() if began is None else began) - found.elapsed_s
    session = _Session(asked, instrument, found, say, keep, lambda: clock() - began)
    try:
        if found.setup is not None or _possible(session):
            _recommend(session)
            if asked.slo is not None:
                _search(session, asked.slo)
    except KeyboardInterrupt:
        found.interrupted = True
    except (LaunchError, AnswerError, LoadError) as error:
        if found.setup is None:
            raise
        found.failure = str(error)
    found.elapsed_s = session.elapsed_s()
    return found


def _possible(session: _Session) -> bool:
    """Probe; whether one connection alone keeps the objective, for no load is lighter."""
    asked, found = session.asked, session.found
    probe = session.instrument.probe()
    found.service = probe.service
    for kept in asked.slo.evaluate(probe.tally) if asked.slo else ():
        if kept.arrivals and binom.sf(kept.lost - 1, kept.arrivals, kept.objective.loss_goal) < CERTAIN:
            found.refused = kept
            return False
    session.tell(_described(probe.service))
    return True


def _described(service: Service) -> str:
    tried = candidates(service)
    response, cpu = units.seconds(service.unloaded_s), units.seconds(service.cpu_s_per_request)
    return f"unloaded response {response}, {cpu} of CPU a request: {len(tried)} candidates from {_named(tried)}"


def _recommend(session: _Session) -> None:
    asked, found = session.asked, session.found
    share = 1.0 if asked.slo is None else 0.0 if found.trials else RECOMMENDING  # no more, once rates were searched
    if found.setup is None:
        assert found.service is not None  # noqa: S101 - the probe came first
        found.setup = next_block.begin(found.service, session.left_s(share), margin=asked.margin)
        session.done(found.setup)
    while isinstance(step := next_block.decide(found.setup, found.blocks, session.left_s(share)), Measure):
        block = session.instrument.block(step.candidates)
        found.blocks.append(block)
        session.done(block)
        for one in block.measured:
            if one.error is not None:
                session.say(f"  {_name(one.candidate)}: {one.error}")
        session.tell(f"block {len(found.blocks)}: {_standing(found)}")
    found.ended = step.why


def _standing(found: Found) -> str:
    rps = found.blocks[-1].rps
    shown = ", ".join(f"{_name(one)} {units.rps(value)}" for one, value in sorted(rps.items()))
    choice = found.choice
    return (shown or "nothing valid") + (f"; so far {_name(choice.recommended)}" if choice else "")


def _search(session: _Session, slo: Slo) -> None:
    found = session.found
    choice, setup = found.choice, found.setup
    if choice is None or setup is None:
        return
    chosen = choice.recommended
    row = next(row for row in rows(setup, found.blocks, choice) if Candidate(row.workers, row.threads) == chosen)
    level = row.throughput_rps
    assert level is not None  # noqa: S101 - the chosen one was measured
    seed_rps = _beyond(level, chosen, found, setup) if row.limit == "connections" else level
    found.search, found.connections = Search(slo, seed_rps), setup.service.pool(chosen, seed_rps)
    earlier_s = max((one.start_s + one.took_s for one in found.trials), default=0.0)
    launches = max((one.launch + 1 for one in found.trials), default=0)
    with session.instrument.searching(chosen, seed_rps, found.connections) as offer:
        while isinstance(step := next_rate.decide(found.search, found.trials, session.left_s()), Try):
            trial = offer(step)
            trial = replace(trial, start_s=earlier_s + trial.start_s, launch=launches + trial.launch)
            found.trials.append(trial)
            session.done(trial)
            session.tell(_tried(trial))
            if _hopeless(found.trials):
                found.ending = "unusable"
                return
        found.ending = step.ending


def _beyond(level: float, chosen: Candidate, found: Found, setup: Setup) -> float:
    """What slots and CPU would allow where the closed load had too few connections, which an open load does not."""
    measured = [one for block in found.blocks for one in block.measured if one.candidate == chosen]
    cpu_s = [one.cpu_s_per_request for one in measured if one.cpu_s_per_request]
    return max(level, setup.service.most_rps(chosen, median(cpu_s))) if cpu_s else level


def _hopeless(trials: list[RateTrial]) -> bool:
    return len(trials) >= UNUSABLE and all(one.outcome == "invalid" for one in trials[-UNUSABLE:])


def _tried(trial: RateTrial) -> str:
    if trial.outcome == "invalid":
        return f"{units.rps(trial.rate_rps)}: not usable, {'; '.join(trial.reasons)}"
    p99 = f" (p99 {units.duration_us(trial.p99_us)})" if trial.p99_us is not None else ""
    missed = f"not held, {trial.objective} missed, mostly {trial.cause}"
    return f"{units.rps(trial.rate_rps)}: {'held' if trial.outcome == 'held' else missed}{p99}"


def _named(some: Iterable[Candidate]) -> str:
    each = list(some)
    return f"{_name(each[0])} to {_name(each[-1])}" if len(each) > 1 else _name(each[0])


def _name(one: Candidate) -> str:
    workers = f"{one.workers} worker{'s' if one.workers > 1 else ''}"
    return workers if one.threads == 1 else f"{workers} x {one.threads}"
