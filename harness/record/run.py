"""A run as its directory holds it."""

from __future__ import annotations

from dataclasses import dataclass

from harness.record.episodes import Episode
from harness.record.rows import BlockRow, RunInfo, Trial


@dataclass(frozen=True, slots=True)
class Run:
    """A run as read from its directory."""

    path: str
    info: RunInfo
    trials: tuple[Trial, ...]
    torn: int = 0
    """1 when the last line was torn: it is tolerated, said, and measured again on resume."""
    superseded: int = 0
    """Rows of interrupted blocks that a later sitting measured again: they stay in the file and are left out here."""
    blocks: tuple[BlockRow, ...] = ()
    """Of the blocks that came to their end; none in older records."""
    episodes: tuple[Episode, ...] = ()
    """Of runs whose suite has disturbances."""
