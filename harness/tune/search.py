"""What a search for the capacity looks for, and the ladder of rates that it looks on; pure.

The driver offers an open load at the rate that `next_rate.decide` names, judges it (`harness.judge.slo`), and asks
again with all trials so far:

    trials = ()
    while isinstance(step := decide(search, trials, left_s), Try):
        trials += (RateTrial(...),)
    bracket = conclude(search, trials)

Nothing is kept between the calls. So a search resumes from its records, and an interrupted search has the best answer
so far.

The edge is the rate up to which the objective holds. Rates lie on a ladder of 4 % steps, and the answer is a bracket of
two neighbours: most trials at the lower rate held, most at the upper rate did not. Short trials come first, and halve
the range until the edge is known to a few steps. Every trial weighs on the belief about the edge, and none is final.
Then the two bounds of the likeliest bracket are tried in turn, and every third trial goes to another rate, where there
is less evidence.

Why not the MLRsearch library (1.2.1; IETF draft-ietf-bmwg-mlrsearch)? Its measures are ours: loss ratio goal, trials
of growing length, several trials on a bound, of which a share may exceed the goal. But it owns its loop and its clock,
and raises when the time is up. It begins at the highest load, which here leaves a queue that takes longer to drain than
the trial lasted. It repeats a load back to back, where one slow spell meets all repeats. And it never tries a load
again that once became an upper bound, since its lowest upper bound is final. The last two are what a shared machine
needs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from harness.errors import UsageError
from harness.judge.slo import Slo

STEP = 1.04
"""Ratio of neighbouring rates, and so of the bounds of a settled answer."""
DOWN, UP = 64.0, 8.0
"""How far below and above the closed capacity the search may go."""
COARSE_S, EDGE_S, LONGEST_S = 2.0, 3.0, 30.0
"""Length of a trial far from the edge, of a trial near it, and the most that any may last."""
SLACKS = 30.0
"""Time limits that a trial near the edge lasts: an overload by 1/30 then shows as lateness before its end."""
SLACKS_S = 20.0
"""The most that a trial lasts for that reason."""


@dataclass(frozen=True)
class Search:
    """The objectives that must hold, and where to begin.

    `seed_rps` is the capacity under closed load, or any guess within a factor of three. Raises `UsageError` where a
    trial at that rate would last too long to resolve the objectives.
    """

    slo: Slo
    seed_rps: float

    def __post_init__(self) -> None:
        slowest = self.slo.arrivals_needed / LONGEST_S
        if self.seed_rps < slowest:
            needed_s = self.slo.arrivals_needed / self.seed_rps
            raise UsageError(
                f"{self.slo.text} needs {self.slo.arrivals_needed} arrivals in a trial, which take {needed_s:.0f} s "
                f"at {self.seed_rps:.3g}/s: state a lower percentile, such as p90, or a larger share of errors"
            )

    @cached_property
    def rates(self) -> NDArray[np.float64]:
        """The ladder in requests a second, rising."""
        lowest = max(self.seed_rps / DOWN, self.slo.arrivals_needed / LONGEST_S)
        below = math.floor(math.log(self.seed_rps / lowest) / math.log(STEP) + 1e-9)
        above = math.floor(math.log(UP) / math.log(STEP))
        return np.array([float(f"{self.seed_rps * STEP**k:.5g}") for k in range(-below, above + 1)])

    def up_to_s(self, rate_rps: float, *, near_edge: bool) -> float:
        """How long a trial at that rate lasts."""
        resolved_s = self.slo.arrivals_needed / rate_rps
        if near_edge:
            return min(max(EDGE_S, min(SLACKS * self.slo.slack_s, SLACKS_S), resolved_s), LONGEST_S)
        return min(max(COARSE_S, resolved_s / 4), LONGEST_S)
