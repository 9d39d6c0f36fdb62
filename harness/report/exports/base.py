"""What every export is made of: a comparison, what a gate says of it, and names that stay the same from run to run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from harness.errors import NothingValidError
from harness.judge.verdicts import Comparison, Gate, PairVerdict
from harness.record import Run
from harness.report import words

LONGEST = 1000
"""Characters of a name: Bencher takes 1,024."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What is exported."""

    runs: Sequence[Run]
    """One, or the earlier and the later."""
    comparison: Comparison
    gate: Gate

    @property
    def last(self) -> Run:
        """The run whose candidates are judged."""
        return self.runs[-1]

    @property
    def names(self) -> dict[str, str]:
        """What each pair is called, by its id: what it compares and under what, without anything of this run alone.

        Tools that follow a figure over time find it by this name.
        """
        names: dict[str, str] = {}
        for verdict in self.comparison.pairs:
            if verdict.pair not in names:
                names[verdict.pair] = _unlike(self._name(verdict), names.values())
        return names

    def resolved(self) -> Iterator[PairVerdict]:
        """The verdicts with a ratio, without A/A pairs; raises `NothingValidError` where there is none."""
        found = [verdict for verdict in self.comparison.pairs if verdict.ratio is not None and not verdict.null]
        if not found:
            raise NothingValidError(f"{self.last.path}: no pair has a ratio, so there is no figure to export")
        yield from found

    def _name(self, verdict: PairVerdict) -> str:
        under = words.shared(verdict, self.last.info.plan.factors)
        a, b = words.shown(verdict.a), words.shown(verdict.b)
        return f"{words.shown(verdict.scenario)}, {under}: {b} against {a}"[:LONGEST]


def _unlike(name: str, taken: Iterable[str]) -> str:
    """`name`, numbered if another pair is called so."""
    known = set(taken)
    numbered = (f"{name} ({number})" for number in range(2, len(known) + 3))
    return name if name not in known else next(each for each in numbered if each not in known)
