"""Which candidates to measure next, and which one to deploy; pure.

The driver launches the candidates that it is told as one group, measures a block of closed load, and asks again:

    setup = begin(service, left_s)
    blocks = ()
    while isinstance(step := decide(setup, blocks, left_s), Measure):
        blocks += (BlockOutcome(...),)
    choice = choose(setup, blocks)

The first blocks hold all candidates, in groups that share a reference. From then on a block holds the finalists: who
is more than twice the margin below the best, by more than the noise, is not launched again; what lies between the best
and its neighbours joins. Nothing is kept between the calls: the roster follows from the blocks, so that a run resumes
from its records and an interrupted one has the best answer so far.

The rule: of the finalists that are within the margin of the best by their point estimates, less half a standard error
(the tie set), the smallest.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from harness.strict import STRICT
from harness.tune.candidates import (
    PLATEAU,
    Candidate,
    Service,
    candidates,
    further,
    groups,
    hopeful,
    nearest,
    refinements,
    thinned,
)
from harness.tune.estimate import Block, Fit, fit

ARM_S, WORKER_S, SLICES = 3.0, 0.4, 3
"""What an arm, and each of its workers, take in a block: launch, warm-up, and its slices, of half a second at least."""
CLEAR = 0.1
"""One-sided p value from which the choice is clear enough to stop."""
RESTING = 3
"""Blocks before a larger candidate is left to rest."""
ONE_SIDED = 0.9
"""Confidence of the interval whose upper end is exceeded one time in twenty."""
ALONE = 2
"""Blocks of a candidate that all others are behind."""
RESAMPLES = 400
DOUBT = 0.5
"""Standard errors by which an estimate must be within the margin: what it gains by chance is then not given away."""
FAILURES = 2
"""Blocks that a candidate may fail."""

Why = Literal["settled", "blocks", "time is up", "nothing valid"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One candidate in one block."""

    __pydantic_config__ = STRICT

    candidate: Candidate
    throughput_rps: float | None = None
    """None unless it was validly measured."""
    requests: int = 0
    """Answers of which `p99_us` is the 99th percentile, however few."""
    p99_us: float | None = None
    memory_bytes: int | None = None
    limit: str | None = None
    ceiling_rps: float | None = None
    cpu_s_per_request: float | None = None
    worker_shares: tuple[float, ...] = ()
    """Share of the answers by worker process, falling."""
    error: str | None = None
    """Why there is no throughput."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockOutcome:
    """All that a block showed."""

    __pydantic_config__ = STRICT

    measured: tuple[Measured, ...]
    took_s: float

    @property
    def rps(self) -> Block:
        """Throughput by candidate."""
        return {one.candidate: one.throughput_rps for one in self.measured if one.throughput_rps}


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What is measured first, and the rule's numbers."""

    __pydantic_config__ = STRICT

    service: Service
    first: tuple[tuple[Candidate, ...], ...]
    """The groups of the first blocks."""
    margin: float = 0.05
    blocks: int = 5
    """That each finalist has at least."""
    most_blocks: int = 20
    """After which one stops, clear or not."""


@dataclass(frozen=True, slots=True)
class Measure:
    """Launch these side by side and measure a block."""

    candidates: tuple[Candidate, ...]


@dataclass(frozen=True, slots=True)
class Enough:
    """No block is needed, or none fits into the time that is left."""

    why: Why


@dataclass(frozen=True, slots=True)
class Roster:
    """Who is launched again, who is not, and who is out, and why."""

    finalists: tuple[Candidate, ...]
    resting: tuple[Candidate, ...]
    """Larger than the best and not credibly better by the margin: ties at most, and never the smallest of them."""
    out: dict[Candidate, str]
    fitted: Fit | None
    """Of finalists and resting."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The recommendation, and the tie set that it is the smallest of."""

    recommended: Candidate
    ties: tuple[Candidate, ...]
    best: Candidate
    picks: dict[Candidate, float] = field(default_factory=dict)
    """How often each is recommended when the blocks are drawn again, with replacement."""


def begin(service: Service, left_s: float, *, margin: float = 0.05) -> Setup:
    """Lay out the first blocks: all candidates, or as many as half of the time suffices for."""
    every = candidates(service)
    knee = service.knee if service.slots != "loop" else min(service.cores, service.connections)
    reference = nearest(every, knee)
    if planned_s(service, every) > left_s / 2:
        every = hopeful(service, every)
    most = len(every)
    while most > 2 and planned_s(service, thinned(every, most, reference)) > left_s / 2:  # noqa: PLR2004 - a comparison
        most -= 1
    return Setup(service=service, first=groups(service, thinned(every, most, reference), reference), margin=margin)


def decide(setup: Setup, blocks: Sequence[BlockOutcome], left_s: float) -> Measure | Enough:
    """What to measure after `blocks` with `left_s` seconds left for blocks."""
    pace = max((one.took_s / _planned(setup, one) for one in blocks[-2:]), default=1.0)
    if len(blocks) < len(setup.first):
        group = setup.first[len(blocks)]
        return (
            Measure(group) if not blocks or pace * planned_s(setup.service, group) <= left_s else Enough("time is up")
        )
    roster = follow(setup, blocks)
    if roster.fitted is None:  # a disturbed block is measured again, until its candidates have failed too often
        group = tuple(one for one in setup.first[len(blocks) % len(setup.first)] if one not in roster.out)
        again = group and pace * planned_s(setup.service, group) <= left_s
        return Measure(group) if again else Enough("nothing valid")
    why = _enough(setup, blocks, roster, roster.fitted)
    if why is not None:
        return Enough(why)
    counts = _counts(blocks)
    leading = [_smallest(setup, roster.fitted), roster.fitted.best]
    chosen: list[Candidate] = []
    for one in dict.fromkeys([*leading, *sorted(roster.finalists, key=lambda one: (counts[one], one))]):
        if setup.service.together([*chosen, one]) and pace * planned_s(setup.service, [*chosen, one]) <= left_s:
            chosen.append(one)
    worthwhile = len(chosen) >= min(2, len(roster.finalists))
    return Measure(tuple(sorted(chosen))) if worthwhile else Enough("time is up")


def choose(setup: Setup, blocks: Sequence[BlockOutcome], seed: int = 0) -> Choice | None:
    """The best answer that `blocks` give; None when nothing was validly measured."""
    roster = follow(setup, blocks)
    if roster.fitted is None:
        return None
    ties = _ties(setup, roster.fitted)
    return Choice(
        recommended=min(ties),
        ties=ties,
        best=roster.fitted.best,
        picks=_picks(setup, roster, blocks, np.random.default_rng(seed)),
    )


def follow(setup: Setup, blocks: Sequence[BlockOutcome]) -> Roster:
    """Replay the blocks: who fell out after which, who joined."""
    start = len(setup.first)
    known = {one for group in setup.first for one in group}
    out: dict[Candidate, str] = {}
    fitted = None
    for seen in range(min(start, max(1, len(blocks))), len(blocks) + 1):
        values = [block.rps for block in blocks[:seen]]
        out = _unfit(setup, blocks[:seen]) | out
        fitted = fit(values, known - out.keys())
        if fitted is None:
            continue
        if behind := _behind(setup, fitted):
            out |= behind
            fitted = fit(values, known - out.keys()) or fitted
        if seen >= start:
            known |= _joining(setup, known, fitted, refined=seen > start)
    resting = _resting(setup, fitted, _counts(blocks)) if fitted else set()
    return Roster(tuple(sorted(known - out.keys() - resting)), tuple(sorted(resting)), out, fitted)


def _unfit(setup: Setup, blocks: Sequence[BlockOutcome]) -> dict[Candidate, str]:
    """Candidates that cannot be deployed, or not be measured."""
    unfit = {}
    limit = setup.service.memory_bytes
    failures: Counter[Candidate] = Counter()
    for block in blocks:
        for one in block.measured:
            failures[one.candidate] += one.throughput_rps is None
            if limit is not None and (one.memory_bytes or 0) > limit:
                unfit[one.candidate] = "takes more memory than it may"
            elif failures[one.candidate] >= FAILURES:
                unfit[one.candidate] = one.error or "not validly measured"
    return unfit


def _behind(setup: Setup, fitted: Fit) -> dict[Candidate, str]:
    """Who is more than twice the margin below the best, and more than that is uncertain."""
    behind = {}
    for one in fitted.order:
        gap = fitted.against(one, fitted.best)
        if gap.mean < math.log1p(-2 * setup.margin) - gap.standard_error:
            behind[one] = "more than twice the margin below the best"
    return behind


def _resting(setup: Setup, fitted: Fit, counts: Counter[Candidate]) -> set[Candidate]:
    """Who cannot become the choice: larger than the best, and not better than it by the margin, as far as is known."""
    return {
        one
        for one in fitted.order
        if one > fitted.best
        and min(counts[one], counts[fitted.best]) >= RESTING
        and fitted.against(one, fitted.best).interval(ONE_SIDED)[1] < setup.margin
    }


def _joining(setup: Setup, known: set[Candidate], fitted: Fit, *, refined: bool) -> set[Candidate]:
    """Once, what lies between the best, the choice and their neighbours; and beyond, until a plateau has been seen."""
    joining: set[Candidate] = set()
    chosen = _smallest(setup, fitted)
    for good in set() if refined else {fitted.best, chosen}:
        joining |= set(refinements(setup.service, known, good))
    last = max(known, key=lambda one: one.slots)
    if last.slots < PLATEAU * chosen.slots:
        joining |= set(further(setup.service, known, last))
    return joining


def _ties(setup: Setup, fitted: Fit) -> tuple[Candidate, ...]:
    floor = math.log1p(-setup.margin)
    gaps = {one: fitted.against(one, fitted.best) for one in fitted.order}
    return tuple(one for one, gap in gaps.items() if gap.mean - DOUBT * gap.standard_error >= floor)


def _smallest(setup: Setup, fitted: Fit) -> Candidate:
    return min(_ties(setup, fitted))


def _enough(setup: Setup, blocks: Sequence[BlockOutcome], roster: Roster, fitted: Fit) -> Why | None:
    """Whether finalists have their blocks, and the choice is clear: it is within the margin, no smaller one is."""
    counts = _counts(blocks)
    least = min(counts[one] for one in roster.finalists)
    if least < (setup.blocks if len(fitted.order) > 1 else ALONE):
        return None
    floor, chosen = math.log1p(-setup.margin), _smallest(setup, fitted)
    within = chosen == fitted.best or fitted.against(chosen, fitted.best).p_above(floor) <= CLEAR
    smaller = [one for one in roster.finalists if one < chosen]
    outside = all(fitted.against(one, fitted.best).p_below(floor) <= CLEAR for one in smaller)
    if within and outside:
        return "settled"
    return "blocks" if least >= setup.most_blocks else None


def _picks(
    setup: Setup, roster: Roster, blocks: Sequence[BlockOutcome], chance: np.random.Generator
) -> dict[Candidate, float]:
    """The bootstrap over blocks: B. Efron and R. J. Tibshirani, An Introduction to the Bootstrap (1993), chapter 6."""
    values = [block.rps for block in blocks]
    picked: Counter[Candidate] = Counter()
    for draw in chance.integers(len(values), size=(RESAMPLES, len(values))):
        fitted = fit([values[at] for at in draw], roster.fitted.order if roster.fitted else ())
        if fitted is not None:
            picked[_smallest(setup, fitted)] += 1
    return {one: picked[one] / picked.total() for one in sorted(picked)}


def _counts(blocks: Sequence[BlockOutcome]) -> Counter[Candidate]:
    return Counter(one for block in blocks for one in block.rps)


def planned_s(service: Service, some: Iterable[Candidate]) -> float:
    """About how long a block of `some` takes.

    A closed slice lasts five response times and four more at its edges, and so the warm-up (`harness.suite.estimate`).
    """
    usual = ARM_S / (SLICES + 1)
    return sum(
        ARM_S + WORKER_S * one.workers + max(0.0, (SLICES + 0.5) * 9 * service.response_s(one) - SLICES * usual)
        for one in some
    )


def _planned(setup: Setup, block: BlockOutcome) -> float:
    return planned_s(setup.service, (one.candidate for one in block.measured))
