"""One keep-alive HTTP/1.1 connection: it sends a prepared request, and says whether a good answer came, and when.

The common case is cheap and still exact. An answer that equals the last good answer of its arm, the template, byte for
byte, is whole and good: those bytes were parsed and checked once, and the comparison also shows that no bytes follow
them. Only an answer that differs, by a new second in its Date header say, goes through the parser. An answer that comes
in pieces is compared piece by piece.

A request that an application may have read is never sent again: when no answer comes, it is an error. A connection that
the server has closed while it was idle is replaced when the next request is to be sent, and counted as a reconnect. The
close may also cross the request on its way. Then the connection is replaced only on proof that no application read the
request: the stream had ended, and after that the peer's kernel refused our bytes. Linux reports this order as EPIPE
(`tcp_reset` in net/ipv4/tcp_input.c).

Kinds of errors: `connect` (refused, unreachable or not in time), `timeout` (no whole answer in time), `reset` (the
connection ended before the answer did), `status`, `body` (its length or digest), `protocol` (no HTTP, or more than one
answer).
"""

from __future__ import annotations

import _socket  # the socket in C, beneath the one that gevent patches: the reactor waits for it, not gevent
import errno
import socket
from collections.abc import Callable
from typing import Protocol, TypeAlias

from loadtests.engine.answer import AnswerReader, ProtocolError
from loadtests.engine.exchange import Exchange
from loadtests.engine.reactor import IN, OUT, RDHUP, Reactor
from loadtests.engine.timer import monotonic_ns
from loadtests.engine.tls import Tls

_LARGEST_TEMPLATE = 4 << 20
"""Bytes; a larger answer is parsed every time, so that memory stays small."""

Buffer: TypeAlias = bytes | memoryview


class Owner(Protocol):
    """The load that hands requests to connections."""

    def opening(self, sent_ns: int, *, again: bool) -> None:
        """A TCP connection is opened for the request begun at `sent_ns`; `again`: in place of one closed while idle."""

    def answered(self, connection: Connection, sent_ns: int, kind: str | None, done_ns: int) -> None:
        """The request begun at `sent_ns` is done at `done_ns`: `kind` of its error, or None for a good answer."""


class Connection:
    """One connection, opened when a request is to be sent and none is open."""

    __slots__ = (
        "_answer", "_connecting", "_digested", "_exchange", "_expect", "_fd", "_fin", "_matched", "_owner", "_raw",
        "_reactor", "_recv", "_rest", "_send", "_sock", "_stale", "_template", "intended",
        "ports", "sent", "served",
    )  # fmt: skip

    def __init__(self, exchange: Exchange, reactor: Reactor, owner: Owner) -> None:
        self._exchange = exchange
        self._reactor = reactor
        self._owner = owner
        self._answer = AnswerReader(exchange.expected)
        self._sock: _socket.socket | None = None
        self._fd = -1
        self._recv: Callable[[int], bytes]
        self._send: Callable[[Buffer], int]
        self._connecting = False
        self._fin = False  # the server has ended its side of the stream
        self._stale = False  # the server closed the last connection while it was idle
        self._rest: memoryview | None = None  # the part of the request that the socket has not taken yet
        self._expect: bytes | None = None  # the template, until the first bytes of the answer come
        self._template: bytes | None = None  # the template, while all bytes that have come match it
        self._matched = 0  # how many bytes these are
        self._raw: list[bytes] | None = None  # the bytes that have come, once the answer is being parsed
        self._digested = False  # this answer's body is checked by its digest
        self.ports: list[tuple[int, int]] = []
        """(local port, answers) of the closed TCP connections that were kept alive."""
        self.served = 0
        """Answers on the TCP connection that is open."""
        self.intended = 0
        """When this request was to be sent; the owner's note, of no meaning here."""
        self.sent = 0
        """When the request under way was begun, before a connection was opened for it; 0: no request is under way."""

    def begin(self) -> None:
        """Send the request; the owner is told of its end later, never from within this call."""
        self.sent = monotonic_ns()
        self._expect = self._exchange.template
        if self._sock is None:
            self._open()
        else:
            self._write(self._exchange.data)

    def ready(self, mask: int) -> None:
        """Take what epoll says of the socket."""
        if mask != IN:
            self._unusual(mask)
            return
        try:
            data = self._recv(self._exchange.chunk)
        except BlockingIOError:
            return
        except OSError as error:
            self._lost(error.errno or errno.EIO)
            return
        if data == self._expect:
            sent, self.sent, self._expect = self.sent, 0, None
            self.served += 1
            self._owner.answered(self, sent, None, monotonic_ns())
        elif data:
            self._received(data)
        else:
            self._lost(0)

    def expire(self, now: int) -> None:
        """Give up a request that has passed its deadline."""
        if not self.sent:
            return
        if self._connecting:
            if now - self.sent > self._exchange.connect_timeout_ns:
                self._fail("connect")
        elif now - self.sent > self._exchange.read_timeout_ns:
            self._fail("timeout")

    def give_up(self) -> None:
        """Await the answer no longer: it counts as timed out."""
        self._fail("timeout")

    def close(self) -> None:
        """The slice is over: end the connection, if one is open."""
        if self._sock is not None:
            self._close(kept=self.served > 0)

    def _open(self) -> None:
        self._owner.opening(self.sent, again=self._stale)
        self.served = 0
        self._stale = False
        try:
            self._sock = sock = _socket.socket(self._exchange.family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
            if self._exchange.family != socket.AF_UNIX:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError:  # no file descriptor is left
            self._later("connect")
            return
        backends = self._exchange.backends
        code = sock.connect_ex(self._exchange.address if backends is None else backends.drawn())
        if code not in {0, errno.EINPROGRESS}:
            self._later("connect")
            return
        self._fd, self._recv, self._send = sock.fileno(), sock.recv, sock.send
        self._connecting = code == errno.EINPROGRESS
        self._reactor.watch(self._fd, self.ready, OUT if self._connecting else IN | RDHUP)
        if not self._connecting:
            self._connected(sock)

    def _connected(self, sock: _socket.socket) -> None:
        """Send the request, after a handshake where the server speaks TLS; until that is done it is connecting."""
        self._connecting = self._exchange.tls is not None
        if self._exchange.tls is None:
            self._write(self._exchange.data)
            return
        tls = Tls(sock, self._exchange.tls)

        def shake_hands(chunk: int) -> bytes:
            """In the place of `recv`, until the handshake is done."""
            try:
                done = tls.shake_hands(chunk)
            except BlockingIOError:
                raise
            except OSError:
                self._fail("connect")
                done = False
            if done:
                self._connecting, self._recv, self._send = False, tls.recv, tls.send
                self._write(self._exchange.data)
            raise BlockingIOError  # what has come is no answer

        self._recv = shake_hands
        try:
            tls.shake_hands()
        except OSError:
            self._later("connect")

    def _write(self, data: Buffer) -> None:
        try:
            taken = self._send(data)
        except BlockingIOError:
            taken = 0
        except OSError:
            if self._rest is not None:  # an answer may have come already: read on until the stream ends
                self._reactor.change(self._fd, IN | RDHUP)
            elif self._replaceable():
                self._replace()
            else:
                self._later("reset")
            return
        if taken != len(data):
            self._rest = memoryview(data)[taken:]
            self._reactor.change(self._fd, IN | OUT | RDHUP)
        elif self._rest is not None:
            self._rest = None
            self._reactor.change(self._fd, IN | RDHUP)

    def _unusual(self, mask: int) -> None:
        """Take every event but the usual one, bytes to read and nothing else."""
        assert self._sock is not None  # noqa: S101 - only an open socket is watched
        if self._connecting:
            if self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                self._fail("connect")
            elif mask & OUT:
                self._reactor.change(self._fd, IN | RDHUP)
                self._connected(self._sock)
            else:  # of a handshake
                self.ready(IN)
            return
        if mask & OUT and self._rest is not None:
            self._write(self._rest)
        if mask & ~OUT and self._sock is not None:
            self._fin = bool(mask & RDHUP)
            self._divert()
            self.ready(IN)

    def _divert(self) -> None:
        """From here on, compare this answer with the template piece by piece."""
        if self._expect is not None:
            self._template, self._expect, self._matched = self._expect, None, 0

    def _received(self, data: bytes) -> None:
        done_ns = monotonic_ns()
        if not self.sent:  # no request is under way: these bytes answer none
            self._stale = True
            self._close(kept=self.served > 1)
            return
        self._divert()
        if self._template is not None:
            if self._template.startswith(data, self._matched):
                self._matched += len(data)
                if self._matched == len(self._template):
                    self._done(None, done_ns, keep=True)
                return
            data = self._template[: self._matched] + data
            self._template = None
        self._parse(data, done_ns)

    def _parse(self, data: bytes, done_ns: int) -> None:
        answer = self._answer
        if self._raw is None:
            self._raw = []
            self._digested = self._exchange.digest_next()
            answer.restart(digest=self._digested)
        if answer.length < _LARGEST_TEMPLATE:
            self._raw.append(data)
        try:
            answer.feed(data)
        except ProtocolError:
            self._done("protocol", done_ns, keep=False)
            return
        if answer.complete:
            self._judge(done_ns)

    def _judge(self, done_ns: int) -> None:
        answer = self._answer
        kind = answer.error_kind()
        if kind is None and self._raw is not None and answer.length < _LARGEST_TEMPLATE:
            self._exchange.learn(b"".join(self._raw), answer, digested=self._digested)
        self._done(kind, done_ns, keep=answer.keep_alive)

    def _done(self, kind: str | None, done_ns: int, *, keep: bool) -> None:
        """The answer is whole, or is no HTTP: tell the owner."""
        sent, self.sent = self.sent, 0
        self._template = self._raw = None
        self.served += 1
        if not keep or self._fin or self._rest is not None:
            self._stale = keep and self._fin
            self._close(kept=self.served > 1)
        self._owner.answered(self, sent, kind, done_ns)

    def _fail(self, kind: str) -> None:
        """No answer will come: tell the owner, if a request is under way."""
        if not self.sent:
            return
        sent, self.sent = self.sent, 0
        self._expect = self._template = self._raw = None
        self._close(kept=self.served > 0)
        self._owner.answered(self, sent, kind, monotonic_ns())

    def _later(self, kind: str) -> None:
        """As `_fail`, from within `begin`, and only if this request is still under way then."""
        sent = self.sent

        def fail() -> None:
            if self.sent == sent:
                self._fail(kind)

        self._reactor.at(monotonic_ns(), fail)

    def _lost(self, error: int) -> None:
        """The stream has ended: `error` is that of the receiving, 0 for a regular end."""
        if not self.sent:
            self._stale = True
            self._close(kept=self.served > 1)
        elif self._raw is not None and not error and self._answer.end(b"".join(self._raw)):
            self._judge(monotonic_ns())
        elif self._replaceable(error):
            self._replace()
        else:
            self._fail("reset")

    def _replaceable(self, error: int | None = None) -> bool:
        """Whether the connection was closed while idle, so that no application can have read the request.

        `error`: that of the receiving, 0 for a regular end; None: the sending itself failed.
        """
        if not self.served or self._raw is not None or self._rest is not None or (self._template and self._matched):
            return False
        if error is None:
            return True
        assert self._sock is not None  # noqa: S101 - its stream has just ended
        return errno.EPIPE in {error, self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)}

    def _replace(self) -> None:
        self._expect = self._template = None
        self._close(kept=self.served > 1)
        self._stale = True
        self._open()

    def _close(self, *, kept: bool) -> None:
        if self._sock is None:
            return
        if kept:
            name = self._sock.getsockname()
            self.ports.append((name[1] if isinstance(name, tuple) else 0, self.served))  # a unix socket has no port
        if self._fd >= 0:
            self._reactor.forget(self._fd)
        self._sock.close()
        self._sock = None
        self._fd = -1
        self._connecting = self._fin = False
        self._rest = None
        self._answer.discard()
