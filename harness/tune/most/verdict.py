"""Which settings to deploy by the rounds, and what each can hold, as values; pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.strict import STRICT
from harness.tune.candidates import Candidate
from harness.tune.choice import Choice
from harness.tune.most.levels import Levels
from harness.tune.most.race import Race
from harness.tune.rate.asked import RateBlock, each

DRAWS = 400
"""Of the levels, to see how often each candidate would be picked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AtRate:
    """What a candidate made of one rate."""

    __pydantic_config__ = STRICT

    rate_rps: float
    held: bool
    p99_us: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What a candidate made of the rates that it was offered."""

    __pydantic_config__ = STRICT

    rps: float
    """The highest rate at which it holds the objectives in a usual round, estimated."""
    low_rps: float
    high_rps: float
    """The ends of its interval, 95 %. What all candidates have in common makes most of its width."""
    of_best: float
    """That rate over the best one's, which the machine's mood leaves as it is."""
    held: int
    missed: int
    """Rounds in which the objectives held, and did not."""
    rounds: tuple[AtRate, ...] = ()
    """Each of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rounds:
    """The rounds together."""

    __pydantic_config__ = STRICT

    rounds: int
    low_rps: float
    high_rps: float
    """The lowest and the highest rate that was offered."""


def choose(race: Race, seed: int = 0) -> Choice | None:
    """The cheapest within the margin of the best; None where no candidate was validly measured."""
    known, chosen = race.levels, race.chosen
    if known is None or chosen is None:
        return None
    return Choice(
        recommended=chosen,
        ties=race.ties,
        best=known.best,
        picks=_picks(race, known, np.random.default_rng(seed)),
    )


def held(race: Race) -> dict[Candidate, Held]:
    """Every candidate that held or missed a rate."""
    known = race.levels
    if known is None:
        return {}
    seen: dict[Candidate, list[AtRate]] = {}
    for offered in each(race.rounds):
        trial = offered.trial
        if trial.outcome != "invalid":
            at = AtRate(rate_rps=trial.rate_rps, held=trial.outcome == "held", p99_us=trial.p99_us)
            seen.setdefault(offered.candidate, []).append(at)
    found = {}
    for candidate in known.order:
        if rounds := seen.get(candidate):
            low, high = known.about(candidate).interval()
            found[candidate] = Held(
                rps=known.rps(candidate),
                low_rps=math.exp(low),
                high_rps=math.exp(high),
                of_best=math.exp(known.against(candidate, known.best).mean),
                held=sum(each.held for each in rounds),
                missed=sum(not each.held for each in rounds),
                rounds=tuple(rounds),
            )
    return found


def offered(rounds: Sequence[RateBlock]) -> Rounds | None:
    """How many there were, and at which rates; None of none."""
    rates = [shown.trial.rate_rps for shown in each(rounds)]
    return Rounds(rounds=len(rounds), low_rps=min(rates), high_rps=max(rates)) if rates else None


def _picks(race: Race, known: Levels, chance: np.random.Generator) -> dict[Candidate, float]:
    """How often each is picked when the levels are drawn from what is known of them."""
    floor = math.log1p(-race.setup.margin)
    picked: Counter[Candidate] = Counter()
    for levels in chance.multivariate_normal(known.levels, known.covariance, DRAWS):
        within = [candidate for candidate, gap in zip(known.order, levels - levels.max(), strict=True) if gap >= floor]
        if (pick := race.cheapest(within)) is not None:
            picked[pick] += 1
    return {candidate: picked[candidate] / DRAWS for candidate in sorted(picked)}
