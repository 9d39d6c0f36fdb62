"""Estimates with intervals; pure, and cited.

Everything here works on a handful of independent values, one for each block: the logarithm of a ratio. The mean of
logarithms is the logarithm of a geometric mean, and their difference that of a ratio. Only :func:`geometric_mean` takes
and gives values that are no logarithms.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import special  # scipy.stats does the same with these, and takes half a second and 70 MiB to import

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A mean, its standard error, and the degrees of freedom on which that rests."""

    mean: float
    standard_error: float
    degrees: float

    def half_width(self, confidence: float = CONFIDENCE) -> float:
        """Half the width of the t interval; infinite without a degree of freedom, as of a single value."""
        if self.degrees <= 0:
            return math.inf
        return t_quantile((1 + confidence) / 2, self.degrees) * self.standard_error

    def interval(self, confidence: float = CONFIDENCE) -> tuple[float, float]:
        """The t interval of the mean."""
        half = self.half_width(confidence)
        return self.mean - half, self.mean + half

    def minus(self, other: Estimate) -> Estimate:
        """The difference of two independent estimates, with the Welch-Satterthwaite degrees of freedom.

        B. L. Welch, "The generalization of Student's problem when several different population variances are
        involved", Biometrika 34 (1947), 28-35.
        """
        mine, theirs = self.standard_error**2, other.standard_error**2
        below = _share(mine, self.degrees) + _share(theirs, other.degrees)
        degrees = (mine + theirs) ** 2 / below if below > 0 else min(self.degrees, other.degrees)
        return Estimate(mean=self.mean - other.mean, standard_error=math.sqrt(mine + theirs), degrees=degrees)

    def p_below(self, bound: float) -> float:
        """One-sided p value of "the true mean is `bound` or more": small when it is credibly below."""
        return self._tail(self.mean - bound)

    def p_above(self, bound: float) -> float:
        """One-sided p value of "the true mean is `bound` or less": small when it is credibly above."""
        return self._tail(bound - self.mean)

    def _tail(self, distance: float) -> float:
        if self.degrees <= 0:
            return 1.0
        if self.standard_error == 0:
            return 0.0 if distance < 0 else 1.0
        return float(special.stdtr(self.degrees, distance / self.standard_error))


def _share(variance: float, degrees: float) -> float:
    if degrees <= 0:
        return math.inf if variance > 0 else 0.0
    return variance**2 / degrees


@lru_cache(maxsize=4096)
def t_quantile(probability: float, degrees: float) -> float:
    """The value below which Student's t lies with that probability."""
    return float(special.stdtrit(degrees, probability))


def estimate(values: Sequence[float]) -> Estimate:
    """The mean of independent values, with one degree of freedom less than there are values (Student's t).

    Raises `ValueError` without values.

    Student, "The probable error of a mean", Biometrika 6 (1908), 1-25. At three to twelve values it holds what it
    promises for the tails that block means have (tests/judge/test_statistics.py); the percentile bootstrap does not.
    """
    if not values:
        message = "no values"
        raise ValueError(message)
    error = float(np.std(values, ddof=1)) / math.sqrt(len(values)) if len(values) > 1 else 0.0
    return Estimate(mean=float(np.mean(values)), standard_error=error, degrees=len(values) - 1)


def welch(after: Sequence[float], before: Sequence[float]) -> Estimate:
    """The difference of the means of two independent samples, which need not scatter alike (`Estimate.minus`)."""
    return estimate(after).minus(estimate(before))


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """P values adjusted for there being several, in the order given.

    S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6 (1979),
    65-70. Controls the chance of any false finding, whatever the dependence between the tests.
    """
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        highest = max(highest, min(1.0, p_values[index] * (len(p_values) - rank)))
        adjusted[index] = highest
    return tuple(adjusted)


def sample_size(spread: float, half_width: float, *, at_least: int = 2, at_most: int = 1000) -> int | None:
    """How many values with standard deviation `spread` give a t interval of that half-width; None: over `at_most`."""
    for count in range(max(at_least, 2), at_most + 1):
        if t_quantile((1 + CONFIDENCE) / 2, count - 1) * spread / math.sqrt(count) <= half_width:
            return count
    return None


def ratio_of(log_ratio: float) -> float:
    """The ratio with this logarithm; beyond all ratios that mean something (`exp(700)`) it rises no more."""
    return math.exp(min(log_ratio, 700.0))


def geometric_mean(values: Sequence[float]) -> float:
    """The geometric mean of positive values."""
    return ratio_of(math.fsum(math.log(value) for value in values) / len(values))


def moderated_t(scaled: Sequence[float], prior_weight: float = 10.0) -> tuple[float, float]:
    """The t statistic of a few values whose spread is 1 by prior knowledge, and its degrees of freedom.

    With three values their own spread says almost nothing; it is shrunk towards the prior, which counts as
    `prior_weight` values. G. K. Smyth, "Linear models and empirical Bayes methods for assessing differential expression
    in microarray experiments", Statistical Applications in Genetics and Molecular Biology 3 (2004), article 3.
    """
    count = len(scaled)
    sampled = float(np.var(scaled, ddof=1)) if count > 1 else 0.0
    degrees = prior_weight + count - 1
    variance = (prior_weight + (count - 1) * sampled) / degrees
    return float(np.mean(scaled)) * math.sqrt(count / variance), degrees


def normal_tail_as_t(z: float, degrees: float) -> float:
    """The t value that is as rare as `z` standard errors of a normal distribution."""
    return -t_quantile(float(special.ndtr(-z)), degrees)
