"""Which candidate to deploy, as far as the blocks tell; pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from harness.tune.blocks import BlockOutcome, Setup
from harness.tune.candidates import Candidate
from harness.tune.estimate import fit
from harness.tune.roster import Roster, follow
from harness.tune.tie_set import smallest, ties

RESAMPLES = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The candidate that is recommended, and the tie set that it is the smallest of."""

    recommended: Candidate
    ties: tuple[Candidate, ...]
    best: Candidate
    picks: dict[Candidate, float] = field(default_factory=dict)
    """How often each is recommended when the blocks are drawn again, with replacement."""


def choose(setup: Setup, blocks: Sequence[BlockOutcome], seed: int = 0) -> Choice | None:
    """The best answer that `blocks` give; None when no candidate was validly measured."""
    roster = follow(setup, blocks)
    if roster.fitted is None:
        return None
    tied = ties(setup, roster.fitted)
    return Choice(
        recommended=min(tied),
        ties=tied,
        best=roster.fitted.best,
        picks=_picks(setup, roster, blocks, np.random.default_rng(seed)),
    )


def _picks(
    setup: Setup, roster: Roster, blocks: Sequence[BlockOutcome], chance: np.random.Generator
) -> dict[Candidate, float]:
    """The bootstrap over blocks: B. Efron and R. J. Tibshirani, An Introduction to the Bootstrap (1993), chapter 6."""
    throughputs = [block.rps for block in blocks]
    picked: Counter[Candidate] = Counter()
    for draw in chance.integers(len(throughputs), size=(RESAMPLES, len(throughputs))):
        fitted = fit([throughputs[number] for number in draw], roster.fitted.order if roster.fitted else ())
        if fitted is not None:
            picked[smallest(setup, fitted)] += 1
    return {candidate: picked[candidate] / picked.total() for candidate in sorted(picked)}
