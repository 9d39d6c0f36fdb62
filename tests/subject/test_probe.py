"""What is seen of a process from outside."""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from harness.errors import AnswerError, LaunchError
from harness.machine import usage
from harness.machine.process import running
from harness.subject import answers, workers
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


def test_cpu_seconds_grow_with_work_and_count_threads() -> None:
    """Of our own process: work in a living thread is work of the process."""
    me, enough = [os.getpid()], threading.Event()

    def work() -> None:
        while not enough.is_set():
            sum(range(1000))

    before, deadline = usage.usage(me), time.monotonic() + 30
    thread = threading.Thread(target=work)
    thread.start()
    try:
        while (worked := usage.usage(me).total_since(before)) < 0.1 and time.monotonic() < deadline:
            time.sleep(0.01)
    finally:
        enough.set()
        thread.join()
    assert worked >= 0.1


def test_a_process_that_has_gone_is_left_out_and_never_negative() -> None:
    """As when a worker is replaced between two readings."""
    before = usage.Usage({1: 5.0, 2: 1.0})
    after = usage.Usage({2: 0.5, 3: 0.25})
    assert after.since(before) == {2: 0.0, 3: 0.25}
    assert usage.usage([2**22 + 1]).cpu_s == {}


def test_memory_threads_and_switches_are_read() -> None:
    """Of our own process they are all there."""
    me = [os.getpid()]
    memory = usage.memory_bytes(me)
    assert memory is not None
    assert memory > 2**20
    assert usage.threads(me) >= 1
    assert usage.context_switches(me) > 0
    assert usage.memory_bytes([2**22 + 1]) is None


def test_steal_and_outside_load_come_from_the_machines_first_line(tmp_path: Path) -> None:
    """Jiffies: user nice system idle iowait irq softirq steal."""
    (tmp_path / "stat").write_text("cpu  100 0 100 800 0 0 0 0 0 0\n")
    before = usage.machine(tmp_path)
    (tmp_path / "stat").write_text("cpu  150 0 100 830 0 0 0 20 0 0\n")
    after = usage.machine(tmp_path)
    assert after.steal_since(before) == pytest.approx(0.2)
    ours_s = 40 / os.sysconf("SC_CLK_TCK")
    assert after.outside_since(before, ours_s) == pytest.approx(0.1)


def test_the_owner_of_each_connection_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the client's port, among the processes that are asked."""
    monkeypatch.setattr(workers, "TIME_WAIT_LIMIT", 10**9)  # other tests leave many behind
    with socket.create_server((HOST, 0)) as listener, socket.create_connection(listener.getsockname()) as client:
        accepted, _ = listener.accept()
        with accepted:
            owners = workers.connection_owners(listener.getsockname()[1], [os.getpid()])
            assert owners == {client.getsockname()[1]: os.getpid()}


def test_a_long_table_of_sockets_is_not_read(tmp_path: Path) -> None:
    """It would take CPU beside a measurement."""
    (tmp_path / "net").mkdir()
    (tmp_path / "net/sockstat").write_text("sockets: used 9\nTCP: inuse 5 orphan 0 tw 28000 alloc 7 mem 1\n")
    assert workers.connection_owners(80, [os.getpid()], tmp_path) is None
