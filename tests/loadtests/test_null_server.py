"""The null server: its laws, what it says that it has seen, and that a client cannot end it."""

from __future__ import annotations

import socket
import subprocess
import sys

import pytest

from loadtests.null_server import law_of
from tests.loadtests.engine_support import PATIENCE_S, ROOT, null_server

MS = 1_000_000


@pytest.mark.parametrize(
    "text", ["", "nill", "fixed", "peaks:1,2", "null:1", "errors:0", "peaks:5,200,0", "errors:-1", "fixed:five"]
)
def test_an_unknown_law_is_refused(text: str) -> None:
    """Rather than obeyed in part, or up to its first request."""
    with pytest.raises(ValueError, match=r"no law|invalid literal"):
        law_of(text)


@pytest.mark.parametrize(
    ("text", "delays_ms"),
    [
        ("null", [0, 0, 0, 0]),
        ("fixed:50", [50, 50, 50, 50]),
        ("peaks:5,200,2", [5, 200, 5, 200]),
        ("stall:2,10", [0, 0, 10, 9]),
    ],
)
def test_a_law_says_when_each_request_is_answered(text: str, delays_ms: list[int]) -> None:
    """Requests that come a millisecond after one another."""
    law = law_of(text)
    moments = [1000 * MS + number * MS for number in range(4)]
    answers = [law(number, now) for number, now in enumerate(moments, start=1)]
    assert [(at - now) // MS for (at, _), now in zip(answers, moments, strict=True)] == delays_ms


@pytest.mark.parametrize(
    ("text", "statuses"), [("errors:3", [b"200", b"200", b"500"]), ("hangup", [b"", b"", b""]), ("null", [b"200"] * 3)]
)
def test_a_law_says_with_which_status_each_request_is_answered(text: str, statuses: list[bytes]) -> None:
    """By its number."""
    law = law_of(text)
    assert [law(number, 0)[1][9:12] for number in (1, 2, 3)] == statuses


@pytest.mark.live
def test_workers_share_their_counts() -> None:
    """Whichever worker is asked, it answers for all."""
    with null_server("null", workers=3) as server:
        for _ in range(50):
            with socket.create_connection(("127.0.0.1", server.port), PATIENCE_S) as client:
                client.sendall(b"GET / HTTP/1.1\r\n\r\n")
                assert client.recv(1000).endswith(b"hello")
        seen = server.seen()
    assert seen["requests"] == sum(seen["workers"]) == 50
    assert len(seen["workers"]) == 3


@pytest.mark.live
def test_a_client_that_leaves_before_the_counts_are_sent_does_not_end_the_server() -> None:
    """The connection is closed by the first request of two that come at once."""
    with null_server("hangup") as server:
        with socket.create_connection(("127.0.0.1", server.port), PATIENCE_S) as client:
            client.sendall(b"GET / HTTP/1.1\r\n\r\nGET /-/seen HTTP/1.1\r\n\r\n")
            assert client.recv(1000) == b""
        assert server.seen()["requests"] == 1


@pytest.mark.live
def test_the_error_for_an_unknown_law_is_one_line() -> None:
    """Before it listens, with exit code 2."""
    command = [sys.executable, "-m", "loadtests.null_server", "--law", "nonsense"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "no law 'nonsense'" in done.stderr
    assert "Traceback" not in done.stderr
