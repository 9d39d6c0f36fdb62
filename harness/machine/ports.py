"""Which ports there are: for servers ours to choose, for clients the kernel's."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

PROC = Path("/proc")
LISTEN = "0A"
PORTS = range(20_000, 30_001)
"""Servers and services get theirs from here, below the range that the kernel gives clients theirs from."""
SERVE = 8000
"""The port that `gatebench serve` takes unless it is told another."""
FEW = 5


def listening(proc: Path = PROC) -> frozenset[int]:
    """The ports that somebody takes connections on, at whatever address."""
    ports: set[int] = set()
    for table in ("tcp", "tcp6"):
        with suppress(OSError):
            rows = (line.split() for line in (proc / "net" / table).read_text().splitlines()[1:])
            ports |= {int(fields[1].rpartition(":")[2], 16) for fields in rows if fields[3] == LISTEN}
    return frozenset(ports)


def time_wait(proc: Path = PROC) -> int:
    """How many sockets in TIME_WAIT there are."""
    with suppress(OSError, ValueError, IndexError):
        for line in (proc / "net/sockstat").read_text().splitlines():
            if line.startswith("TCP:"):
                words = line.split()
                return int(words[words.index("tw") + 1])
    return 0


def of_clients(proc: Path = PROC) -> range:
    """The ports that the kernel gives clients theirs from."""
    try:
        low, high = (proc / "sys/net/ipv4/ip_local_port_range").read_text().split()
    except (OSError, ValueError):
        return range(32_768, 61_000)
    return range(int(low), int(high) + 1)


def first(ports: Iterable[int]) -> str:
    """The first few of them, for reading."""
    every = sorted(ports)
    return ", ".join(map(str, every[:FEW])) + (", ..." if len(every) > FEW else "")
