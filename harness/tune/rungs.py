"""The trials of a search on the rungs of its ladder, and where they put the edge; pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.strict import STRICT
from harness.tune.belief import RateEvidence, believe
from harness.tune.search import Search
from harness.tune.trials import RateTrial

REPEATS = 7
"""Trials that each bound of a settled answer has at least."""
SURE = 0.95
"""Probability around the bracket from which it is settled."""
DOUBTS, NOTHING = 4, 3
"""Failures, while no trial held, after which the lowest rate is tried; failures there after which nothing holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """One end of the bracket, and how the trials at its rate went."""

    __pydantic_config__ = STRICT

    rate_rps: float
    held: int
    exceeded: int

    @property
    def trials(self) -> int:
        """All that count."""
        return self.held + self.exceeded


class Rungs:
    """The trials of a search, each at its rung; edge `j` lies between the rungs `j - 1` and `j`."""

    def __init__(self, search: Search, trials: Sequence[RateTrial]) -> None:
        trials = [trial for trial in trials if not trial.spell]
        self.search, self.number = search, len(trials)
        self.counted = [trial for trial in trials if trial.outcome != "invalid"]
        unoffered = min((trial.rate_rps for trial in trials if trial.saturated), default=math.inf)
        self.rates = search.rates[: max(2, int(np.searchsorted(search.rates, unoffered)))]
        """The rates that the generator can offer."""
        self.top = len(self.rates)
        """The edge above all rates."""
        self.belief = believe(self.rates, search.seed_rps, [_evidence(search, trial) for trial in self.counted])
        self.doubtful = len(self.counted) >= DOUBTS and all(trial.outcome == "exceeded" for trial in self.counted)
        """Whether nothing has held so far."""
        self.nothing = self.doubtful and self.end(0).exceeded >= NOTHING
        """Whether not even the lowest rate holds."""
        self.edge = 0 if self.nothing else self._edge()
        self.probability = 1.0 if self.nothing else self.belief.around(self.edge)

    def index(self, rate_rps: float) -> int:
        """The rung nearest to a rate."""
        return int(np.argmin(np.abs(np.log(self.rates / rate_rps))))

    def end(self, index: int) -> End:
        """How the trials at that rung went that were as long as near the edge; at the lowest rung, all of them."""
        rate = float(self.rates[index])
        least_s = self.search.up_to_s(rate, near_edge=index > 0) - 1e-9
        outcomes = [
            trial.outcome
            for trial in self.counted
            if self.index(trial.rate_rps) == index and trial.planned_s >= least_s
        ]
        return End(rate_rps=rate, held=outcomes.count("held"), exceeded=outcomes.count("exceeded"))

    @property
    def supported(self) -> bool:
        """Whether both bounds were tried often enough, most trials of each agreeing."""
        low = self.end(self.edge - 1) if self.edge > 0 else None
        high = self.end(self.edge) if self.edge < self.top else None
        return (low is None or (low.trials >= REPEATS and low.held > low.exceeded)) and (
            high is None or (high.trials >= REPEATS and high.exceeded > high.held)
        )

    @property
    def settled(self) -> bool:
        """Whether the bracket is likely enough and supported, or nothing holds."""
        return self.nothing or (self.probability >= SURE and self.supported)

    def _edge(self) -> int:
        """The likeliest edge, but below every rate of which most trials failed: bad luck does not explain so many."""
        edge = self.belief.likeliest
        while edge > 0 and (below := self.end(edge - 1)).trials >= REPEATS and below.held < below.exceeded:
            edge -= 1
        return edge


def _evidence(search: Search, trial: RateTrial) -> RateEvidence:
    """A trial as the belief weighs it; an overload whose queue stays below the time limit until its end is blurred."""
    return RateEvidence(
        rate_rps=trial.rate_rps,
        held=trial.outcome == "held",
        start_s=trial.start_s,
        blur=search.slo.slack_s / (2 * trial.planned_s),
    )
