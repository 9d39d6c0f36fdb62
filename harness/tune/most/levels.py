"""The capacity of every candidate under the objectives, from blocks of closed load and rounds of open load; pure.

In a round all candidates are offered one rate, and each holds it or does not. The logarithm of what a candidate can
hold in a round is its level and the mood of the machine in that round, which all share: so what a mood does to all of
them says nothing of which is better, and the outcomes of a round are paired differences. The chance to hold is a
logistic function of level plus mood minus the logarithm of the rate (G. Rasch, "Probabilistic models for some
intelligence and attainment tests", 1960, whose items are rounds here). Before any round a level is the candidate's
closed throughput less what an objective takes of it: one amount for all, known roughly, and a little that is its own.
These little amounts, and the moods, have logistic distributions, whose tails are long enough for a setting that is
quite unlike the others and for a machine that loses a quarter of its speed. The mode and the curvature there (Laplace's
approximation) give levels with a covariance, as the fit of throughputs has them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from harness.tune.candidates import Candidate
from harness.tune.estimate import Fit, Floats
from harness.tune.rate.asked import RateBlock

SCALE = 0.02
"""Logistic scale of what a slice cannot tell, in the logarithm of the rate."""
COST, COST_SPREAD = math.log(0.85), 0.2
"""What an objective takes of the closed throughput, before any round: the same for all, within so much."""
OWN = 0.03
"""Logistic scale of what it takes of one candidate more than of another."""
MOOD = 0.05
"""Logistic scale of the machine's mood in a round."""
FAR = 1.0
"""Standard deviation beyond which nothing is believed to lie."""
NEAR = 1e-8
"""A change of Newton's method after which it has arrived."""
KNOWN = 1e6
"""Degrees of freedom of what does not rest on an estimated scatter."""


@dataclass(frozen=True, slots=True)
class Levels(Fit):
    """The capacities under the objectives, in logarithms of requests a second; their covariance is not scaled."""

    moods: tuple[float, ...] = ()
    """What each round took of all capacities, or added."""

    @property
    def _degrees(self) -> float:
        return KNOWN

    @property
    def _spread(self) -> float:
        return 1.0


@dataclass(frozen=True, slots=True)
class _Outcomes:
    """Logistic outcomes, a row each: what it depends on, what is added to that, held or missed (1, -1), its scale."""

    design: Floats
    offset: Floats
    sign: Floats
    scale: Floats

    def sure(self, values: Floats) -> Floats:
        """By how many scales each came as it had to; negative where it surprises."""
        sure: Floats = self.sign * (self.design @ values + self.offset) / self.scale
        return sure


def levels(fitted: Fit, rounds: Sequence[RateBlock], among: Iterable[Candidate]) -> Levels:
    """The capacities of the candidates `among` those of `fitted`, the closed throughputs."""
    wanted = set(among)
    order = tuple(candidate for candidate in fitted.order if candidate in wanted)
    closed = [fitted.about(candidate) for candidate in order]
    expected = np.array([each.mean + COST for each in closed])
    own = [math.hypot(OWN, each.standard_error / 2) for each in closed]
    outcomes = _outcomes(order, expected, own, rounds)
    values, covariance = _mode(outcomes)
    combine = np.zeros((len(order), len(values)))
    combine[:, 0] = 1
    combine[:, 1 : 1 + len(order)] = np.eye(len(order))
    return Levels(
        order=order,
        levels=expected + combine @ values,
        covariance=combine @ covariance @ combine.T,
        squares=0.0,
        degrees=0,
        moods=tuple(float(mood) for mood in values[1 + len(order) :]),
    )


def _outcomes(
    order: Sequence[Candidate], expected: Floats, own: Sequence[float], rounds: Sequence[RateBlock]
) -> _Outcomes:
    """What was seen, after what is believed before: a logistic belief is as good as having held once and missed once.

    The values are the common cost, the own amount of each candidate, and the mood of each round.
    """
    width = 1 + len(order) + len(rounds)
    beliefs = np.eye(width)
    scales = np.array([COST_SPREAD / 2, *own, *[MOOD] * len(rounds)])
    rows, offsets, signs = [], [], []
    for number, block in enumerate(rounds):
        for offered in block.offered:
            if offered.trial.outcome == "invalid" or offered.candidate not in order:
                continue
            index = order.index(offered.candidate)
            rows.append(beliefs[0] + beliefs[1 + index] + beliefs[1 + len(order) + number])
            offsets.append(expected[index] - math.log(offered.trial.rate_rps))
            signs.append(1.0 if offered.trial.outcome == "held" else -1.0)
    return _Outcomes(
        design=np.vstack([beliefs, beliefs, *rows]),
        offset=np.concatenate([np.zeros(2 * width), offsets]),
        sign=np.concatenate([np.ones(width), -np.ones(width), signs]),
        scale=np.concatenate([scales, scales, np.full(len(rows), SCALE)]),
    )


def _mode(outcomes: _Outcomes) -> tuple[Floats, Floats]:
    """The likeliest values, and the inverse of the curvature there, by Newton's method; the problem is convex."""

    def loss(values: Floats) -> float:
        return float(np.logaddexp(0, -outcomes.sure(values)).sum() + values @ values / (2 * FAR**2))

    values = np.zeros(outcomes.design.shape[1])
    while True:
        surprise = 1 / (1 + np.exp(np.clip(outcomes.sure(values), -500, 500)))
        gradient = values / FAR**2 - outcomes.design.T @ (outcomes.sign * surprise / outcomes.scale)
        weights = surprise * (1 - surprise) / outcomes.scale**2
        curvature = np.eye(len(values)) / FAR**2 + outcomes.design.T @ (outcomes.design * weights[:, None])
        step, share, least = np.linalg.solve(curvature, gradient), 1.0, loss(values)
        while share > NEAR and loss(values - share * step) > least:
            share /= 2
        values = values - share * step
        if share * float(np.abs(step).max()) < NEAR or share <= NEAR:
            return values, np.linalg.inv(curvature)
