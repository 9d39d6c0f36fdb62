"""Keeps what becomes of each arrival of a slice, where the spec asks for it: 24 bytes an arrival."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from harness.spec.fates import GOOD, KINDS, Fates

Moments = NDArray[np.int64]
"""Nanoseconds of CLOCK_MONOTONIC."""


class Keeper:
    """Takes the moments that a recorder folds."""

    def __init__(self) -> None:
        self._due: list[Moments] = []
        self._good: list[tuple[Moments, Moments]] = []
        self._lost: list[tuple[int, int, int]] = []

    def due(self, intended: Moments) -> None:
        """These arrivals were due."""
        self._due.append(intended)

    def good(self, intended: Moments, done: Moments) -> None:
        """Good answers to arrivals that were due at `intended`."""
        self._good.append((intended, done))

    def lost(self, kind: str, intended_ns: int, known_ns: int) -> None:
        """An arrival failed, or is never sent; that is known since `known_ns`."""
        self._lost.append((intended_ns, known_ns, KINDS.index(kind)))

    def calm(self, start_ns: int, end_ns: int, limit_ns: int, share: float) -> bool:
        """Whether at most `share` of the arrivals due between the two were not answered well within `limit_ns`."""
        due = sum(int(_inside(moments, start_ns, end_ns).sum()) for moments in self._due)
        kept = sum(
            int((_inside(intended, start_ns, end_ns) & (done - intended <= limit_ns)).sum())
            for intended, done in self._good
        )
        return due - kept <= share * due

    def fates(self, start_ns: int, end_ns: int) -> Fates:
        """Of the arrivals due between the two, once all are answered or given up; times count from the first."""
        goods = [np.stack([intended, done, np.full_like(done, GOOD)]) for intended, done in self._good]
        lost = np.array(self._lost, dtype=np.int64).reshape(-1, 3).T
        due, known, kind = np.concatenate([*goods, lost], axis=1)
        inside = _inside(due, start_ns, end_ns)
        order = np.argsort(due[inside], kind="stable")
        due, known, kind = (each[inside][order] for each in (due, known, kind))
        return Fates((due - start_ns) // 1000, (known - due + 500) // 1000, kind)


def _inside(moments: Moments, start_ns: int, end_ns: int) -> NDArray[np.bool_]:
    inside: NDArray[np.bool_] = (moments >= start_ns) & (moments < end_ns)
    return inside
