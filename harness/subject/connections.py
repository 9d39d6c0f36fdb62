"""Which worker process holds which connection: how requests are shared among workers, without asking the target."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

PROC = Path("/proc")
TIME_WAIT_LIMIT = 3000
"""Above so many sockets in TIME_WAIT /proc/net/tcp takes too long to read beside a measurement."""


def connection_owners(port: int, pids: Iterable[int], proc: Path = PROC) -> dict[int, int] | None:
    """Client port -> id of the process that holds the connection, for those accepted on `port`.

    None when the table of sockets is too long to read now.
    """
    if _time_wait(proc) > TIME_WAIT_LIMIT:
        return None
    inodes = dict(_accepted(port, proc))
    owners = {}
    for pid in pids:
        with suppress(OSError):
            for entry in (proc / str(pid) / "fd").iterdir():
                with suppress(OSError):
                    link = str(entry.readlink())
                    if link.startswith("socket:[") and (client := inodes.get(link[8:-1])) is not None:
                        owners[client] = pid
    return owners


def _accepted(port: int, proc: Path) -> Iterable[tuple[str, int]]:
    """(inode, client port) of each established connection of the server on `port`."""
    wanted = f":{port:04X}"
    for table in ("tcp", "tcp6"):
        with suppress(OSError):
            for line in (proc / "net" / table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[1].endswith(wanted) and fields[3] == "01":
                    yield fields[9], int(fields[2].rpartition(":")[2], 16)


def _time_wait(proc: Path) -> int:
    with suppress(OSError, ValueError, IndexError):
        for line in (proc / "net/sockstat").read_text().splitlines():
            if line.startswith("TCP:"):
                words = line.split()
                return int(words[words.index("tw") + 1])
    return 0
