"""Figures in the reasons why a trial may not be used."""

from __future__ import annotations

from collections.abc import Sequence


def percent(fraction: float) -> str:
    """A fraction to three digits, so that what is just over a threshold reads so: 5.04 %, at most 5 % allowed."""
    return f"{fraction * 100:.3g} %"


def rounds(numbers: Sequence[int]) -> str:
    """Rounds by their numbers: `round 2`, `rounds 0, 1`."""
    return ("round " if len(numbers) == 1 else "rounds ") + ", ".join(map(str, numbers))
