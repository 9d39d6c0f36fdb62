"""The throughput of every candidate, from all blocks together; pure.

A throughput is the level of its candidate times what the block had in common, the machine's speed at that moment. In
logarithms that is a two-way layout in which most cells are empty: a candidate that fell behind is not launched again,
and others join late. Least squares over all blocks that are connected through shared candidates compares any two
candidates, also two that were never in the same block (R. C. Bose, "Least squares aspects of analysis of variance",
1949; the intra-block analysis of incomplete block designs).
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
"""The scatter of a block that is assumed before there are data, and how many values the assumption counts as."""


@dataclass(frozen=True, slots=True)
class Fit:
    """The level of each candidate, and how well it is known."""

    order: tuple[Candidate, ...]
    levels: Floats
    """Logarithms of throughput in the mean block."""
    covariance: Floats
    """Of the levels, for a residual spread of 1."""
    squares: float
    """Residual sum of squares."""
    degrees: int
    """Degrees of freedom of the residuals."""

    def rps(self, candidate: Candidate) -> float:
        """Throughput in the mean block."""
        return math.exp(self._level(candidate))

    def against(self, candidate: Candidate, reference: Candidate) -> Estimate:
        """The logarithm of the candidate's throughput over that of `reference`, without the speed of their blocks."""
        contrast = np.zeros(len(self.order))
        contrast[self.order.index(candidate)] += 1
        contrast[self.order.index(reference)] -= 1
        error = math.sqrt(max(0.0, float(contrast @ self.covariance @ contrast))) * self._spread
        difference = self._level(candidate) - self._level(reference)
        return Estimate(mean=difference, standard_error=error, degrees=self._degrees)

    def about(self, candidate: Candidate) -> Estimate:
        """The level of a candidate, whose interval may be compared with that of another candidate."""
        index = self.order.index(candidate)
        error = math.sqrt(max(0.0, float(self.covariance[index, index]))) * self._spread
        return Estimate(mean=self._level(candidate), standard_error=error, degrees=self._degrees)

    @property
    def best(self) -> Candidate:
        """The candidate of the highest level."""
        return self.order[int(np.argmax(self.levels))]

    def _level(self, candidate: Candidate) -> float:
        return float(self.levels[self.order.index(candidate)])

    @property
    def _degrees(self) -> float:
        return self.degrees + USUAL_WEIGHT

    @property
    def _spread(self) -> float:
        """The residual spread, moderated: the scatter of few blocks says little (see `statistics.moderated_t`)."""
        return math.sqrt((USUAL_WEIGHT * USUAL_SPREAD**2 + self.squares) / self._degrees)


def fit(blocks: Sequence[Throughputs], among: Iterable[Candidate] | None = None) -> Fit | None:
    """The levels of the candidates in `blocks`, or of those `among` them only; None when none was measured.

    Where some blocks share no candidate with the others, only the largest connected set of blocks is used.
    """
    used = _connected(_restricted(blocks, among))
    if not used:
        return None
    order = tuple(sorted({candidate for block in used for candidate in block}))
    cells = [
        (number, order.index(candidate), math.log(rps))
        for number, block in enumerate(used)
        for candidate, rps in block.items()
    ]
    design = np.zeros((len(cells) + 1, len(order) + len(used)))
    for row, (number, column, _) in enumerate(cells):
        design[row, column] = design[row, len(order) + number] = 1
    design[-1, len(order) :] = 1  # the effects of the blocks sum to zero: levels are those of the mean block
    values = np.array([level for *_, level in cells] + [0.0])
    inverse = np.linalg.pinv(design.T @ design)
    solution = inverse @ design.T @ values
    residuals = values - design @ solution
    return Fit(
        order=order,
        levels=solution[: len(order)],
        covariance=inverse[: len(order), : len(order)],
        squares=float(residuals @ residuals),
        degrees=max(0, len(cells) + 1 - len(order) - len(used)),
    )


def _restricted(blocks: Sequence[Throughputs], among: Iterable[Candidate] | None) -> list[Throughputs]:
    """The blocks with the candidates `among` them only, without blocks that are then empty."""
    allowed = None if among is None else set(among)
    restricted = (
        {candidate: rps for candidate, rps in block.items() if rps > 0 and (allowed is None or candidate in allowed)}
        for block in blocks
    )
    return [block for block in restricted if block]


def _connected(blocks: Sequence[Throughputs]) -> list[Throughputs]:
    """The set of blocks connected through shared candidates that covers most candidates."""
    sets: list[tuple[set[Candidate], list[Throughputs]]] = []
    for block in blocks:
        members, together = set(block), [block]
        apart = []
        for candidates, connected in sets:
            if candidates & members:
                members |= candidates
                together = connected + together
            else:
                apart.append((candidates, connected))
        sets = [*apart, (members, together)]
    return max(sets, key=lambda connected: (len(connected[0]), len(connected[1])))[1] if sets else []
