"""A network of its own for a thread and what it starts: every port and socket in it is of the run that it holds."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import socket
import struct
from pathlib import Path

from harness.machine import ports

CLONE_NEWNET = 0x40000000
SIOCSIFFLAGS = 0x8914
IFF_UP = 1
HERE = Path("/proc/thread-self")


def isolate() -> bool:
    """Move this thread into a new network namespace with a loopback; False where that is not allowed.

    For a thread that ends afterwards: it does not come back.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET):
        return False
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))
    return True


def open_sockets() -> list[str]:
    """What this thread's network still has: ports that are listened on, and Unix sockets."""
    found = [f"port {port}" for port in sorted(ports.listening(HERE))]
    with contextlib.suppress(OSError):
        rows = [line.split() for line in (HERE / "net/unix").read_text().splitlines()[1:]]
        found += [f"Unix socket {row[7] if len(row) > 7 else 'without a name'}" for row in rows]  # noqa: PLR2004
    return found
