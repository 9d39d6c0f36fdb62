"""Whether a server is ready, and whether it answers rightly."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from harness.errors import AnswerError, LaunchError
from harness.machine.process import running
from harness.subject import answers
from harness.suite import Ask, Expect

HOST = "127.0.0.1"


class Hello(BaseHTTPRequestHandler):
    """Answers every GET with a greeting."""

    def do_GET(self) -> None:
        """Greet."""
        body = b'{"hello": "world"}'
        self.send_response(200 if self.path == "/hello" else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def greeter() -> Iterator[int]:
    """A server on a free port, which it yields."""
    with ThreadingHTTPServer((HOST, 0), Hello) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


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


def test_nobody_there_is_a_wrong_answer_too() -> None:
    """Never a crash."""
    with pytest.raises(AnswerError, match="no answer"):
        answers.verify(HOST, 1, Ask(path="/"), Expect())


def test_waiting_for_a_process_that_dies_tells_its_last_lines(tmp_path: Path) -> None:
    """At once, not at the deadline."""
    code = "print('no such module', flush=True); raise SystemExit(3)"
    with running([sys.executable, "-c", code], name="broken", log=tmp_path / "log") as process:
        with pytest.raises(LaunchError, match="no such module"):
            answers.wait_ready(process, HOST, 1, Ask(path="/"))
        assert not process.alive()


def test_waiting_has_an_end(tmp_path: Path) -> None:
    """Which names the process."""
    with running([sys.executable, "-c", "import time; time.sleep(60)"], name="mute", log=tmp_path / "log") as process:
        with pytest.raises(LaunchError, match="mute: not ready"):
            answers.wait_ready(process, HOST, 1, Ask(path="/"), timeout_s=0.1)
        assert process.alive()
