"""nginx in front: it answers once the server does, keeps the clients' connections, and ends with the server."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from harness.machine.environment import program_version
from harness.machine.identity import identity, lives
from harness.spec.hosts import tls_context
from tests.polling import until
from tests.targets.targets_support import free_port
from tests.tls_support import NEEDS_OPENSSL

FRONT = Path(__file__).parents[2] / "targets" / "behind_nginx.py"
SERVER = """
import os, socketserver, sys, time
from http.server import BaseHTTPRequestHandler
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        body = str(os.getpid()).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def address_string(self):
        return "nginx"
time.sleep(0.5)
socketserver.UnixStreamServer(sys.argv[1], Handler).serve_forever()
"""
pytestmark = [
    pytest.mark.live,
    pytest.mark.beside,
    pytest.mark.skipif(program_version("nginx") is None, reason="no nginx"),
]


def answer(port: int, scheme: str = "http") -> tuple[int, str] | None:
    """Status and body; None while nobody listens."""
    unchecked = tls_context() if scheme == "https" else None
    try:
        with urllib.request.urlopen(f"{scheme}://127.0.0.1:{port}/", timeout=5, context=unchecked) as response:  # noqa: S310 - of ours
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, ""
    except OSError:
        return None


@pytest.mark.parametrize("ends", ["the server", "all of it"])
def test_nginx_answers_when_its_server_does_and_ends_with_it(ends: str, tmp_path: Path) -> None:
    """The first answer is the server's own, not nginx's 502; afterwards no process and no file is left."""
    port, address = free_port(), tmp_path / "app.sock"
    argv = [sys.executable, str(FRONT), f"127.0.0.1:{port}", str(address), "--"]
    with subprocess.Popen([*argv, sys.executable, "-c", SERVER, str(address)]) as front:
        assert until(lambda: answer(port) is not None)
        status, body = answer(port) or (0, "")
        assert status == 200
        server = identity(int(body))
        assert server is not None
        children = Path(f"/proc/{front.pid}/task/{front.pid}/children").read_text().split()
        family = [each for pid in children if (each := identity(int(pid)))]
        assert len(family) == 2
        os.kill(server.pid if ends == "the server" else front.pid, signal.SIGTERM)
        assert front.wait(20) == (signal.SIGTERM if ends == "the server" else 0)
    assert not any(map(lives, family))
    assert list(tmp_path.iterdir()) == []


@NEEDS_OPENSSL
def test_nginx_ends_tls_and_logs_each_request(tmp_path: Path) -> None:
    """As it is told to; plain HTTP is none of it then."""
    port, address = free_port(), tmp_path / "app.sock"
    told = ["--access-log", "--tls"]
    argv = [sys.executable, str(FRONT), f"127.0.0.1:{port}", str(address), *told, "--"]
    with subprocess.Popen([*argv, sys.executable, "-c", SERVER, str(address)]) as front:
        try:
            assert until(lambda: answer(port, "https") is not None)
            assert (answer(port, "https") or (0, ""))[0] == 200
            assert (answer(port) or (0, ""))[0] == 400
            log = tmp_path / "app.nginx" / "access.log"
            assert until(lambda: [line.split()[8] for line in log.read_text().splitlines()] == ["200", "200", "400"])
        finally:
            front.terminate()
        assert front.wait(20) == 0
    assert list(tmp_path.iterdir()) == []
