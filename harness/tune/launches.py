"""What the launches of a candidate showed beside its loads: when it first answered, what its processes share; pure."""

from __future__ import annotations

from collections.abc import Iterable
from statistics import median
from typing import Any, Protocol


class Launch(Protocol):
    """A candidate in one block, or in one round of open load: launched afresh, beside the others of it."""

    @property
    def first_answer_s(self) -> float | None:
        """From its start to its first answer."""

    @property
    def shared_bytes(self) -> int | None:
        """The pages that are not one process's alone, the most seen."""

    @property
    def shared_lost_bytes(self) -> int | None:
        """What less of these there was after the last slice than before any load."""


def shown(launches: Iterable[Launch]) -> dict[str, Any]:
    """The keys of a candidate's row that all its launches together tell; None where none of them does."""
    every = list(launches)
    starts = sorted(each.first_answer_s for each in every if each.first_answer_s is not None)
    lost = [each.shared_lost_bytes for each in every if each.shared_lost_bytes is not None]
    several = len(starts) > 1
    return {
        "first_answer_s": median(starts) if starts else None,
        "first_answer_low_s": starts[0] if several else None,
        "first_answer_high_s": starts[-1] if several else None,
        "shared_bytes": max((each.shared_bytes for each in every if each.shared_bytes is not None), default=None),
        "shared_lost_bytes": round(median(lost)) if lost else None,
    }
