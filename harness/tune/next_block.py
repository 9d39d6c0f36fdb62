"""Which candidates to measure next, in a block of closed load, and when there are blocks enough; pure.

The driver launches the candidates that `decide` names as one group, measures a block of closed load, and asks again:

    setup = begin(service, left_s)
    blocks = ()
    while isinstance(step := decide(setup, blocks, left_s), Measure):
        blocks += (BlockOutcome(...),)
    choice = choose(setup, blocks)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from harness.tune.blocks import BlockOutcome, BlocksEnding, Setup, counts
from harness.tune.candidates import Candidate, Service, candidates, groups, hopeful, nearest, thinned
from harness.tune.estimate import Fit
from harness.tune.roster import Roster, follow
from harness.tune.tie_set import smallest

ARM_S, WORKER_S, SLICES = 3.0, 0.4, 3
"""What an arm, and each of its workers, take in a block: launch, warm-up, and its slices, of half a second at least."""
CLEAR = 0.1
"""One-sided p value from which the choice is clear enough to stop."""
ALONE = 2
"""Blocks of a candidate that all others are behind."""

Fits = Callable[[Sequence[Candidate]], bool]


@dataclass(frozen=True, slots=True)
class Measure:
    """Launch these candidates side by side and measure a block."""

    candidates: tuple[Candidate, ...]


@dataclass(frozen=True, slots=True)
class Enough:
    """No block is needed, or none fits into the time that is left."""

    why: BlocksEnding


def begin(service: Service, left_s: float, *, margin: float = 0.05) -> Setup:
    """Lay out the first blocks: all candidates, or as many as half of the time suffices for."""
    every = candidates(service)
    knee = service.knee if service.slots != "loop" else min(service.busy, service.connections)
    reference = nearest(every, knee)
    if planned_s(service, every) > left_s / 2:
        every = hopeful(service, every)
    most = len(every)
    while most > 2 and planned_s(service, thinned(every, most, reference)) > left_s / 2:  # noqa: PLR2004 - a comparison
        most -= 1
    return Setup(service=service, first=groups(service, thinned(every, most, reference), reference), margin=margin)


def decide(setup: Setup, blocks: Sequence[BlockOutcome], left_s: float) -> Measure | Enough:
    """What to measure after `blocks` with `left_s` seconds left for blocks."""
    pace = max((block.took_s / _planned(setup, block) for block in blocks[-2:]), default=1.0)

    def fits(group: Sequence[Candidate]) -> bool:
        """Whether a block of `group` ends in time, at the pace of the last blocks."""
        return pace * planned_s(setup.service, group) <= left_s

    if len(blocks) < len(setup.first):
        group = setup.first[len(blocks)]
        return Measure(group) if not blocks or fits(group) else Enough("time is up")
    roster = follow(setup, blocks)
    if roster.fitted is None:
        return _again(setup, blocks, roster, fits)
    why = _enough(setup, blocks, roster, roster.fitted)
    return Enough(why) if why is not None else _finals(setup, blocks, roster, roster.fitted, fits)


def _again(setup: Setup, blocks: Sequence[BlockOutcome], roster: Roster, fits: Fits) -> Measure | Enough:
    """A block without a valid trial is measured again, until its candidates have failed too often."""
    first = setup.first[len(blocks) % len(setup.first)]
    group = tuple(candidate for candidate in first if candidate not in roster.out)
    return Measure(group) if group and fits(group) else Enough("nothing valid")


def _finals(setup: Setup, blocks: Sequence[BlockOutcome], roster: Roster, fitted: Fit, fits: Fits) -> Measure | Enough:
    """A block of the finalists that fit side by side and into the time: the leaders, then the least measured."""
    measured = counts(blocks)
    leading = [smallest(setup, fitted), fitted.best]
    others = sorted(roster.finalists, key=lambda candidate: (measured[candidate], candidate))
    chosen: list[Candidate] = []
    for candidate in dict.fromkeys([*leading, *others]):
        if setup.service.together([*chosen, candidate]) and fits([*chosen, candidate]):
            chosen.append(candidate)
    worthwhile = len(chosen) >= min(2, len(roster.finalists))
    return Measure(tuple(sorted(chosen))) if worthwhile else Enough("time is up")


def _enough(setup: Setup, blocks: Sequence[BlockOutcome], roster: Roster, fitted: Fit) -> BlocksEnding | None:
    """Whether finalists have their blocks, and the choice is clear: it is within the margin, no smaller one is."""
    measured = counts(blocks)
    least = min(measured[candidate] for candidate in roster.finalists)
    if least < (setup.blocks if len(fitted.order) > 1 else ALONE):
        return None
    floor, chosen = math.log1p(-setup.margin), smallest(setup, fitted)
    within = chosen == fitted.best or fitted.against(chosen, fitted.best).p_above(floor) <= CLEAR
    smaller = [candidate for candidate in roster.finalists if candidate < chosen]
    outside = all(fitted.against(candidate, fitted.best).p_below(floor) <= CLEAR for candidate in smaller)
    if within and outside:
        return "settled"
    return "blocks" if least >= setup.most_blocks else None


def planned_s(service: Service, group: Iterable[Candidate]) -> float:
    """About how many seconds a block of `group` takes.

    A closed slice lasts five response times and four more at its edges, and so the warm-up (`harness.suite.estimate`).
    """
    usual = ARM_S / (SLICES + 1)
    return sum(
        ARM_S + WORKER_S * arm.workers + max(0.0, (SLICES + 0.5) * 9 * service.response_s(arm) - SLICES * usual)
        for arm in group
    )


def _planned(setup: Setup, block: BlockOutcome) -> float:
    return planned_s(setup.service, (arm.candidate for arm in block.measured))
