"""Who is launched again, who rests, and who is out; pure.

The first blocks hold all candidates, in groups that share a reference. From then on a block holds the finalists. A
candidate that is more than twice the margin below the best, by more than the noise, is out and not launched again. What
lies between the best and its neighbours joins. Nothing is kept between the calls: the roster follows from the blocks,
so a run resumes from its records, and an interrupted run has the best answer so far.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from harness.tune.blocks import BlockOutcome, Setup, counts
from harness.tune.candidates import PLATEAU, Candidate, further, refinements
from harness.tune.estimate import Fit, fit
from harness.tune.tie_set import smallest

RESTING = 3
"""Blocks of a candidate larger than the best, after which it may rest."""
ONE_SIDED = 0.9
"""Confidence of the interval whose upper end is exceeded one time in twenty."""
FAILURES = 2
"""Blocks in which a candidate failed, after which it is out, unless others measured it."""


@dataclass(frozen=True, slots=True)
class Roster:
    """Where each candidate stands after some blocks."""

    finalists: tuple[Candidate, ...]
    resting: tuple[Candidate, ...]
    """Larger than the best and not credibly better by the margin: ties at most, and never the smallest of the ties."""
    out: dict[Candidate, str]
    """Who is not launched again, and why."""
    fitted: Fit | None
    """Of finalists and resting; None where no candidate was validly measured."""


def follow(setup: Setup, blocks: Sequence[BlockOutcome]) -> Roster:
    """Replay the blocks: who fell out after which, who joined."""
    start = len(setup.first)
    known = {candidate for group in setup.first for candidate in group}
    out: dict[Candidate, str] = {}
    fitted = None
    for number in range(min(start, max(1, len(blocks))), len(blocks) + 1):
        throughputs = [block.rps for block in blocks[:number]]
        out = _unfit(setup, blocks[:number]) | out
        fitted = fit(throughputs, known - out.keys())
        if fitted is None:
            continue
        if behind := _behind(setup, fitted):
            out |= behind
            fitted = fit(throughputs, known - out.keys()) or fitted
        if number >= start:
            known |= _joining(setup, known, fitted, refined=number > start)
    resting = _resting(setup, fitted, counts(blocks)) if fitted else set()
    return Roster(tuple(sorted(known - out.keys() - resting)), tuple(sorted(resting)), out, fitted)


def _unfit(setup: Setup, blocks: Sequence[BlockOutcome]) -> dict[Candidate, str]:
    """Candidates that cannot be deployed, or not be measured."""
    unfit = {}
    limit = setup.service.memory_bytes
    failures: Counter[Candidate] = Counter()
    measured = counts(blocks)
    for arm in (arm for block in blocks for arm in block.measured):
        failures[arm.candidate] += arm.throughput_rps is None
        if limit is not None and (arm.memory_bytes or 0) > limit:
            unfit[arm.candidate] = "takes more memory than it may"
        elif failures[arm.candidate] >= FAILURES and not measured[arm.candidate]:
            unfit[arm.candidate] = arm.error or "not validly measured"
    return unfit


def _behind(setup: Setup, fitted: Fit) -> dict[Candidate, str]:
    """Who is more than twice the margin below the best, and more than that is uncertain."""
    behind = {}
    for candidate in fitted.order:
        gap = fitted.against(candidate, fitted.best)
        if gap.mean < math.log1p(-2 * setup.margin) - gap.standard_error:
            behind[candidate] = "more than twice the margin below the best"
    return behind


def _resting(setup: Setup, fitted: Fit, measured: Counter[Candidate]) -> set[Candidate]:
    """Who cannot become the choice: larger than the best, and not better than it by the margin, as far as is known."""
    return {
        candidate
        for candidate in fitted.order
        if candidate > fitted.best
        and min(measured[candidate], measured[fitted.best]) >= RESTING
        and fitted.against(candidate, fitted.best).interval(ONE_SIDED)[1] < setup.margin
    }


def _joining(setup: Setup, known: set[Candidate], fitted: Fit, *, refined: bool) -> set[Candidate]:
    """Who joins: once, what lies beside the best and the choice; then steps beyond, until a plateau has shown."""
    joining: set[Candidate] = set()
    chosen = smallest(setup, fitted)
    for good in set() if refined else {fitted.best, chosen}:
        joining |= set(refinements(setup.service, known, good))
    last = max(known, key=lambda candidate: candidate.slots)
    if last.slots < PLATEAU * chosen.slots:
        joining |= set(further(setup.service, known, last))
    return joining
