"""What memory the candidates of a block may take together."""

from __future__ import annotations

from pathlib import Path

ROOM = 0.7
"""Share of the machine's free memory."""


def room_bytes(meminfo: Path = Path("/proc/meminfo")) -> int | None:
    """What a block may take of the machine's free memory; None where that cannot be read."""
    try:
        lines = meminfo.read_text().splitlines()
    except OSError:
        return None
    free = next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), None)
    return None if free is None else round(ROOM * free)
