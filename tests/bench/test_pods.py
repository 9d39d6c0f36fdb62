"""The claims on one pod against several, without measuring."""

from __future__ import annotations

from typing import Any

import pytest

from bench.claims import Claims
from bench.pods import of_spread


def verdict(said: str, low: float = 1.2, high: float = 1.3) -> dict[str, Any]:
    """A verdict of a run."""
    return {"verdict": said, "ratio": (low * high) ** 0.5, "low": low, "high": high, "reasons": []}


NONE = {"verdict": "invalid", "ratio": None, "low": None, "high": None, "reasons": ["a stranger"]}


@pytest.mark.parametrize(
    ("verdicts", "failed"),
    [
        ([verdict("better")] * 3, 0),
        ([verdict("better"), verdict("inconclusive"), verdict("better")], 0),
        ([verdict("better"), verdict("better"), verdict("worse")], 1),
        ([verdict("better"), verdict("better"), verdict("equivalent")], 1),
        ([verdict("better"), verdict("better"), verdict("better", 1.0, 1.3)], 1),
        ([verdict("better"), verdict("better"), NONE], 3),
        ([verdict("better"), verdict("better")], 2),
    ],
)
def test_three_narrow_runs_that_agree_hold_and_nothing_less(verdicts: list[dict[str, Any]], failed: int) -> None:
    """A run that is missing counts against all."""
    claims = Claims()
    of_spread(claims, "p1", verdicts)
    assert claims.failed == failed
