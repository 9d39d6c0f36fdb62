"""What a search concludes: the bracket around the edge, and what broke the objective above it; pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from harness.judge.limits import stands_still
from harness.strict import STRICT
from harness.tune.rungs import End, Rungs
from harness.tune.search import Search
from harness.tune.trials import RateTrial

LIKELY = 0.5
"""Probability around the edge below which the bracket is given wider."""
ABOVE = 4
"""Rungs from the upper bound up whose failed trials say what broke the objective."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stalls:
    """How a server stood still now and then."""

    __pydantic_config__ = STRICT

    per_s: float
    """How often a second."""
    mean_s: float
    """For how long, in the mean."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bracket:
    """The two rates between which the edge lies."""

    low: End | None
    """The highest rate that holds; None where no rate does."""
    high: End | None
    """The lowest rate that does not hold; None where none was reached."""
    probability: float
    """That the edge lies here or one step beside."""
    settled: bool
    broke: str | None
    """The objective that broke first above."""
    cause: str | None
    """What most of its loss was."""
    limit: str | None
    """What stopped the server there."""
    stalls: Stalls | None
    """How the server stood still, where that is what broke it."""
    spells: tuple[float, ...]
    """For each trial the probability that it fell into a slow spell; of invalid trials, and of those of a spell, 0."""


def conclude(search: Search, trials: Sequence[RateTrial]) -> Bracket:
    """The best answer that `trials` give."""
    rungs = Rungs(search, trials)
    low = high = rungs.edge
    if rungs.probability < LIKELY and not rungs.supported:
        low, high = min(low, rungs.belief.quantile(0.1)), max(high, rungs.belief.quantile(0.9))
    failed = [
        trial
        for trial in rungs.counted
        if trial.outcome == "exceeded" and rungs.index(trial.rate_rps) in range(high, high + ABOVE)
    ]
    broke = Counter((trial.objective, trial.cause, trial.limit) for trial in failed)
    objective, cause, limit = broke.most_common(1)[0][0] if broke else (None, None, None)
    spells = iter(rungs.belief.spells)
    return Bracket(
        low=rungs.end(low - 1) if low > 0 else None,
        high=rungs.end(high) if high < rungs.top else None,
        probability=rungs.probability,
        settled=rungs.settled,
        broke=objective,
        cause=cause,
        limit=limit,
        stalls=_stalls([trial for trial in failed if trial.limit == limit]) if limit != "server-cpu" else None,
        spells=tuple(0.0 if trial.spell or trial.outcome == "invalid" else next(spells) for trial in trials),
    )


def _stalls(trials: Sequence[RateTrial]) -> Stalls | None:
    """How the server stood still in these trials, where that alone makes their p99."""
    count, stalled_s = sum(trial.stalls for trial in trials), sum(trial.stalled_s for trial in trials)
    lasted_s = sum(trial.lasted_s for trial in trials)
    if not stands_still(count, stalled_s, lasted_s):
        return None
    return Stalls(per_s=count / lasted_s, mean_s=stalled_s / count)
