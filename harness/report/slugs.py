"""Names as anchors and file names: letters, digits and dashes, short, and no two alike."""

from __future__ import annotations

import re
from collections.abc import Iterable

LONGEST = 60


def slug(name: str) -> str:
    """`name` with what an anchor or a file name cannot hold replaced."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:LONGEST].strip("-") or "x"


def slugs(names: Iterable[str]) -> dict[str, str]:
    """A slug for each name; names whose slugs would be alike get a number."""
    by_name: dict[str, str] = {}
    taken: set[str] = set()
    for name in dict.fromkeys(names):
        first = candidate = slug(name)
        number = 2
        while candidate in taken:
            candidate = f"{first}-{number}"
            number += 1
        taken.add(candidate)
        by_name[name] = candidate
    return by_name
