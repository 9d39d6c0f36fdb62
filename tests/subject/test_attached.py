"""What runs already is asked and looked at, and left as it is."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from harness.errors import AnswerError, LaunchError
from harness.record.code import digests
from harness.subject.answers import ask, wait_until
from harness.subject.attached import Attached
from harness.subject.launch import launch, wait_settled
from harness.subject.receipts import receipts
from harness.subject.services import Services
from harness.suite import Arm, Ask, Expect
from tests import factories

SERVER = """
import http.server, socket, socketserver, subprocess, sys
kind, address = sys.argv[1:]

class Hello(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = ("hello " + self.headers["Host"]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def address_string(self):
        return "somebody"
    def log_message(self, *_):
        pass

class Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads = True
    address_family = getattr(socket, kind)

server = Server(address if kind == "AF_UNIX" else (address, 0), Hello)
child = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
print(address if kind == "AF_UNIX" else server.server_address[1], child.pid, flush=True)
server.serve_forever()
"""


@contextmanager
def somebodys(kind: str, address: str) -> Iterator[tuple[subprocess.Popen[str], str, int]]:
    """A server that we did not launch, with a child: its process, its port or path, the id of the child."""
    argv = [sys.executable, "-c", SERVER, kind, address]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            where, child = process.stdout.readline().split()
            yield process, where, int(child)
        finally:
            process.kill()


def arm(url: str, pid: int | None = None, host: str = "") -> Arm:
    """An arm that runs already."""
    target = replace(factories.target(name="live"), app="", url=url, pid=pid)
    scenario = factories.scenario(request=Ask(path="/"), expect=Expect(contains=f"hello {host}"))
    return factories.arm(target=target, scenario=scenario)


def launched(made: Arm) -> Attached:
    """What is launched of it: nothing."""
    with launch(made, (), Services(), cpus=(), log=Path(os.devnull)) as server:
        assert isinstance(server.process, Attached)
        return server.process


@pytest.mark.live
@pytest.mark.parametrize(("kind", "address"), [("AF_INET", "127.0.0.1"), ("AF_INET6", "::1"), ("AF_UNIX", "")])
def test_it_is_asked_wherever_it_listens_and_goes_on(tmp_path: Path, kind: str, address: str) -> None:
    """Over IPv4, IPv6 and a unix socket, with a Host that HTTP allows; it is not stopped at the end."""
    if kind == "AF_INET6" and not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    with somebodys(kind, address or str(tmp_path / "s")) as (process, where, child):
        host = {"AF_INET": f"127.0.0.1:{where}", "AF_INET6": f"[::1]:{where}", "AF_UNIX": "localhost"}[kind]
        url = f"http+unix:{where}" if kind == "AF_UNIX" else f"http://{host}"
        with launch(arm(url, process.pid, host), (), Services(), cpus=(), log=tmp_path / "log") as server:
            server.wait_ready()
            wait_settled([server])
            assert server.verify().body.decode() == f"hello {host}"
            assert server.process.members() == sorted([process.pid, child])
            server.process.ask_to_stop()
        assert process.poll() is None
        assert not (tmp_path / "log").exists()


@pytest.mark.live
def test_the_end_of_its_process_is_noticed() -> None:
    """And not waited for until the deadline."""
    with somebodys("AF_INET", "127.0.0.1") as (process, where, _):
        there = launched(arm(f"http://127.0.0.1:{where}", process.pid))
        assert there.alive()
        process.kill()
        process.wait()
        assert not there.alive()
        assert there.members() == []
        with pytest.raises(LaunchError, match=rf"has ended \(process {process.pid}\); it runs already at http://"):
            wait_until(there, "ready", lambda: None)


def test_a_process_that_is_not_there_is_refused() -> None:
    """Rather than measured without its CPU."""
    with pytest.raises(LaunchError, match=r"no process 4194304: correct pid, or leave it out"):
        launched(arm("http://127.0.0.1:1", 2**22))


def test_of_an_unknown_process_nothing_is_known() -> None:
    """It is taken to live, and has no members."""
    there = launched(arm("http://127.0.0.1:1"))
    assert there.alive()
    assert there.members() == []


def test_nobody_is_asked_for_its_versions_or_its_code() -> None:
    """There is no interpreter and no folder of it."""
    live = arm("http://127.0.0.1:1")
    assert receipts([replace(live, target=replace(live.target, python="/nowhere/python"))]).missing == {}
    assert digests(factories.plan(factories.group(live, replace(live, id="p1b")))) == {}


def test_a_socket_that_is_not_there_is_no_answer(tmp_path: Path) -> None:
    """Told as a port at which nobody listens."""
    with pytest.raises(AnswerError, match="no answer: FileNotFoundError"):
        ask(f"unix:{tmp_path / 'none'}", 0, Ask(path="/"))
