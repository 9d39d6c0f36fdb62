"""Which candidates are offered which rate next, and when there are rounds enough; pure.

A round is at a rate that the best may just hold: there outcomes tell candidates of nearly the same capacity apart, and
those that are behind miss. The first round has all that closed load left in the race; the later ones have the choice,
the best, and what could take the place of the choice.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from harness.judge.slo import Slo
from harness.tune.blocks import BlockOutcome, Setup
from harness.tune.candidates import GROUP, Candidate
from harness.tune.most.levels import Levels
from harness.tune.most.race import Race
from harness.tune.rate.asked import Asked, RateBlock, asked_of, each
from harness.tune.rate.next_group import RateEnding, in_vain, pace_of, planned_s

LOOKS, MOST = 4, 20
"""Rounds that choice, best and whatever is cheaper have at least; and the choice at most."""
CLEAR = 0.1
"""One-sided p value from which the choice is clear enough to stop."""
RIVAL = 0.2
"""Chance to be better than the choice by more than the margin, from which it is offered rates again."""
FIRST_SHARE = 0.5
"""Of the time that is left, what the first round may take."""
LATER = 5
"""Candidates of a later round at most."""
NOTHING = 6
"""Rounds in which nothing held, after which there is no further one."""
STRIDE = 0.8
"""Ratio of rates as long as nothing held; its root as long as nothing missed."""
FOLLOWS = 0.5
"""Share of the last round's mood that is expected of the next."""
SPARE = 1.1
"""Times what a round is planned to take that must be left for it."""


@dataclass(frozen=True, slots=True)
class Round:
    """Launch these side by side and offer each of them the rate."""

    candidates: tuple[Candidate, ...]
    asked: Asked


@dataclass(frozen=True, slots=True)
class Enough:
    """No round is needed, or none fits into the time that is left."""

    why: RateEnding


def decide(
    setup: Setup, blocks: Sequence[BlockOutcome], rounds: Sequence[RateBlock], slo: Slo, left_s: float
) -> Round | Enough:
    """What to measure after `rounds`, with `left_s` seconds left for more.

    Raises `UsageError` where a slice at the rates that matter would take too long to resolve the objectives.
    """
    race = Race(setup, blocks, rounds)
    known = race.levels
    if known is None:
        return Enough("nothing valid")
    if why := in_vain(rounds):
        return Enough(why)
    if len(rounds) >= NOTHING and not race.holding:
        return Enough("nothing holds")  # at no rate that is worth comparing at; the search finds what there is
    wanted = _wanted(race, known)
    if len(wanted) == 1 or _clear(race, known):
        return Enough("settled")
    asked = asked_of(setup.service, slo, _rate_rps(setup, known, rounds), headroom=0.0)
    pace = pace_of(asked, rounds)
    group = _group(race, wanted, asked, left_s * (1.0 if rounds else FIRST_SHARE) / pace / SPARE)
    return Round(group, asked) if group else Enough("time is up")


def _rate_rps(setup: Setup, known: Levels, rounds: Sequence[RateBlock]) -> float:
    """A rate between the level of the best and what is a margin below it, at the mood that is expected.

    As long as nothing held, or nothing missed, nobody knows what the objective takes of all: then it goes in strides.
    """
    mood = FOLLOWS * known.moods[-1] if known.moods else 0.0
    rate_rps = math.exp(float(known.levels.max()) + math.log1p(-setup.margin) / 2 + mood)
    trials = [shown.trial for shown in each(rounds) if shown.trial.outcome != "invalid"]
    outcomes, rates = {trial.outcome for trial in trials}, [trial.rate_rps for trial in trials]
    if outcomes == {"exceeded"}:
        rate_rps = min(rate_rps, STRIDE * min(rates))
    elif outcomes == {"held"}:
        rate_rps = max(rate_rps, max(rates) / math.sqrt(STRIDE))
    return float(f"{rate_rps:.5g}")


def _clear(race: Race, known: Levels) -> bool:
    """Whether the choice is credibly within the margin of the best, and nothing cheaper is."""
    chosen, best = race.chosen, known.best
    assert chosen is not None  # noqa: S101 - there are levels, so there are ties
    if race.looks[chosen] >= MOST:
        return True
    floor = math.log1p(-race.setup.margin)
    cheaper = race.cheaper(chosen)
    if min(race.looks[chosen], race.looks[best]) < LOOKS:
        return False
    within = chosen == best or known.against(chosen, best).p_above(floor) <= CLEAR
    return within and all(known.against(other, best).p_below(floor) <= CLEAR for other in cheaper)


def _group(race: Race, wanted: Sequence[Candidate], asked: Asked, left_s: float) -> tuple[Candidate, ...]:
    """As many as run side by side and fit into the time; none where fewer than two of two do."""
    service = race.setup.service
    group: list[Candidate] = []
    for candidate in wanted[: LATER if race.rounds else GROUP]:
        wider = [*group, candidate]
        if service.together(wider) and planned_s(asked, wider) <= left_s:
            group = wider
    return tuple(sorted(group)) if len(group) > 1 else ()


def _wanted(race: Race, known: Levels) -> list[Candidate]:
    """The choice; what is cheaper and may be within the margin; what may be better than the choice by more than that.

    What is dearer and about as good has no part in the question: each would be one more that can look best by luck.
    """
    chosen, best = race.chosen, known.best
    assert chosen is not None  # noqa: S101 - there are levels, so there are ties
    floor = math.log1p(-race.setup.margin)
    cheaper = race.cheaper(chosen)
    within = {other: known.against(other, best).p_below(floor) for other in cheaper}
    beyond = {
        other: known.against(other, chosen).p_below(-floor) for other in known.order if other not in (chosen, *cheaper)
    }
    open_ = [other for other, chance in within.items() if chance > CLEAR or not race.looks[other]]
    rivals = [other for other, chance in beyond.items() if chance > RIVAL or not race.looks[other]]
    open_.sort(key=lambda other: (-within[other], other))
    rivals.sort(key=lambda other: (race.looks[other] > 0, -beyond[other], other))
    wanted = list(dict.fromkeys([chosen, *([] if best == chosen else [best]), *open_, *rivals]))
    if len(wanted) == 1 and beyond and race.looks[chosen] < LOOKS:
        wanted.append(max(beyond, key=lambda other: (beyond[other], other)))  # so soon it may have been chance
    return wanted
