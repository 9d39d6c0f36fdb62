"""Whether a server is ready, and whether it answers rightly."""

from __future__ import annotations

import socket
import ssl
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from harness.errors import AnswerError, LaunchError
from harness.machine.process import running
from harness.spec import TLS
from harness.subject import answers
from harness.suite import Ask, Expect
from tests.subject.subject_support import HOST, Hello, greeter
from tests.tls_support import NEEDS_OPENSSL, server_context, serving


def test_a_right_answer_is_returned_with_its_bytes() -> None:
    """Everything that is stated is checked."""
    right = Expect(json={"hello": "world"}, headers={"content-type": "application/json"}, headers_present=("Date",))
    with greeter() as port:
        answer = answers.verify(HOST, port, Ask(path="/hello"), right)
    assert (answer.status, len(answer.body)) == (200, 18)


@pytest.mark.parametrize(
    ("expect", "said"),
    [
        (Expect(status=201), "status 200, expected 201"),
        (Expect(json={"hello": "you"}), "expected"),
        (Expect(contains="bye"), "lacks 'bye'"),
        (Expect(headers={"Content-Type": "text/html"}), "header Content-Type"),
        (Expect(headers_present=("X-Process-Time",)), "X-Process-Time is missing"),
        (Expect(sha256_json="0" * 64), "JSON has digest"),
    ],
)
def test_a_wrong_answer_says_what_differs(expect: Expect, said: str) -> None:
    """By what was expected of it."""
    with greeter() as port, pytest.raises(AnswerError) as caught:
        answers.verify(HOST, port, Ask(path="/hello"), expect)
    assert said in str(caught.value)


ENDLESS_BODY = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"
ENDLESS_HEAD = b"HTTP/1.1 200 OK\r\nX-A: "


@contextmanager
def raw_server(answer: bytes, drip: bytes = b"") -> Iterator[int]:
    """A server that gives every request the bytes of `answer`, then `drip` again and again until it is hung up on."""

    def serve() -> None:
        while True:
            try:
                accepted, _ = listener.accept()
            except OSError:  # the test is over
                return
            with accepted, suppress(OSError):
                accepted.recv(65536)
                accepted.sendall(answer)
                while drip:
                    accepted.sendall(drip)
                    time.sleep(0.01)

    with socket.create_server((HOST, 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
    thread.join()


@pytest.mark.parametrize("head", [ENDLESS_BODY, ENDLESS_HEAD])
def test_an_answer_that_never_ends_is_given_up_at_the_deadline(head: bytes) -> None:
    """However often a byte of it comes: the time-out is for the whole exchange, not for each read."""
    with raw_server(head, drip=b"x") as port, pytest.raises(AnswerError, match=r"no whole answer after 0\.2 s"):
        answers.ask(HOST, port, Ask(path="/"), timeout_s=0.2)


STREAM = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
EVENT = b"6\r\nevent,\r\n"


@pytest.mark.parametrize("expect", [Expect(), Expect(contains="event,event,event,")])
def test_a_held_stream_is_right_without_an_end(expect: Expect) -> None:
    """As soon as all that is expected of it has come."""
    with raw_server(STREAM, drip=EVENT) as port:
        assert answers.verify_held(HOST, port, Ask(path="/"), expect).status == 200


@pytest.mark.parametrize("expect", [Expect(contains="end"), Expect(json=["event"])])
def test_a_held_stream_that_lacks_what_is_expected_is_wrong(expect: Expect, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is read for as long as it may come."""
    monkeypatch.setattr(answers, "HELD_S", 0.3)
    with raw_server(STREAM, drip=EVENT) as port, pytest.raises(AnswerError, match=r"no whole answer after 0\.3 s"):
        answers.verify_held(HOST, port, Ask(path="/"), expect)


def test_a_held_answer_is_held_against_all_that_is_expected() -> None:
    """As any other."""
    with greeter() as port, pytest.raises(AnswerError, match="expected"):
        answers.verify_held(HOST, port, Ask(path="/hello"), Expect(json={"hello": "you"}))


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n" + b"x" * 2000,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7d0\r\n" + b"x" * 2000 + b"\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 2000,
    ],
)
def test_a_body_that_is_too_long_is_not_read(head: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether its length is told before or not."""
    monkeypatch.setattr(answers, "LONGEST_BODY_BYTES", 1999)
    with raw_server(head) as port, pytest.raises(AnswerError, match="body of more than 1999 bytes"):
        answers.ask(HOST, port, Ask(path="/"))
    monkeypatch.setattr(answers, "LONGEST_BODY_BYTES", 2000)
    with raw_server(head) as port:
        assert answers.ask(HOST, port, Ask(path="/")).body == b"x" * 2000


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 two hundred\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nno number\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\nshort",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000 + b"\r\n\r\n",
    ],
)
def test_an_answer_that_is_not_http_is_a_wrong_answer(answer: bytes) -> None:
    """Whatever is wrong with it, in one line."""
    with raw_server(answer) as port, pytest.raises(AnswerError, match="GET /: no answer: ") as caught:
        answers.verify(HOST, port, Ask(path="/"), Expect())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "request_",
    [
        Ask(path="/ü"),
        Ask(path="/a b"),
        Ask(path="/", headers={"X-A": "1\n2"}),
        Ask(path="/", headers={"X-A": "5 €"}),
    ],
)
def test_a_request_that_cannot_be_sent_has_no_answer(request_: Ask) -> None:
    """The definitions refuse such a request; what slips through is an error of this arm, not the end of the run."""
    with greeter() as port, pytest.raises(AnswerError, match="no answer"):
        answers.verify(HOST, port, request_, Expect())


@NEEDS_OPENSSL
def test_tls_is_spoken_where_the_host_says_so(tmp_path: Path) -> None:
    """The certificate is not checked, the name of the host is told, and the time-out is for all of it."""
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
    with socket.create_server((HOST, 0)) as listener:
        port = listener.getsockname()[1]

        def serve(peer: ssl.SSLSocket) -> None:
            asked = peer.recv(1000)
            for byte in answer if b"/whole" in asked else answer[:-1] * 1000:
                peer.sendall(bytes([byte]))
                time.sleep(0 if b"/whole" in asked else 0.02)

        with serving(listener, server_context(tmp_path), serve) as names:
            assert answers.ask(f"{TLS}localhost", port, Ask(path="/whole")).body == b"hi"
            with pytest.raises(AnswerError, match=r"no whole answer after 0\.3 s"):
                answers.ask(f"{TLS}{HOST}", port, Ask(path="/dripping"), timeout_s=0.3)
    assert names == ["localhost", None]


def test_headers_of_the_request_take_the_place_of_ours() -> None:
    """In whatever case they are written."""
    received: list[list[tuple[str, str]]] = []

    class Listening(Hello):
        def do_GET(self) -> None:  # noqa: N802 - http.server calls it so
            received.append(self.headers.items())
            super().do_GET()

    with greeter(Listening) as port:
        answers.ask(HOST, port, Ask(path="/hello", headers={"accept-encoding": "gzip"}))
        answers.ask(HOST, port, Ask(path="/hello"))
    encodings = [[value for name, value in headers if name.lower() == "accept-encoding"] for headers in received]
    assert encodings == [["gzip"], ["identity"]]


def test_nobody_there_is_a_wrong_answer_too() -> None:
    """Never a crash."""
    with pytest.raises(AnswerError, match="no answer"):
        answers.verify(HOST, 1, Ask(path="/"), Expect())


def test_waiting_for_a_process_that_dies_tells_why(tmp_path: Path) -> None:
    """At once, not at the deadline."""
    code = "print('no such module', flush=True); raise SystemExit(3)"
    with running([sys.executable, "-c", code], name="broken", log=tmp_path / "log") as process:
        with pytest.raises(LaunchError, match="broken ended with exit code 3: no such module; log: "):
            answers.wait_ready(process, HOST, 1, Ask(path="/"))
        assert not process.alive()


def test_waiting_has_an_end(tmp_path: Path) -> None:
    """Which names the process, what was tried last, what it said, and where its log is."""
    code = "import time; print('wait for me', flush=True); time.sleep(60)"
    log = tmp_path / "log"
    with running([sys.executable, "-c", code], name="mute", log=log) as process:
        answers.wait_until(process, "heard", lambda: process.tail() or None)
        with pytest.raises(LaunchError) as caught:
            answers.wait_ready(process, HOST, 1, Ask(path="/"), timeout_s=0.1)
        assert process.alive()
    assert str(caught.value) == (
        "mute is not ready after 0.1 s (no answer: ConnectionRefusedError: [Errno 111] Connection refused): "
        f"wait for me; log: {log}"
    )


def test_what_answers_when_the_process_is_dead_is_not_believed(tmp_path: Path) -> None:
    """A stranger on its port may be quicker than its death."""
    with running([sys.executable, "-c", "raise SystemExit(3)"], name="late", log=tmp_path / "log") as process:

        def ready() -> bool:
            process.popen.wait()
            return True

        with pytest.raises(LaunchError, match="late ended with exit code 3"):
            answers.wait_until(process, "ready", ready)
