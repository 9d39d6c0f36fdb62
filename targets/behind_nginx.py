"""A server behind nginx, as it is deployed: nginx takes the clients' connections, the server a Unix socket.

    python behind_nginx.py HOST:PORT SOCKET [--kept N] [--access-log] [--tls] -- SERVER...

Starts `SERVER...`, which must listen on SOCKET, and nginx in front of it with one worker. `--kept` has nginx keep N
connections to the server open, for servers that can keep one; `--access-log` has it log each request, and `--tls`
end TLS with a certificate that is made at the start, for a day. Files stand in a folder beside SOCKET, which goes at
the end. When either process ends, the other is ended too, and the exit code is its.
"""

from __future__ import annotations

import argparse
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

STOP_S = 6.0
"""How long each may take to stop; the servers here give themselves 5 s."""
POLL_S = 0.02
LONGEST_SOCKET = 107
"""Bytes in the path of a Unix socket, on Linux."""
CONF = """
daemon off;
user {user};
worker_processes 1;
pid {folder}/pid;
error_log stderr error;
events {{ worker_connections 4096; }}
http {{
    access_log {access_log};
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    keepalive_timeout 300s;
    keepalive_requests 1000000000;
    upstream app {{ server unix:{socket} fail_timeout=0; {kept} }}
    server {{
        listen {listen} {tls} backlog=2048;
        {certificate}
        client_max_body_size 64m;
        location / {{
            proxy_pass http://app;
            proxy_http_version {version};
            proxy_set_header Connection "";
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_redirect off;
        }}
    }}
}}
"""
"""Headers and `fail_timeout=0` as gunicorn's documentation on deploying asks."""


def nginx() -> str:
    """The path of nginx: on PATH, or where Debian has it."""
    found = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if found is None:
        sys.exit("there is no nginx here. On Debian and Ubuntu: apt-get install nginx-light")
    return found


def certified(folder: Path) -> str:
    """Make a certificate, which nobody else signs; returns how nginx is told of it."""
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1"]
    files = ["-keyout", f"{folder}/key.pem", "-out", f"{folder}/certificate.pem"]
    openssl = shutil.which("openssl")
    if openssl is None:
        sys.exit("there is no openssl here to make a certificate with. On Debian and Ubuntu: apt-get install openssl")
    argv = [openssl, "req", "-x509", *kind, "-subj", "/CN=localhost", *files]
    made = subprocess.run(argv, capture_output=True, text=True, check=False)
    if made.returncode:
        sys.exit(f"openssl made no certificate: {made.stderr.strip()}")
    return f"ssl_certificate {folder}/certificate.pem; ssl_certificate_key {folder}/key.pem;"


def configured(asked: argparse.Namespace, folder: Path) -> Path:
    """Write the configuration into `folder`; returns its path."""
    conf = folder / "nginx.conf"
    conf.write_text(
        CONF.format(
            user=pwd.getpwuid(os.geteuid()).pw_name if os.geteuid() == 0 else "nobody",
            folder=folder,
            access_log=f"{folder}/access.log" if asked.access_log else "off",
            socket=asked.socket,
            listen=asked.listen,
            tls="ssl" if asked.tls else "",
            certificate=certified(folder) if asked.tls else "",
            kept=f"keepalive {asked.kept};" if asked.kept else "",
            version="1.1" if asked.kept else "1.0",
        )
    )
    return conf


def accepts(address: Path) -> bool:
    """Whether something accepts connections there."""
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(address)) == 0


class Both:
    """The server and nginx: when one of them ends, or we are told to, the other is ended too."""

    def __init__(self) -> None:
        """Be told to stop from now on."""
        self.running: list[subprocess.Popen[bytes]] = []
        self.stopping = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda _number, _frame: self.stop())

    def start(self, argv: list[str]) -> None:
        """Start one of them, unless we are to stop."""
        if not self.stopping:
            self.running.append(subprocess.Popen(argv))

    def stop(self) -> None:
        """Ask those that run to stop."""
        self.stopping = True
        for process in self.running:
            process.terminate()

    def go_on(self) -> bool:
        """Whether all of them run, after a moment."""
        time.sleep(POLL_S)
        return not self.stopping and all(process.poll() is None for process in self.running)

    def wait(self) -> None:
        """Sleep until one of them has ended: a process that polls would take CPU time of the servers."""
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)

    def end(self) -> int:
        """Stop them all, with force where one takes too long; returns the exit code of one that ended by itself."""
        ended = [] if self.stopping else [each.returncode for each in self.running if each.poll() is not None]
        self.stop()
        for process in self.running:
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        return abs(ended[0]) if ended else 0


def serve(server: list[str], front: list[str], address: Path) -> int:
    """Run the server, and nginx as soon as the server listens: before, it would answer 502 in its name."""
    both = Both()
    both.start(server)
    while both.go_on() and not accepts(address):
        pass
    both.start(front)
    both.wait()
    return both.end()


def main() -> int:
    """Read the command line, start both, and wait."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("listen", metavar="HOST:PORT")
    parser.add_argument("socket", type=Path)
    parser.add_argument("--kept", type=int, default=0, help="connections to the server that are kept open")
    parser.add_argument("--access-log", action="store_true")
    parser.add_argument("--tls", action="store_true")
    parser.add_argument("server", nargs="+")
    asked = parser.parse_args()
    if len(os.fsencode(asked.socket)) > LONGEST_SOCKET:
        sys.exit(f"{asked.socket}: longer than a Unix socket's path may be; set TMPDIR to a shorter one")
    folder = asked.socket.with_suffix(".nginx")
    folder.mkdir()
    try:
        return serve(asked.server, [nginx(), "-c", str(configured(asked, folder)), "-e", "stderr"], asked.socket)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        asked.socket.unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(main())
