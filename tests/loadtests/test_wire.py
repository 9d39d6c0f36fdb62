"""One connection against a server that is driven step by step: every way in which an answer comes, or fails to."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import itertools
import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.spec import Request
from loadtests.engine.exchange import Exchange, prepare
from loadtests.engine.wire import Connection
from tests.loadtests.engine_support import GOOD, SECOND_NS, Wire, nothing_sent, open_wire

BODY = b'{"answer": 42, "text": "\xc3\xa4\xc3\xb6\xc3\xbc"}'


def sized(body: bytes = BODY, status: str = "200 OK", more: bytes = b"") -> bytes:
    """An answer with Content-Length."""
    return b"HTTP/1.1 %s\r\n%sContent-Length: %d\r\n\r\n%s" % (status.encode(), more, len(body), body)


def chunked(body: bytes = BODY, size: int = 7, trailer: bytes = b"") -> bytes:
    """The same in chunks."""
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    coded = b"".join(b"%x;e=1\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + coded + b"0\r\n" + trailer + b"\r\n"


GOOD_FORMS = {
    "sized": sized(),
    "dated": sized(more=b"Date: Tue, 24 Nov 2026 06:29:24 GMT\r\n"),
    "chunked": chunked(),
    "one chunk": chunked(size=1000),
    "with a trailer": chunked(trailer=b"X-Sum: 1\r\n"),
    "continued": b"HTTP/1.1 100 Continue\r\n\r\n" + sized(),
    "hinted": b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n" + chunked(),
    "an empty header": sized(more=b"X-Empty:\r\n"),
    "old but kept": sized(more=b"Connection: keep-alive\r\n").replace(b"HTTP/1.1", b"HTTP/1.0"),
}
FORMS = {
    None: sorted(GOOD_FORMS.values()),
    "status": [sized(status="500 Oops"), sized(status="404 Not Found", body=b""), chunked().replace(b"200", b"201")],
    "body": [sized(body=BODY + b"."), sized(body=b""), chunked(body=BODY[:-1])],
}


@pytest.fixture
def wire() -> Iterator[Wire]:
    """A connection that expects BODY."""
    with open_wire(request=Request(length=len(BODY))) as wire:
        yield wire


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """`data` in pieces."""
    edges = sorted({0, len(data), *(place % len(data) for place in places)})
    return [data[a:b] for a, b in itertools.pairwise(edges)]


@pytest.mark.parametrize("form", GOOD_FORMS)
def test_an_answer_may_be_cut_at_every_byte(wire: Wire, form: str) -> None:
    """Cut in two at each boundary, and byte by byte, it is good, and done with its last byte only."""
    answer = GOOD_FORMS[form]
    peer = wire.begin()
    splits = [[at] for at in range(1, len(answer))] + [list(range(len(answer)))]
    for number, places in enumerate(splits):
        if number:
            wire.connection.begin()
        wire.read_request(peer)
        *first, last = cut(answer, places)
        wire.send(peer, *first)
        assert len(wire.outcomes) == number
        wire.send(peer, last)
        assert len(wire.outcomes) == number + 1
    assert set(wire.outcomes) == {None}
    assert (wire.opened, wire.reconnects) == (1, 0)


@settings(deadline=None, max_examples=200)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([(kind, form) for kind, forms in FORMS.items() for form in forms]),
            st.lists(st.integers(min_value=0), max_size=4),
        ),
        min_size=1,
        max_size=8,
    )
)
def test_any_sequence_of_answers_in_any_pieces_is_judged_one_by_one(
    answers: list[tuple[tuple[str | None, bytes], list[int]]],
) -> None:
    """Good ones, wrong ones, like the one before or unlike it: each outcome is its own, over one connection."""
    with open_wire(request=Request(length=len(BODY))) as wire:
        peer = wire.begin()
        with peer:
            for number, ((_, form), places) in enumerate(answers):
                if number:
                    wire.connection.begin()
                wire.read_request(peer)
                wire.send(peer, *cut(form, places))
        assert wire.outcomes == [kind for (kind, _), _ in answers]
        assert wire.opened == 1


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
@pytest.mark.parametrize("length", [b"", b"Content-Length: 5\r\n"])
def test_an_answer_without_a_body_ends_with_its_head(status: str, length: bytes) -> None:
    """204 and 304 have no body, whatever their headers say."""
    with open_wire(request=Request(status=int(status[:3]), length=0)) as wire:
        peer = wire.begin()
        for number in range(4):
            if number:
                wire.connection.begin()
            wire.read_request(peer)
            wire.send(peer, *cut(b"HTTP/1.1 %s\r\n%s\r\n" % (status.encode(), length), [number * 9]))
        assert wire.outcomes == [None] * 4
        assert wire.opened == 1


def test_an_answer_to_head_ends_with_its_head() -> None:
    """A HEAD is answered with the length of the body that is not there."""
    with open_wire(request=Request(method="HEAD", length=0)) as wire:
        peer = wire.begin()
        for number in range(3):
            if number:
                wire.connection.begin()
            wire.read_request(peer)
            wire.send(peer, *cut(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n", [number * 13]))
        assert wire.outcomes == [None] * 3
        assert wire.opened == 1


@pytest.mark.parametrize("junk", [b"x", b"\r\n", b"\r\n\r\n", GOOD, b"HTTP/1.1 100 Continue\r\n\r\n", b"\0" * 5000])
@pytest.mark.parametrize("warm", [False, True])
@pytest.mark.parametrize("form", [sized(), chunked()])
def test_bytes_behind_an_answer_are_an_error_of_the_protocol(form: bytes, junk: bytes, *, warm: bool) -> None:
    """An answer that goes on behind its end is none, though the same answer without the rest was good before."""
    with open_wire(request=Request(length=len(BODY))) as wire:
        peer = wire.begin()
        if warm:
            wire.send(peer, form)
            wire.connection.begin()
        wire.send(peer, form + junk)
        assert wire.outcomes == [None] * warm + ["protocol"]
        fresh = wire.begin()
        wire.send(fresh, form)
        assert wire.outcomes[-1] is None
        assert (wire.opened, wire.reconnects) == (2, 0)


@pytest.mark.parametrize("junk", [b"x", GOOD, sized()])
def test_bytes_that_nobody_asked_for_cost_the_connection_but_no_request(wire: Wire, junk: bytes) -> None:
    """Idle connections are replaced when the server talks out of turn; the answer that was in stays good."""
    peer = wire.begin()
    wire.send(peer, sized())
    wire.send(peer, junk)
    fresh = wire.begin()
    wire.send(fresh, sized())
    assert wire.outcomes == [None, None]
    assert (wire.opened, wire.reconnects) == (2, 1)


@pytest.mark.parametrize(
    "noise",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 2OO OK\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
def test_bytes_that_are_no_http_are_an_error_of_the_protocol(wire: Wire, noise: bytes) -> None:
    """It fails at once, without waiting for a deadline."""
    wire.send(wire.begin(), noise)
    assert wire.outcomes == ["protocol"]


@pytest.mark.parametrize("body", [BODY, b"\r\nContent-Length: 7\r\n" + BODY])
@pytest.mark.parametrize("before", [b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"])
def test_a_body_may_end_with_the_connection(body: bytes, before: bytes) -> None:
    """Neither a length nor chunks: the end of the stream is the end of the answer."""
    with open_wire(request=Request(length=len(body))) as wire:
        peer = wire.begin()
        wire.read_request(peer)
        wire.send(peer, before + b"HTTP/1.1 200 OK\r\n\r\n", body)
        assert wire.outcomes == []
        peer.close()
        wire.serve()
        assert wire.outcomes == [None]
        wire.begin()
        assert (wire.opened, wire.reconnects) == (2, 0)


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\nConnection: close\r\n", b"HTTP/1.0 200 OK\r\n"])
def test_a_server_that_closes_each_connection_gets_a_new_one_at_each_send(wire: Wire, head: bytes) -> None:
    """Said in the head, it is no reconnect; and no connection is opened before there is something to send."""
    for number in range(1, 4):
        peer = wire.begin()
        wire.send(peer, head + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY)
        wire.listener.settimeout(0)
        with pytest.raises(BlockingIOError):
            wire.listener.accept()
        wire.listener.settimeout(5)
        assert wire.outcomes == [None] * number
        assert (wire.opened, wire.reconnects) == (number, 0)


@pytest.mark.parametrize(
    "sent", [b"", b"HTTP/1.1 2", sized()[:-1], chunked()[:-1], sized(more=b"Connection: close\r\n")[:-1]]
)
@pytest.mark.parametrize("warm", [False, True])
@pytest.mark.parametrize("linger", [False, True])
def test_a_connection_that_ends_before_the_answer_is_one_error(sent: bytes, *, warm: bool, linger: bool) -> None:
    """Closed or reset, after nothing or nearly all, first request or later: one error, and sent once."""
    with open_wire(request=Request(length=len(BODY))) as wire:
        peer = wire.begin()
        wire.read_request(peer)
        if warm:
            wire.send(peer, sized())
            wire.connection.begin()
            wire.read_request(peer)
        wire.send(peer, *([sent] if sent else []))
        if linger:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.close()
        wire.serve()
        assert wire.outcomes == [None] * warm + ["reset"]
        assert (wire.opened, wire.reconnects) == (1, 0)


def test_a_connection_closed_while_idle_is_replaced_and_counted_apart(wire: Wire) -> None:
    """The end is seen before the next send: a reconnect, no error."""
    peer = wire.begin()
    wire.send(peer, sized())
    peer.close()
    wire.serve()
    wire.send(wire.begin(), sized())
    assert wire.outcomes == [None, None]
    assert (wire.opened, wire.reconnects) == (2, 1)


def test_an_answer_and_the_end_in_one_go_are_a_good_answer(wire: Wire) -> None:
    """A server that closes without having said so: the answer counts, the next send reconnects."""
    for number in range(3):
        peer = wire.begin()
        peer.sendall(sized())
        peer.close()
        wire.serve()
        assert wire.outcomes == [None] * (number + 1)
    assert (wire.opened, wire.reconnects) == (3, 2)


def test_a_close_that_crosses_the_request_is_a_reconnect_where_it_is_proven(wire: Wire) -> None:
    """Sent into a connection that the server had closed, the request reached nobody: it goes out again, once."""
    peer = wire.begin()
    wire.read_request(peer)
    wire.send(peer, sized())
    peer.close()  # not yet seen by the client
    wire.connection.begin()
    fresh = wire.accept()
    assert wire.read_request(fresh) == wire.exchange.data
    wire.send(fresh, sized())
    assert wire.outcomes == [None, None]
    assert (wire.opened, wire.reconnects) == (2, 1)
    assert nothing_sent(fresh)


def test_a_half_closed_connection_that_still_reads_took_the_request(wire: Wire) -> None:
    """The server says no more but took the request: nobody can know, so it is an error, and not sent again."""
    peer = wire.begin()
    wire.read_request(peer)
    wire.send(peer, sized())
    peer.shutdown(socket.SHUT_WR)  # not yet seen by the client
    wire.connection.begin()
    wire.serve()
    assert wire.outcomes == [None, "reset"]
    assert wire.read_request(peer) == wire.exchange.data
    assert (wire.opened, wire.reconnects) == (1, 0)


def test_slow_headers_end_at_the_deadline(wire: Wire) -> None:
    """Each byte in time is not an answer in time."""
    peer = wire.begin()
    sent_ns = wire.connection.sent
    for byte in sized()[:20]:
        wire.send(peer, bytes([byte]))
    wire.connection.expire(sent_ns + wire.exchange.read_timeout_ns)
    assert wire.outcomes == []
    wire.connection.expire(sent_ns + wire.exchange.read_timeout_ns + 1)
    assert wire.outcomes == ["timeout"]
    wire.connection.expire(sent_ns + 1000 * SECOND_NS)
    wire.send(wire.begin(), sized())
    assert wire.outcomes == ["timeout", None]


def test_a_refused_connection_is_an_error_of_its_own(wire: Wire) -> None:
    """Nobody listens."""
    wire.listener.close()
    wire.connection.begin()
    assert wire.outcomes == []
    wire.serve()
    assert wire.outcomes == ["connect"]


def test_a_connection_that_is_never_accepted_ends_at_its_deadline() -> None:
    """A full backlog drops the handshake: that is the connect deadline, not the read one."""
    with open_wire(backlog=0, connect_timeout_s=2) as wire:
        fillers = [socket.socket() for _ in range(8)]
        for filler in fillers:
            filler.settimeout(0)
            filler.connect_ex(wire.listener.getsockname())
        wire.connection.begin()
        wire.serve()
        sent_ns = wire.connection.sent
        wire.connection.expire(sent_ns + 2 * SECOND_NS)
        assert wire.outcomes == []
        wire.connection.expire(sent_ns + 2 * SECOND_NS + 1)
        assert wire.outcomes == ["connect"]
        for filler in fillers:
            filler.close()


def test_a_connection_that_cannot_be_made_fails_its_own_request_only(
    wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error comes a moment later: not for a request that has ended by then, nor for the next one."""

    def socket_(*_: object) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    with monkeypatch.context() as patch:
        patch.setattr("loadtests.engine.wire._socket.socket", socket_)
        wire.connection.begin()
        assert wire.outcomes == []
    wire.connection.give_up()
    wire.send(wire.begin(), sized())
    assert wire.outcomes == ["timeout", None]


def test_a_megabyte_comes_whole_and_its_digest_is_checked() -> None:
    """Large bodies in many pieces, again and again, one of them with a wrong byte in the middle."""
    body = bytes(range(256)) * 4096
    request = Request(length=len(body), sha256=hashlib.sha256(body).hexdigest(), digest_every=1)
    with open_wire(request=request) as wire:
        peer = wire.begin()
        for number, data in enumerate([body, body, body[:500_000] + b"!" + body[500_001:], body]):
            if number:
                wire.connection.begin()
            wire.read_request(peer)
            answer = sized(data)
            wire.send(peer, *(answer[at : at + 100_001] for at in range(0, len(answer), 100_001)))
        assert wire.outcomes == [None, None, "body", None]
        assert wire.opened == 1


def test_a_digest_that_is_checked_now_and_then_finds_what_it_samples() -> None:
    """Every third body is summed; an answer like the last one that was checked needs no sum."""
    request = Request(length=5, sha256=hashlib.sha256(b"hello").hexdigest(), digest_every=3)
    with open_wire(request=request) as wire:
        peer = wire.begin()
        for number in range(9):
            if number:
                wire.connection.begin()
            wire.send(peer, sized(b"hullo"))
        assert wire.outcomes == ["body", None, None] * 3


def test_a_request_larger_than_the_socket_takes_is_sent_whole() -> None:
    """Four megabytes go out as the server reads them."""
    with open_wire(request=Request(method="POST", body="x" * (4 << 20), length=5)) as wire:
        peer = wire.begin()
        assert wire.read_request(peer) == wire.exchange.data
        wire.send(peer, GOOD)
        assert wire.outcomes == [None]
        wire.connection.begin()
        assert wire.read_request(peer) == wire.exchange.data
        wire.send(peer, GOOD)
        assert wire.outcomes == [None, None]
        assert wire.opened == 1


def test_an_answer_before_the_request_is_out_ends_the_connection() -> None:
    """A server may refuse a body that it has not read: judged by its status, and the rest of the body is not sent."""
    with open_wire(request=Request(method="POST", body="x" * (4 << 20))) as wire:
        peer = wire.begin()
        wire.send(peer, sized(status="413 Content Too Large"))
        assert wire.outcomes == ["status"]
        wire.begin()
        assert (wire.opened, wire.reconnects) == (2, 0)


def test_a_request_is_prepared_once_with_what_http_asks_for() -> None:
    """Host, no compression, the body's length; what the caller gives comes instead of ours."""
    made = prepare(Request(method="POST", path="/a?b=1", headers=(("X", "1"),), body="ä"), "localhost", 81)
    head, _, body = made.partition(b"\r\n\r\n")
    assert head.split(b"\r\n") == [
        b"POST /a?b=1 HTTP/1.1",
        b"Host: localhost:81",
        b"Accept-Encoding: identity",
        b"Content-Length: 2",
        b"X: 1",
    ]
    assert body == "ä".encode()
    own = prepare(Request(headers=(("host", "other"), ("ACCEPT-ENCODING", "gzip"))), "::1", 81)
    assert own == b"GET / HTTP/1.1\r\nhost: other\r\nACCEPT-ENCODING: gzip\r\n\r\n"
    assert b"Host: [::1]:81\r\n" in prepare(Request(), "::1", 81)


@pytest.mark.parametrize(
    "request_", [Request(path="/\r\nX: 1"), Request(headers=(("A", "b\nc"),)), Request(path="/\0")]
)
def test_a_line_break_in_a_head_is_refused(request_: Request) -> None:
    """What would be a second header, or a second request, is never sent."""
    with pytest.raises(ValueError, match="line break"):
        prepare(request_, "localhost", 80)


@pytest.mark.parametrize(
    ("request_", "character"), [(Request(path="/\u20ac"), "€"), (Request(headers=(("A", "\u03a9"),)), "Ω")]
)
def test_a_character_that_no_head_can_hold_is_refused_by_name(request_: Request, character: str) -> None:
    """HTTP's heads are Latin-1; the message says what to do."""
    with pytest.raises(ValueError, match=rf"'{character}' in the head of GET .*%XX"):
        prepare(request_, "localhost", 80)


LAST_WORDS = st.sampled_from(["nothing", "close", "reset", "half-close", "junk"])
ACTIONS = st.tuples(
    st.sampled_from(["answer", "wrong", "cut off", "silence", "noise", "close", "reset"]),
    LAST_WORDS,
    st.booleans(),
    st.lists(st.integers(min_value=0), max_size=3),
)


@settings(deadline=None, max_examples=300)
@given(st.lists(ACTIONS, min_size=1, max_size=10))
def test_whatever_the_server_does_each_request_has_one_outcome_and_is_sent_once(
    actions: list[tuple[str, str, bool, list[int]]],
) -> None:
    """Answers, silence, noise, ends of every kind, seen in time or not: no hang, no miscount, nothing sent again.

    `last words` are what the server does behind its answer, seen by the client before the next request or after it.
    """
    with open_wire(request=Request(length=len(BODY))) as wire:
        requests_read = 0
        for number, (action, last_words, seen, places) in enumerate(actions):
            wire.connection.begin()
            wire.serve()
            while wire.opened > len(wire.peers):
                wire.accept()
            peer = wire.peers[-1]
            if len(wire.outcomes) == number:
                requests_read += wire.read_request(peer) == wire.exchange.data
                perform(wire, peer, action, places)
            else:  # the last words crossed the request: it may have arrived, and is not sent again
                assert wire.outcomes[-1] in {"reset", "protocol"}
            assert len(wire.outcomes) == number + 1
            assert wire.connection.sent == 0
            if peer.fileno() >= 0:
                say(peer, last_words)
            if seen:
                wire.serve()
        good = sum(action == "answer" for action, *_ in actions)
        assert wire.outcomes.count(None) <= good
        assert requests_read <= len(actions)
        assert wire.opened == len(wire.peers)
        assert wire.reconnects < max(wire.opened, 1)


def perform(wire: Wire, peer: socket.socket, action: str, places: list[int]) -> None:
    """What the server does with a request."""
    if action == "answer":
        wire.send(peer, *cut(sized(), places))
        assert wire.outcomes[-1] is None
    elif action == "wrong":
        wire.send(peer, *cut(sized(status="503 No"), places))
        assert wire.outcomes[-1] == "status"
    elif action == "noise":
        wire.send(peer, b"\x16\x03\x01noise")
        assert wire.outcomes[-1] == "protocol"
    elif action == "silence":
        wire.connection.expire(wire.connection.sent + wire.exchange.read_timeout_ns + 1)
        assert wire.outcomes[-1] == "timeout"
    else:
        if action == "cut off":
            wire.send(peer, cut(sized(), [*places, 20])[0])
        say(peer, "reset" if action == "reset" else "close")
        wire.serve()
        assert wire.outcomes[-1] == "reset"


def say(peer: socket.socket, what: str) -> None:
    """The end, or something that nobody asked for."""
    if what == "half-close":
        with contextlib.suppress(OSError):
            peer.shutdown(socket.SHUT_WR)
    elif what == "junk":
        with contextlib.suppress(OSError):
            peer.send(b"junk")
    elif what != "nothing":
        if what == "reset":
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.close()


@pytest.mark.parametrize("family", ["AF_INET6", "AF_UNIX"])
def test_other_families_of_addresses_are_driven_the_same(tmp_path: Path, family: str) -> None:
    """IPv6 and a unix socket: the host has the form that HTTP wants, and answers are counted for the connection."""
    kind = getattr(socket, family)
    listener = socket.socket(kind)
    listener.bind(str(tmp_path / "s") if kind == socket.AF_UNIX else ("::1", 0))
    listener.listen()
    listener.settimeout(20)
    host, port = (f"unix:{tmp_path / 's'}", 0) if kind == socket.AF_UNIX else listener.getsockname()[:2]
    with open_wire() as wire:
        wire.exchange = Exchange(Request(), host, port, connect_timeout_s=5, read_timeout_s=5)
        wire.connection = Connection(wire.exchange, wire.reactor, wire)
        head = "localhost" if kind == socket.AF_UNIX else f"[::1]:{port}"
        assert f"Host: {head}\r\n".encode() in wire.exchange.data
        wire.connection.begin()
        wire.serve()
        peer, _ = listener.accept()
        for number in range(3):
            if number:
                wire.connection.begin()
            assert wire.read_request(peer) == wire.exchange.data
            wire.send(peer, GOOD)
        assert wire.outcomes == [None] * 3
        wire.connection.close()
        ((source, answers),) = wire.connection.ports
        assert answers == 3
        assert (source == 0) == (kind == socket.AF_UNIX)
        peer.close()
    listener.close()
