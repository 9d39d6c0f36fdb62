"""What a tuning is asked, what is known of it so far, and the seam to what measures it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

from harness import units
from harness.errors import UsageError
from harness.judge.slo import Loss, Slo, Tally
from harness.tune.blocks import BlockOutcome, BlocksEnding, Setup
from harness.tune.candidates import Candidate, Service
from harness.tune.choice import Choice, choose
from harness.tune.most.race import Race
from harness.tune.most.usual import usual
from harness.tune.most.verdict import choose as choose_raced
from harness.tune.next_rate import Try
from harness.tune.rate.answer import chosen
from harness.tune.rate.asked import HEADROOM, Asked, RateBlock, slice_s, with_headroom
from harness.tune.rate.next_group import RateEnding
from harness.tune.rate.standing import stand
from harness.tune.search import Search
from harness.tune.trials import Ending, RateTrial
from harness.tune.variants import VariantBlock

LEAST_BUDGET_S = 20.0
"""Less does not suffice for the lone worker and a block."""
CLOSING_S, CLOSING = 4.0, 0.05
"""What stopping the servers and drawing the report take of the budget: so long, or that share of a short one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What the user wants to know, and how long it may take; raises `UsageError` where that is too short."""

    slo: Slo | None
    """The objectives to hold; None: what is usual, which depends on the service."""
    budget_s: float
    margin: float = 0.05
    rate_rps: float | None = None
    """The rate to hold; None: what is asked for is the most that can be had."""
    headroom: float = HEADROOM
    """What is offered beyond that rate, as a share of it."""

    def __post_init__(self) -> None:
        if self.rate_rps is not None:
            if self.slo is None:
                raise UsageError("--rate: a rate is held under an objective: give --slo too, such as p99<100ms")
            slice_s(self.slo, with_headroom(self.rate_rps, self.headroom))
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
Step = Setup | BlockOutcome | RateTrial | Asked | RateBlock | VariantBlock
"""What a later sitting goes on from."""
Keep = Callable[[Step | None, float], None]
"""Gets each step, and the seconds that the tuning had taken by then."""


class Instrument(Protocol):
    """What launches servers and offers loads: `live.Live`, or a test's."""

    def lone_worker(self) -> LoneWorker:
        """Measure one worker under one connection; raises `LaunchError` when it does not answer."""

    def block(self, group: tuple[Candidate, ...]) -> BlockOutcome:
        """Launch `group` side by side and measure a block; candidates that failed are in it too."""

    def rate_block(self, group: tuple[Candidate, ...], asked: Asked) -> RateBlock:
        """Launch `group` side by side and offer each the rate; candidates that failed are in it too."""

    def searching(self, chosen: Candidate, seed_rps: float, connections: int) -> AbstractContextManager[Offer]:
        """Make ready to offer `chosen` rates around `seed_rps` over `connections`; what it gives offers one rate."""

    def variants(self, chosen: Candidate, connections: int | None) -> VariantBlock | None:
        """Measure `chosen` beside itself at other levels of what is for memory; None where there are none.

        The load is closed, with as many connections; None: with those of the other closed blocks.
        """


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
    asked: Asked | None = None
    """The question with a rate, once the service is known."""
    rate_blocks: list[RateBlock] = field(default_factory=list)
    """Under the rate that was asked for; without one, the rounds, each at a rate of its own."""
    held: RateEnding | None = None
    """Why no further block was measured under the rate, or no further round."""
    variants: VariantBlock | None = None
    """What was chosen, at other levels of factors that are for memory."""
    refused: Loss | None = None
    """The objective that even one connection misses."""
    interrupted: bool = False
    failure: str | None = None
    """What a launch or a load said that failed and so broke the tuning off."""
    elapsed_s: float = 0.0
    """Of all sittings."""

    @property
    def begun(self) -> bool:
        """Whether there is something to go on from."""
        return self.setup is not None or self.asked is not None

    @property
    def best(self) -> Candidate | None:
        """What would be deployed now; None where nothing is known, or nothing holds the rate that was asked for."""
        if self.asked is not None:
            return chosen(stand(self.rate_blocks))
        choice = self.choice
        return choice.recommended if choice else None

    @property
    def race(self) -> Race | None:
        """The candidates under open load at rates of ours; None before any closed block."""
        return Race(self.setup, self.blocks, self.rate_blocks) if self.setup and self.blocks else None

    @property
    def choice(self) -> Choice | None:
        """The candidate to deploy, as far as the rounds tell, or before any the blocks of closed load."""
        if self.setup is None or not self.blocks:
            return None
        raced = choose_raced(self.race) if self.race and self.race.looks else None
        return raced or choose(self.setup, self.blocks)


@dataclass(frozen=True, slots=True)
class Session:
    """What all steps need."""

    question: Question
    instrument: Instrument
    tuning: Tuning
    say: Callable[[str], None]
    keep: Keep
    elapsed_s: Callable[[], float]

    @property
    def slo(self) -> Slo | None:
        """The objectives, once the service is known: those that were given, or the usual one."""
        return objective(self.question, self.tuning)

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


def objective(question: Question, tuning: Tuning) -> Slo | None:
    """The objectives that were given, or else the usual one of the service."""
    return question.slo or (usual(tuning.service) if tuning.service else None)


def name(candidate: Candidate) -> str:
    """`4 workers`, or `4 workers x 8`, in lines about what is being done."""
    workers = units.plural(candidate.workers, "worker")
    return workers if candidate.threads == 1 else f"{workers} x {candidate.threads}"
