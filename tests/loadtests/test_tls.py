"""One connection against a server that speaks TLS."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import suppress

import pytest

from harness.spec import TLS, Request
from loadtests.engine.exchange import prepare
from tests.loadtests.engine_support import GOOD, HEAD_END, Wire, open_wire
from tests.tls_support import NEEDS_OPENSSL, server_context, serving

pytestmark = NEEDS_OPENSSL
MEGABYTE = 1 << 20


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """That of the server."""
    return server_context(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def wire() -> Iterator[Wire]:
    """A connection that expects the body of GOOD, over TLS."""
    with open_wire(request=Request(length=5), spoken=TLS) as wire:
        yield wire


def ask(wire: Wire) -> str | None:
    """Send a request, and return what became of it."""
    before = len(wire.outcomes)
    wire.connection.begin()
    wire.serve_until(lambda: len(wire.outcomes) > before)
    return wire.outcomes[-1]


def read(peer: ssl.SSLSocket, length: int) -> bytes:
    """So many bytes, fewer at the end of the stream."""
    data = b""
    while len(data) < length and (more := peer.recv(length - len(data))):
        data += more
    return data


def test_requests_go_over_one_connection(wire: Wire, context: ssl.SSLContext) -> None:
    """And answers come whole, whether in one record or one for each byte."""

    def serve(peer: ssl.SSLSocket) -> None:
        for number in range(4):
            assert read(peer, len(wire.exchange.data)) == wire.exchange.data
            for piece in [GOOD] if number % 2 else [bytes([byte]) for byte in GOOD]:
                peer.sendall(piece)

    with serving(wire.listener, context, serve):
        assert [ask(wire) for _ in range(4)] == [None] * 4
    assert wire.opened == 1


def test_what_is_long_goes_both_ways(context: ssl.SSLContext) -> None:
    """More than a record holds, and more than a socket takes at once."""
    body = "x" * MEGABYTE
    request = Request(method="POST", body=body, length=3 * MEGABYTE)
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (3 * MEGABYTE)
    received, length = [], len(prepare(request, "127.0.0.1", 10000))

    def serve(peer: ssl.SSLSocket) -> None:
        for _ in range(2):
            received.append(read(peer, length).partition(HEAD_END)[2].decode())
            peer.sendall(answer + b"y" * 3 * MEGABYTE)

    with open_wire(request=request, spoken=TLS) as wire, serving(wire.listener, context, serve):
        assert [ask(wire), ask(wire)] == [None, None]
    assert received == [body, body]


def test_a_connection_that_was_closed_while_idle_is_replaced(wire: Wire, context: ssl.SSLContext) -> None:
    """As without TLS: the request is sent again, and counted."""

    def serve(peer: ssl.SSLSocket) -> None:
        read(peer, len(wire.exchange.data))
        peer.sendall(GOOD)
        peer.settimeout(0)  # what closes says so, and does not wait for the same word of the other side
        with suppress(OSError):
            peer.unwrap()

    with serving(wire.listener, context, serve):
        assert ask(wire) is None
        wire.serve_until(lambda: wire.connection._sock is None)
        assert ask(wire) is None
    assert (wire.opened, wire.reconnects) == (2, 1)


def test_an_answer_that_is_cut_off_is_an_error(wire: Wire, context: ssl.SSLContext) -> None:
    """Of the same kind as without TLS."""

    def serve(peer: ssl.SSLSocket) -> None:
        read(peer, len(wire.exchange.data))
        peer.sendall(GOOD[:-1])

    with serving(wire.listener, context, serve):
        assert ask(wire) == "reset"


@pytest.mark.parametrize("says", [b"", GOOD], ids=["closes", "speaks plainly"])
def test_a_handshake_that_fails_is_a_failed_connection(wire: Wire, says: bytes) -> None:
    """No request was sent then."""
    peer = wire.begin()
    peer.sendall(says)
    peer.shutdown(socket.SHUT_WR)
    wire.serve_until(lambda: bool(wire.outcomes))
    assert wire.outcomes == ["connect"]


def test_a_handshake_takes_no_longer_than_a_connection_may() -> None:
    """Of a server that accepts and says nothing."""
    with open_wire(spoken=TLS, connect_timeout_s=0.05) as wire:
        wire.begin()
        wire.reactor.every(10_000_000, lambda: wire.connection.expire(2**62), over=lambda: bool(wire.outcomes))
        wire.serve_until(lambda: bool(wire.outcomes))
        assert wire.outcomes == ["connect"]
