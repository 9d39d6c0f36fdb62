"""TLS over a socket that never blocks: what a connection reads and writes in the place of the socket's own methods.

The bytes go through memory (`ssl.MemoryBIO`), for the socket is one in C that `ssl` does not wrap, and so that nothing
decrypted stays behind where no epoll sees it: `recv` gives all that has come.
"""

from __future__ import annotations

import _socket
import ssl
from functools import cache

from harness.spec.hosts import tls_context

_context = cache(tls_context)
_RECORD = 16_384
"""Bytes of a TLS record at most (RFC 8446, section 5.1)."""


class Tls:
    """The client's side of TLS on a connected socket."""

    def __init__(self, sock: _socket.socket, name: str) -> None:
        """`name` is that of the server, which it may need to choose a certificate."""
        self._sock = sock
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = _context().wrap_bio(self._in, self._out, server_hostname=name)
        self._sealed = b""  # what is encrypted and not sent yet
        self._piece = 0  # how many bytes of the caller's that is

    def shake_hands(self, chunk: int = 0) -> bool:
        """Go on with the handshake, with up to `chunk` bytes that have come; True when it is done.

        Raises `OSError` where it fails: a `ssl.SSLError` is one.
        """
        if chunk:
            self._take(chunk)
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            done = False
        else:
            done = True
        if sealed := self._out.read():
            taken = self._sock.send(sealed)  # a few hundred bytes, which a socket that has sent nothing takes
            if taken != len(sealed):
                raise ConnectionAbortedError("the socket took part of a handshake")
        return done

    def recv(self, chunk: int) -> bytes:
        """What has come, decrypted; empty at the end of the stream. Raises `BlockingIOError` as a socket does."""
        self._take(chunk)
        read, parts = self._tls.read, []
        try:
            while part := read(_RECORD):
                parts.append(part)
                if not (self._in.pending or self._tls.pending()):
                    break
        except ssl.SSLWantReadError:
            if not parts:
                raise BlockingIOError from None
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            pass  # the next one to read sees the end again
        return b"".join(parts)

    def send(self, data: bytes | memoryview) -> int:
        """How many bytes of `data` were sent; what follows them is to be given again. Raises as a socket does.

        A record that the socket has taken in part is not yet sent: its bytes come again, and are not encrypted again.
        """
        taken = 0
        while self._sealed or taken < len(data):
            if not self._sealed:
                self._piece = self._tls.write(data[taken : taken + _RECORD])
                self._sealed = self._out.read()
            try:
                self._sealed = self._sealed[self._sock.send(self._sealed) :]
            except BlockingIOError:
                if not taken:
                    raise
                return taken
            if self._sealed:
                return taken
            taken += self._piece
        return taken

    def _take(self, chunk: int) -> None:
        if data := self._sock.recv(chunk):
            self._in.write(data)
        else:
            self._in.write_eof()
