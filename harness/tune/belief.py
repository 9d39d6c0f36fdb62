"""What the trials of a search say about where the edge lies: a probability for each place where it can lie; pure.

A slow machine makes a trial fail that would have held. A bisection that decides by such a trial, early and for good,
goes wrong. So nothing is decided: every trial, old or new, only weighs on the probabilities, as in probabilistic
bisection (M. Horstein, IEEE Transactions on Information Theory 9 (1963), 136-143; R. Waeber, P. I. Frazier and S. G.
Henderson, SIAM Journal on Control and Optimization 51 (2013), 2261-2279) and in the sequential tests of psychophysics,
which know such failures as lapses (A. B. Watson and D. G. Pelli, "QUEST", Perception & Psychophysics 33 (1983),
113-120).

The machine is calm or in a slow spell, and stays so for a while: a hidden Markov chain with two states. One spell
explains failures in a row as well as the rate does, so they count for little until another failure follows much later.
What comes from outside makes a server slower and never faster, so a trial that held is the stronger evidence.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]

CALM_S = 60.0
"""How long the machine is calm between two slow spells, in the mean."""
SPELL_S = 8.0
"""How long a slow spell lasts, in the mean."""
SPELL_DIP, SPELL_SPREAD = 0.25, 0.08
"""What a spell takes off the logarithm of the edge, and the logistic scale of that."""
LUCK = 0.01
"""Chance that a trial holds at a rate far above the edge."""
HICCUP = 0.2
"""Chance that a trial fails at a rate far below the edge: one stall of a tenth of a second is enough."""
DRIFT = 0.025
"""Logistic scale of the drift of the edge, in its logarithm."""
PRIOR_CENTRE, PRIOR_SPREAD, PRIOR_FLOOR = 0.9, 0.5, 1e-4
"""Before any trial: the edge lies near nine tenths of the capacity under closed load, within a factor of e either way
at two standard deviations. The floor is the weight of every other place, so that trials can show it to lie there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RateEvidence:
    """One trial, as the belief weighs it."""

    rate_rps: float
    held: bool
    start_s: float
    blur: float
    """Logistic scale of what a trial of this length cannot tell, in the logarithm of the rate."""


@dataclass(frozen=True, slots=True)
class Belief:
    """A probability for each edge; edge `j` lies between the rates `j - 1` and `j`."""

    edges: Floats
    """Logarithms of requests a second, one more than there are rates."""
    probability: Floats
    spells: tuple[float, ...]
    """For each trial the probability, by the trials until then, that it fell into a slow spell."""

    @property
    def likeliest(self) -> int:
        """The edge with the most probability on it and beside it, where an edge beside it counts half."""
        return int(np.argmax(np.convolve(self.probability, (0.5, 1, 0.5), "same")))

    @property
    def spread(self) -> float:
        """Standard deviation of the logarithm of the edge."""
        mean = float(self.probability @ self.edges)
        return math.sqrt(float(self.probability @ (self.edges - mean) ** 2))

    def around(self, edge: int) -> float:
        """Probability of this edge and the two beside it."""
        return float(self.probability[max(0, edge - 1) : edge + 2].sum())

    def quantile(self, share: float, temper: float = 1.0) -> int:
        """The edge below which `share` of the probability lies; a `temper` below 1 flattens the probability first."""
        flat = self.probability**temper
        cumulative = np.cumsum(flat / flat.sum())
        return min(int(np.searchsorted(cumulative, share)), len(self.edges) - 1)


def believe(rates: Floats, seed_rps: float, trials: Sequence[RateEvidence]) -> Belief:
    """The belief after `trials`, in the order in which they were made, about the edges between rising `rates`."""
    logs = np.log(rates)
    half = (logs[1] - logs[0]) / 2
    edges = np.append(logs - half, logs[-1] + half)
    likelihood = np.log(_prior(edges, seed_rps))
    often = SPELL_S / (SPELL_S + CALM_S)
    calm, spell = np.full(edges.shape, 1 - often), np.full(edges.shape, often)
    spells: list[Floats] = []
    last_s = None
    for trial in trials:
        if last_s is not None:
            calm, spell = _later(calm, spell, often, trial.start_s - last_s)
        last_s = trial.start_s
        above = edges - math.log(trial.rate_rps)
        calm = calm * _chance(above, DRIFT + trial.blur, held=trial.held)
        spell = spell * _chance(above - SPELL_DIP, SPELL_SPREAD, held=trial.held)
        total = calm + spell
        likelihood += np.log(total)
        calm, spell = calm / total, spell / total
        spells.append(spell)
    probability = np.exp(likelihood - likelihood.max())
    probability /= probability.sum()
    return Belief(edges, probability, tuple(float(probability @ by_edge) for by_edge in spells))


def _prior(edges: Floats, seed_rps: float) -> Floats:
    z = (edges - math.log(PRIOR_CENTRE * seed_rps)) / PRIOR_SPREAD
    weight = np.exp(-0.5 * z * z) + PRIOR_FLOOR
    prior: Floats = weight / weight.sum()
    return prior


def _later(calm: Floats, spell: Floats, often: float, passed_s: float) -> tuple[Floats, Floats]:
    """The probabilities of the two states after some time: what is known of them fades."""
    stays = math.exp(-passed_s * (1 / CALM_S + 1 / SPELL_S))
    return (1 - often) * (1 - stays) + calm * stays, often * (1 - stays) + spell * stays


def _chance(above: Floats, scale: float, *, held: bool) -> Floats:
    """Chance of the outcome where the edge lies `above` the rate, in logarithms."""
    holds: Floats = LUCK + (1 - LUCK - HICCUP) / (1 + np.exp(-np.clip(above / scale, -50, 50)))
    return holds if held else 1 - holds
