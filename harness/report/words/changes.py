"""How two runs differ, in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from harness.judge.verdicts import PairVerdict
from harness.report.words.names import plural


def changed(verdicts: Iterable[PairVerdict]) -> str:
    """How many pairs changed, in a sentence."""
    real = [verdict for verdict in verdicts if not verdict.null]
    counted: Counter[str] = Counter(verdict.verdict for verdict in real)
    said = (
        ("worse", "worse"),
        ("better", "better"),
        ("equivalent", "unchanged"),
        ("inconclusive", "undecided"),
    )
    parts = [f"{counted[verdict]} {word}" for verdict, word in said if counted[verdict]]
    lost = len(real) - sum(counted[verdict] for verdict, _ in said)
    parts += [f"{lost} without result"] if lost else []
    return f"Of {plural(len(real), 'pair')}: {', '.join(parts)}" if parts else "No pair could be compared"


def shared(verdict: PairVerdict) -> str:
    """What both sides of a pair have in common, from its verdict alone."""
    factors = verdict.factors
    parts = [plural(int(factors.get("workers", 1)), "worker")]
    parts += [f"{name} {factors[name]}" for name in ("pooling", "cache") if factors.get(name, "none") != "none"]
    parts += [plural(int(factors.get("connections", 1)), "connection")]
    return ", ".join(parts) + (", A/A" if verdict.null else "")
