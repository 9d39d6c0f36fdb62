"""How a name is called that nothing has, with the one that was meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def unknown(kind: str, name: str, names: Iterable[str]) -> str:
    """That there is no such thing of that kind; `names` are those that there are."""
    return f"unknown {kind} {name!r}{near(name, names)}"


def near(name: str, names: Iterable[str]) -> str:
    """The nearest of `names`, to be put behind the wrong one; empty where none is near."""
    found = difflib.get_close_matches(name, list(names), n=1)
    return f"; did you mean {found[0]!r}?" if found else ""
