"""From an objective and a budget to all that tune finds; what launches and loads is behind one seam.

    probe -> blocks of candidates until the choice is clear -> rates until the bracket is, under the chosen count

Everything found so far stands in a `Found` at any moment: Ctrl-C ends the work, never the answer.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

from scipy.stats import binom

from harness import units
from harness.slo import Kept, Slo, Tally
from harness.tune import recommend, search
from harness.tune.answer import rows
from harness.tune.candidates import Candidate, Service, candidates
from harness.tune.recommend import BlockOutcome, Choice, Setup, Why
from harness.tune.search import Ending, RateTrial, Search, Try

RECOMMENDING = 0.4
"""Share of the budget after which the search for the capacity gets its turn."""
CERTAIN = 1e-4
"""Probability of so many losses under an objective that one connection would keep, from which it cannot be kept."""
UNUSABLE = 8
"""Trials in a row that may not be used, after which the search gives up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the user wants."""

    slo: Slo | None
    budget_s: float
    margin: float = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One worker under one connection."""

    service: Service
    tally: Tally


Offer = Callable[[Try], RateTrial]


class Instrument(Protocol):
    """What launches servers and offers loads: `live.Live`, or a test's."""

    def probe(self) -> Probe:
        """Measure one worker with one connection; raises `LaunchError` when it does not answer."""

    def block(self, some: tuple[Candidate, ...]) -> BlockOutcome:
        """Launch `some` side by side and measure a block; the failed ones are listed too."""

    def searching(self, chosen: Candidate, seed_rps: float) -> AbstractContextManager[Offer]:
        """Launch `chosen` and hand out what offers it a rate."""


@dataclass(slots=True)
class Found:
    """What is known so far."""

    service: Service | None = None
    setup: Setup | None = None
    blocks: list[BlockOutcome] = field(default_factory=list)
    ended: Why | None = None
    search: Search | None = None
    trials: list[RateTrial] = field(default_factory=list)
    ending: Ending | None = None
    refused: Kept | None = None
    """The objective that even one connection misses."""
    unloaded_us: float | None = None
    interrupted: bool = False
    elapsed_s: float = 0.0

    @property
    def choice(self) -> Choice | None:
        """The recommendation so far."""
        return recommend.choose(self.setup, self.blocks) if self.setup and self.blocks else None


def tune(
    asked: Asked, instrument: Instrument, say: Callable[[str], None], clock: Callable[[], float] = time.monotonic
) -> Found:
    """All that can be found within the budget; `say` gets a line a step. Interrupted, what was found until then."""
    found, began = Found(), clock()

    def left_s(share: float = 1.0) -> float:
        return share * asked.budget_s - (clock() - began)

    try:
        if _possible(asked, instrument, found):
            say(f"{_described(found)}; about {units.clock(left_s())} left")
            _recommend(asked, instrument, found, left_s, say)
            if asked.slo is not None:
                _search(asked.slo, instrument, found, left_s, say)
    except KeyboardInterrupt:
        found.interrupted = True
    found.elapsed_s = clock() - began
    return found


def _possible(asked: Asked, instrument: Instrument, found: Found) -> bool:
    """Probe; whether one connection alone keeps the objective, for no load is lighter."""
    probe = instrument.probe()
    found.service = probe.service
    found.unloaded_us = probe.service.unloaded_s * 1e6
    for kept in asked.slo.evaluate(probe.tally) if asked.slo else ():
        if kept.arrivals and binom.sf(kept.lost - 1, kept.arrivals, kept.objective.loss_goal) < CERTAIN:
            found.refused = kept
    return found.refused is None


def _described(found: Found) -> str:
    service = found.service
    assert service is not None  # noqa: S101 - the probe came first
    tried = candidates(service)
    response, cpu = units.seconds(service.unloaded_s), units.seconds(service.cpu_s_per_request)
    return f"unloaded response {response}, {cpu} of CPU a request: {len(tried)} candidates from {_named(tried)}"


def _recommend(
    asked: Asked, instrument: Instrument, found: Found, left_s: Callable[[float], float], say: Callable[[str], None]
) -> None:
    share = 1.0 if asked.slo is None else RECOMMENDING
    assert found.service is not None  # noqa: S101 - the probe came first
    found.setup = recommend.begin(found.service, left_s(share), margin=asked.margin)
    while isinstance(step := recommend.decide(found.setup, found.blocks, left_s(share)), recommend.Measure):
        found.blocks.append(instrument.block(step.candidates))
        for one in found.blocks[-1].measured:
            if one.error is not None:
                say(f"  {_name(one.candidate)}: {one.error}")
        say(f"block {len(found.blocks)}: {_standing(found)}; about {units.clock(max(0.0, left_s(1.0)))} left")
    found.ended = step.why


def _standing(found: Found) -> str:
    rps = found.blocks[-1].rps
    shown = ", ".join(f"{_name(one)} {units.rps(value)}" for one, value in sorted(rps.items()))
    choice = found.choice
    return (shown or "nothing valid") + (f"; so far {_name(choice.recommended)}" if choice else "")


def _search(
    slo: Slo, instrument: Instrument, found: Found, left_s: Callable[[float], float], say: Callable[[str], None]
) -> None:
    choice, setup = found.choice, found.setup
    if choice is None or setup is None:
        return
    chosen = choice.recommended
    level = next(
        row.throughput_rps for row in rows(setup, found.blocks, choice) if Candidate(row.workers, row.threads) == chosen
    )
    assert level is not None  # noqa: S101 - the chosen one was measured
    found.search = Search(slo, level)
    with instrument.searching(chosen, level) as offer:
        while isinstance(step := search.decide(found.search, found.trials, left_s(1.0)), Try):
            trial = offer(step)
            found.trials.append(trial)
            say(f"{_tried(trial)}; about {units.clock(max(0.0, left_s(1.0)))} left")
            if _hopeless(found.trials):
                found.ending = "time is up"
                return
        found.ending = step.ending


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
