"""What the blocks say of the candidates, taken together; pure.

Throughput is a candidate's level times what the block had in common (the machine's speed of the moment), in logarithms
a two-way layout in which most cells are empty: a candidate that fell behind is not launched again, one that was found
later joins late. Least squares over all blocks that are connected through shared candidates compares any two, also
those that never met (R. C. Bose, "Least squares aspects of analysis of variance", 1949; the intra-block analysis of
incomplete block designs).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.judge.statistics import Estimate
from harness.tune.candidates import Candidate

Throughputs = Mapping[Candidate, float]
"""Throughput of the candidates that were validly measured."""
Floats = NDArray[np.floating]

USUAL_SPREAD, USUAL_WEIGHT = 0.03, 4.0
"""What a block scatters by before there is enough to tell, and how many values that counts as (METHOD, section 2)."""


@dataclass(frozen=True, slots=True)
class Fit:
    """The levels of all candidates, and how well they are known."""

    order: tuple[Candidate, ...]
    levels: Floats
    """Logarithms of throughput in the mean block."""
    covariance: Floats
    """For a residual spread of 1."""
    squares: float
    """Residual sum of squares."""
    degrees: int

    def rps(self, one: Candidate) -> float:
        """Throughput in the mean block."""
        return math.exp(self._level(one))

    def against(self, one: Candidate, other: Candidate) -> Estimate:
        """The logarithm of the ratio of two candidates, what their blocks had in common left out."""
        contrast = np.zeros(len(self.order))
        contrast[self.order.index(one)] += 1
        contrast[self.order.index(other)] -= 1
        error = math.sqrt(max(0.0, float(contrast @ self.covariance @ contrast))) * self._spread
        return Estimate(mean=self._level(one) - self._level(other), standard_error=error, degrees=self._degrees)

    def about(self, one: Candidate) -> Estimate:
        """The level of one candidate, for an interval that may be held against another candidate's."""
        at = self.order.index(one)
        error = math.sqrt(max(0.0, float(self.covariance[at, at]))) * self._spread
        return Estimate(mean=self._level(one), standard_error=error, degrees=self._degrees)

    @property
    def best(self) -> Candidate:
        """The highest level."""
        return self.order[int(np.argmax(self.levels))]

    def _level(self, one: Candidate) -> float:
        return float(self.levels[self.order.index(one)])

    @property
    def _degrees(self) -> float:
        return self.degrees + USUAL_WEIGHT

    @property
    def _spread(self) -> float:
        """Moderated: with few blocks their own scatter says little (see `statistics.moderated_t`)."""
        return math.sqrt((USUAL_WEIGHT * USUAL_SPREAD**2 + self.squares) / self._degrees)


def fit(blocks: Sequence[Throughputs], among: Iterable[Candidate] | None = None) -> Fit | None:
    """The levels of the candidates (`among` them only) in `blocks`; None when none was measured.

    Of several sets of blocks that share no candidate only the one that covers most is used.
    """
    wanted = None if among is None else set(among)
    kept = [
        {one: rps for one, rps in block.items() if rps > 0 and (wanted is None or one in wanted)} for block in blocks
    ]
    kept = _connected([block for block in kept if block])
    if not kept:
        return None
    order = tuple(sorted({one for block in kept for one in block}))
    cells = [
        (number, order.index(one), math.log(rps)) for number, block in enumerate(kept) for one, rps in block.items()
    ]
    design = np.zeros((len(cells) + 1, len(order) + len(kept)))
    for row, (number, at, _) in enumerate(cells):
        design[row, at] = design[row, len(order) + number] = 1
    design[-1, len(order) :] = 1  # the blocks' own effects cancel out: levels are those of the mean block
    values = np.array([level for *_, level in cells] + [0.0])
    inverse = np.linalg.pinv(design.T @ design)
    solution = inverse @ design.T @ values
    rest = values - design @ solution
    return Fit(
        order=order,
        levels=solution[: len(order)],
        covariance=inverse[: len(order), : len(order)],
        squares=float(rest @ rest),
        degrees=max(0, len(cells) + 1 - len(order) - len(kept)),
    )


def _connected(blocks: list[dict[Candidate, float]]) -> list[dict[Candidate, float]]:
    """The largest set of blocks that hang together through candidates that they share."""
    sets: list[tuple[set[Candidate], list[dict[Candidate, float]]]] = []
    for block in blocks:
        members, together = set(block), [block]
        apart = []
        for others, theirs in sets:
            if others & members:
                members |= others
                together = theirs + together
            else:
                apart.append((others, theirs))
        sets = [*apart, (members, together)]
    return max(sets, key=lambda each: (len(each[0]), len(each[1])))[1] if sets else []
