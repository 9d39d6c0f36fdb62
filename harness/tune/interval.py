"""The capacity of the next launch over the next half minute, as an interval; pure.

The capacity of one launch over some seconds scatters: launches differ, and so does the machine from one trial to the
next. Each trial says whether its rate lay below what that launch could do in that time. So the logarithm of the
capacity is `middle + launch + moment`, where launch and moment scatter by amounts that are not known: a probability is
kept for every `middle` and every pair of amounts on a grid. The capacity of a half minute is that of the worst of its
moments, and the interval is that of the next one under all middles and amounts (a hierarchical probit model; A. Gelman
et al., Bayesian Data Analysis (2013), chapter 5). The scatter that comes out is a mixture and no Gaussian: it has the
tails of a machine with two speeds. A trial of a *spell* lasts so long that a machine that toggles within seconds shows
its slow speed in each; a shorter one that held says less, and counts less.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby

import numpy as np
from numpy.typing import NDArray
from scipy import special

from harness.strict import STRICT
from harness.tune.rungs import End, Rungs
from harness.tune.search import Search
from harness.tune.trials import Outcome, RateTrial

Floats = NDArray[np.floating]

SPELL_S = 10.0
"""Least length of the trials that show the machine's spells; of low rates as long as the objective needs."""
HALF_MINUTE_S = 30.0
"""Over which the capacity is foretold. It is that of the worst of its spells: in simulation the mean and the scatter of
the two agree to a thousandth, whether the speed wanders or toggles."""
LOW, HIGH = 0.03, 0.97
"""Probabilities below the two ends. More lies between than the nine tenths that are promised: how much launches and
moments scatter is learned from some thirty trials that held or did not, and where that comes out too small, so does the
interval."""
MOMENT, MOMENT_WEIGHT = (0.01, 0.02, 0.04, 0.08), (8.0, 8.0, 2.0, 0.5)
LAUNCH, LAUNCH_WEIGHT = (0.01, 0.065), (2.0, 1.0)
"""Amounts by which moments and launches scatter, in the logarithm, and how likely each is before any trial."""
BLIND = 0.2
"""Chance that a trial shorter than a spell falls between the slow moments of a machine that toggles: it then holds
whatever the rate."""
HICCUP, LUCK = 0.015, 0.01
"""Chance that a trial far below the capacity fails, and that one far above it holds."""
PRIOR_SPREAD, SPAN, PLACES = 0.5, 1.1, 161
"""Before these trials: standard deviation of the middle, how far the grid goes either way, and its places."""
LEAST_TRIALS, LEAST_LAUNCHES = 6, 3
"""Trials of a spell and launches that an interval takes."""

FAR, OFFSETS = 0.5, np.linspace(-0.5, 0.5, 501)
"""How far the next capacity is looked for from its middle, in the logarithm, and where its distribution is kept."""
GRID = np.linspace(-3.5, 3.5, 57)
GRID_WEIGHTS = np.exp(-0.5 * GRID**2) / np.exp(-0.5 * GRID**2).sum()
"""Points and weights of a normal distribution, fine enough where launches scatter much more than moments."""
NODES, NODE_WEIGHTS = np.polynomial.hermite_e.hermegauss(5)
"""Gauss and Hermite's points and weights of a normal distribution, by which a launch is integrated out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """Where the capacity of the next launch over the next half minute lies, nine times in ten at least."""

    __pydantic_config__ = STRICT

    low: float
    """Requests a second: what lies below holds."""
    middle: float
    high: float
    """What lies above does not."""
    machine: float
    """Share of its width that comes from the machine's spells, ..."""
    launches: float
    """... and from differences of launches; the rest comes from too few trials. Shares of the variance."""
    trials: int
    """That lasted a spell."""


def spell_s(search: Search, rate_rps: float) -> float:
    """How long a trial lasts that shows the machine's spells."""
    return max(SPELL_S, search.up_to_s(rate_rps, near_edge=True))


def long(trials: Sequence[RateTrial]) -> list[RateTrial]:
    """Those that lasted a spell, or would have, and count."""
    return [trial for trial in trials if trial.outcome != "invalid" and trial.spell]


def interval(search: Search, trials: Sequence[RateTrial]) -> Interval | None:
    """The interval that `trials` give; None where too few lasted a spell."""
    spells = long(trials)
    if len(spells) < LEAST_TRIALS or len({trial.launch for trial in spells}) < LEAST_LAUNCHES:
        return None
    spread = Spread(search, trials)
    low, middle, high = (math.exp(spread.quantile(share)) for share in (LOW, 0.5, HIGH))
    machine, launches = spread.shares()
    return Interval(low=low, middle=middle, high=high, machine=machine, launches=launches, trials=len(spells))


def ends(found: Interval, trials: Sequence[RateTrial]) -> tuple[End, End]:
    """Its ends, with how the trials below the lower and above the upper one went."""
    spells = long(trials)
    below = [trial.outcome for trial in spells if trial.rate_rps <= found.low]
    above = [trial.outcome for trial in spells if trial.rate_rps >= found.high]
    return _end(found.low, below), _end(found.high, above)


def _end(rate_rps: float, outcomes: list[Outcome]) -> End:
    return End(rate_rps=rate_rps, held=outcomes.count("held"), exceeded=outcomes.count("exceeded"))


class Spread:
    """A probability for each place of the middle, and for each amount of scatter of launches and of moments."""

    def __init__(self, search: Search, trials: Sequence[RateTrial]) -> None:
        centre = _centre(search, trials)
        self.spells = max(1.0, round(HALF_MINUTE_S / spell_s(search, math.exp(centre)), 1))
        self.places = np.linspace(centre - SPAN, centre + SPAN, PLACES)
        weight = -0.5 * ((self.places - centre) / PRIOR_SPREAD) ** 2
        logs = weight[:, None, None] + np.log(LAUNCH_WEIGHT)[None, :, None] + np.log(MOMENT_WEIGHT)[None, None, :]
        counted = sorted((trial for trial in trials if trial.outcome != "invalid"), key=lambda trial: trial.launch)
        for _, each in groupby(counted, key=lambda trial: trial.launch):
            seen = tuple(
                (math.log(trial.rate_rps), trial.outcome == "held", trial.planned_s < SPELL_S - 1e-9) for trial in each
            )
            logs = logs + _launch(centre, seen)
        probability = np.exp(logs - logs.max())
        self.probability = probability / probability.sum()

    def quantile(self, share: float) -> float:
        """The logarithm of the rate below which the next capacity lies with that probability."""
        low, high = float(self.places[0]) - FAR, float(self.places[-1]) + FAR
        for _ in range(20):
            half_way = (low + high) / 2
            low, high = (half_way, high) if self._lower(half_way) < share else (low, half_way)
        return (low + high) / 2

    def _lower(self, level: float) -> float:
        """The probability that the next capacity is lower."""
        below = _next_below(self.spells)
        return sum(
            float(self.probability[:, launch, moment] @ np.interp(level - self.places, OFFSETS, below[launch, moment]))
            for launch, moment in np.ndindex(below.shape[:2])
        )

    def shares(self) -> tuple[float, float]:
        """Shares of the variance of the next capacity that come from moments and from launches."""
        moment = float((self.probability.sum((0, 1)) * np.array(MOMENT) ** 2).sum())
        launch = float((self.probability.sum((0, 2)) * np.array(LAUNCH) ** 2).sum())
        middle = self.probability.sum((1, 2))
        unknown = float(middle @ (self.places - float(middle @ self.places)) ** 2)
        total = moment + launch + unknown
        return moment / total, launch / total


def _centre(search: Search, trials: Sequence[RateTrial]) -> float:
    """The logarithm of the rate around which the edge lies by the trials that looked for it."""
    belief = Rungs(search, trials).belief
    return float(belief.edges[belief.quantile(0.5)])


@lru_cache(maxsize=512)
def _launch(centre: float, seen: tuple[tuple[float, bool, bool], ...]) -> Floats:
    """Log likelihood of what was seen of one launch, by place, by scatter of launches and of moments."""
    places = np.linspace(centre - SPAN, centre + SPAN, PLACES)
    levels = places[:, None, None, None] + np.array(LAUNCH)[None, :, None, None] * NODES[None, None, None, :]
    logs = np.zeros((PLACES, len(LAUNCH), len(MOMENT), len(NODES)))
    for rate, held, short in seen:
        above = (levels - rate) / np.array(MOMENT)[None, None, :, None]
        holds = LUCK + (1 - LUCK - HICCUP) * _below(above)
        logs += np.log(BLIND + (1 - BLIND) * holds if short else holds) if held else np.log1p(-holds)
    most = logs.max(-1, keepdims=True)
    integrated: Floats = np.log((np.exp(logs - most) * NODE_WEIGHTS).sum(-1)) + most[..., 0]
    return integrated


def _below(z: Floats) -> Floats:
    """The normal distribution, by a logistic that is right to a hundredth."""
    share: Floats = 1 / (1 + np.exp(np.clip(-1.702 * z, -50, 50)))
    return share


@lru_cache(maxsize=8)
def _next_below(spells: float) -> Floats:
    """The distribution of the next capacity, the least of so many moments, around its middle, by both amounts."""
    table = np.empty((len(LAUNCH), len(MOMENT), len(OFFSETS)))
    for launch, moment in np.ndindex(table.shape[:2]):
        above = (OFFSETS[:, None] - LAUNCH[launch] * GRID[None, :]) / MOMENT[moment]
        table[launch, moment] = (1 - special.ndtr(-above) ** spells) @ GRID_WEIGHTS
    return table
