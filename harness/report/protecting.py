"""Text that Markdown takes for text; it imports nothing heavy, for the Action's comment needs no more than this."""

from __future__ import annotations

import re

SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~&!])")


def protected(text: str) -> str:
    """Words that are safe to print already, so that neither Markdown nor HTML takes anything in them for markup."""
    return SPECIAL.sub(r"\\\1", text).replace("\n", " ")
