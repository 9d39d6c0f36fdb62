"""How many connections wait to be accepted, asked of the kernel by netlink (sock_diag(7)).

/proc/net/tcp tells it too, but only after the kernel has walked its whole table of connections: some 7 ms of CPU, a few
times a second, beside a measurement. By netlink it walks the sockets that listen, and no others.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator

SOCK_DIAG, BY_FAMILY, REQUEST_DUMP = 4, 20, 0x301
ERROR, DONE = 2, 3
LISTENING = 1 << 10
HEADER, ASKED, TOLD = struct.Struct("=IHHII"), struct.Struct("=BBBxI48x"), struct.Struct("=4x2s46x4xI")
"""A message's head; the family, protocol and states that are asked for; the port and what waits of a socket."""
REPLY_BYTES, PATIENCE_S = 65536, 1.0


def accept_queue(port: int) -> int | None:
    """Connections to `port` that the kernel has made, and that nobody has accepted yet; None where it does not tell."""
    wanted = struct.pack("!H", port)
    try:
        return sum(
            waiting
            for family in (socket.AF_INET, socket.AF_INET6)
            for number, waiting in _listening(family)
            if number == wanted
        )
    except OSError:
        return None


def _listening(family: int) -> Iterator[tuple[bytes, int]]:
    """The port of each socket that listens, as the network writes it, and how many wait in its queue."""
    asked = ASKED.pack(family, socket.IPPROTO_TCP, 0, LISTENING)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, SOCK_DIAG) as kernel:
        kernel.settimeout(PATIENCE_S)
        kernel.send(HEADER.pack(HEADER.size + len(asked), BY_FAMILY, REQUEST_DUMP, 0, 0) + asked)
        while True:
            for kind, body in _messages(kernel.recv(REPLY_BYTES)):
                if kind == DONE:
                    return
                if kind == ERROR:
                    raise OSError("the kernel tells nothing of sockets")
                port, waiting = TOLD.unpack_from(body)
                yield port, waiting


def _messages(reply: bytes) -> Iterator[tuple[int, bytes]]:
    """Type and content of each message; each begins at a multiple of four bytes."""
    start = 0
    while start + HEADER.size <= len(reply):
        length, kind, *_ = HEADER.unpack_from(reply, start)
        yield kind, reply[start + HEADER.size : start + length]
        start += (length + 3) & ~3
