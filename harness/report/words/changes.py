"""How two runs differ, in words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from harness import units
from harness.judge.verdicts import PairVerdict
from harness.report.words.names import shown
from harness.report.words.values import turned
from harness.suite import NONE, Factor

CHANGES = {
    "worse": "worse",
    "better": "better",
    "equivalent": "unchanged",
    "inconclusive": "undecided",
    "not judged": "not judged",
}
"""What a verdict of two runs is called, in the order in which a headline counts them."""
NAMED = 2
"""So many pairs that changed for the worse or the better are named in a headline."""


def changed(verdicts: Iterable[PairVerdict], factors: Sequence[Factor]) -> str:
    """How many pairs changed, in a sentence, and which where they are few."""
    real = [verdict for verdict in verdicts if not verdict.null]
    if not real:
        return "No pair could be compared"
    parts = []
    for kind, word in CHANGES.items():
        alike = [verdict for verdict in real if verdict.verdict == kind]
        named = kind in {"worse", "better"} and len(alike) <= NAMED
        which = "; ".join(f"{shown(verdict.scenario)}, {shared(verdict, factors)}" for verdict in alike)
        parts += [f"{len(alike)} {word}{f' ({which})' if named else ''}"] if alike else []
    lost = sum(verdict.verdict not in CHANGES for verdict in real)
    parts += [f"{lost} without result"] if lost else []
    return f"Of {units.plural(len(real), 'pair')}: {', '.join(parts)}"


def change(verdict: PairVerdict) -> str:
    """How a pair's ratio changed, in a clause; empty where it did not, or nobody knows."""
    if verdict.verdict not in {"better", "worse"} or not verdict.ratio:
        return ""
    a, b = shown(verdict.a), shown(verdict.b)
    if not verdict.primary:
        more, less = ("after", "before") if verdict.ratio > 1 else ("before", "after")
        return f"{more} it is {turned(verdict)} as much as {less}, for {b} against {a}"
    if verdict.ratio > 1:
        return f"after, {b} serves {turned(verdict)} what it served before, each time against {a}"
    return f"before, {b} served {turned(verdict)} what it serves after, each time against {a}"


def shared(verdict: PairVerdict, factors: Iterable[Factor]) -> str:
    """What both sides of a pair have in common, from its verdict alone."""
    levels = verdict.factors
    parts = [
        factor.say(levels[factor.name])
        for factor in sorted(factors, key=lambda factor: not factor.is_count)
        if factor.on == "pair" and levels.get(factor.name, NONE) != NONE
    ]
    parts += [units.plural(int(levels.get("connections", 1)), "connection")]
    return ", ".join(filter(None, parts)) + (", A/A" if verdict.null else "")
