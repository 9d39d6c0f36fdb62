"""Which process holds which socket of a server's port, read from /proc, without asking the target.

It tells how requests are shared among workers, and whether what answers on a port is the server that was started there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from harness.machine.ports import time_wait

PROC = Path("/proc")
TIME_WAIT_LIMIT = 3000
"""Above so many sockets in TIME_WAIT /proc/net/tcp takes too long to read beside a measurement."""
ESTABLISHED, LISTEN = "01", "0A"


@dataclass(frozen=True, slots=True)
class _TcpLine:
    """A line of /proc/net/tcp."""

    inode: str
    local_address: str
    """In hexadecimal, as the kernel writes it."""
    remote_port: int


def connection_owners(ports: Iterable[int], pids: Iterable[int], proc: Path = PROC) -> dict[int, int] | None:
    """Client port -> id of the process that holds the connection, for those accepted on `ports`.

    A client port from which connections go to two of them tells nothing, and is left out. None when the table of
    sockets is too long to read now.
    """
    if time_wait(proc) > TIME_WAIT_LIMIT:
        return None
    accepted = [each for port in ports for each in _sockets(port, ESTABLISHED, proc)]
    times = Counter(each.remote_port for each in accepted)
    client_ports = {each.inode: each.remote_port for each in accepted if times[each.remote_port] == 1}
    owners = {}
    for pid in pids:
        with suppress(OSError):
            for inode in _held(pid, proc):
                if (client_port := client_ports.get(inode)) is not None:
                    owners[client_port] = pid
    return owners


def listens(port: int, pids: Iterable[int], proc: Path = PROC) -> bool | None:
    """Whether those who take connections on `port` are `pids`, all of them; None when one may not be looked into.

    A socket of a stranger on the very same address (SO_REUSEPORT) would take part of the connections: then it is False.
    A stranger on another address of the machine does not matter.
    """
    listening = list(_sockets(port, LISTEN, proc))
    held: set[str] = set()
    for pid in pids:
        try:
            held.update(_held(pid, proc))
        except PermissionError:
            return None
        except OSError:  # it has just ended
            continue
    addresses = {socket.local_address for socket in listening if socket.inode in held}
    return bool(addresses) and all(socket.inode in held for socket in listening if socket.local_address in addresses)


def overflows(proc: Path = PROC) -> int | None:
    """How often, since the start, a connection was turned away because an accept queue was full; of this namespace.

    None where the kernel does not tell.
    """
    with suppress(OSError, ValueError, KeyError):
        lines = (line.split() for line in (proc / "net" / "netstat").read_text().splitlines())
        names, counts = (line[1:] for line in lines if line[:1] == ["TcpExt:"])
        return int(dict(zip(names, counts, strict=True))["ListenOverflows"])
    return None


def listener(port: int, proc: Path = PROC) -> str:
    """Name and id of a process that takes connections on `port`, or `unknown`: for an error message."""
    inodes = {socket.inode for socket in _sockets(port, LISTEN, proc)}
    for folder in proc.iterdir():
        if folder.name.isdigit():
            with suppress(OSError):
                if inodes & set(_held(int(folder.name), proc)):
                    return f"{(folder / 'comm').read_text().strip()}, pid {folder.name}"
    return "unknown"


def _held(pid: int, proc: Path) -> Iterator[str]:
    """Inodes of the sockets that process `pid` holds; raises `OSError` when it cannot be looked into."""
    for entry in (proc / str(pid) / "fd").iterdir():
        with suppress(OSError):
            link = str(entry.readlink())
            if link.startswith("socket:["):
                yield link[8:-1]


def _sockets(port: int, state: str, proc: Path) -> Iterator[_TcpLine]:
    """The TCP sockets of the server's side of `port` that are in `state`."""
    ending = f":{port:04X}"
    for table in ("tcp", "tcp6"):
        with suppress(OSError):
            for line in (proc / "net" / table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[1].endswith(ending) and fields[3] == state:
                    remote_port = int(fields[2].rpartition(":")[2], 16)
                    yield _TcpLine(fields[9], fields[1], remote_port)
