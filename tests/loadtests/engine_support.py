"""What the tests of the engine share: a connection driven step by step, the null server, a run of rounds."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.spec import Event, Request, Slice, Spec, Totals
from loadtests.engine.exchange import Exchange
from loadtests.engine.reactor import Reactor
from loadtests.engine.rounds import Rounds
from loadtests.engine.timer import monotonic_ns
from loadtests.engine.wire import Connection

ROOT = Path(__file__).resolve().parent.parent.parent
SECOND_NS = 1_000_000_000
PATIENCE_S = 20
GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
HEAD_END = b"\r\n\r\n"


@dataclass
class Wire:
    """A connection of the engine, and the socket that it connects to: both ends in one thread, moved step by step."""

    request: Request = field(default_factory=Request)
    connect_timeout_s: float = 5.0
    read_timeout_s: float = 5.0
    backlog: int = 16
    spoken: str = ""
    """TLS where the server speaks it."""
    outcomes: list[str | None] = field(default_factory=list)
    opened: int = 0
    reconnects: int = 0
    peers: list[socket.socket] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=self.backlog)
        self.listener.settimeout(PATIENCE_S)
        self.reactor = Reactor()
        host, port = self.listener.getsockname()
        self.exchange = Exchange(
            self.request,
            self.spoken + host,
            port,
            connect_timeout_s=self.connect_timeout_s,
            read_timeout_s=self.read_timeout_s,
        )
        self.connection = Connection(self.exchange, self.reactor, self)

    def opening(self, _sent_ns: int, *, again: bool) -> None:
        """Count connections (`wire.Owner`)."""
        self.opened += 1
        self.reconnects += again

    def answered(self, _connection: Connection, sent_ns: int, kind: str | None, done_ns: int) -> None:
        """Keep what became of a request (`wire.Owner`)."""
        assert 0 < sent_ns <= done_ns
        self.outcomes.append(kind)

    def serve(self) -> None:
        """Let the connection see everything that has come to it by now."""
        while True:
            self.reactor._call(monotonic_ns())
            events = [event for event in self.reactor._epoll.poll(0) if event[0] != self.reactor._timer.fd]
            for fd, mask in events:
                if handler := self.reactor._handlers.get(fd):
                    handler(mask)
            if not events and not self._due():
                return

    def _due(self) -> bool:
        return bool(self.reactor._calls) and self.reactor._calls[0][0] <= monotonic_ns()

    def serve_until(self, done: Callable[[], bool]) -> None:
        """Serve until `done()`; fails after `PATIENCE_S`."""
        deadline = monotonic_ns() + PATIENCE_S * SECOND_NS
        while not done():
            assert monotonic_ns() < deadline, f"not done after {PATIENCE_S} s"
            self.serve()

    def begin(self) -> socket.socket:
        """Send a request on a new connection, and return the server's end."""
        self.connection.begin()
        return self.accept()

    def accept(self) -> socket.socket:
        """The server's end of a connection that is open or being opened."""
        self.serve()
        peer, _ = self.listener.accept()
        self.peers.append(peer)
        peer.settimeout(PATIENCE_S)
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.serve()
        return peer

    def read_request(self, peer: socket.socket) -> bytes:
        """A whole request, as the server gets it."""
        data = b""
        while len(data) < len(self.exchange.data):
            self.serve()
            chunk = peer.recv(len(self.exchange.data) - len(data))
            assert chunk, "the request was cut off"
            data += chunk
        return data

    def send(self, peer: socket.socket, *pieces: bytes) -> None:
        """Send the pieces so that the connection receives each by itself."""
        for piece in pieces:
            peer.sendall(piece)
            self.serve()

    def close(self) -> None:
        """Close both ends and the listening socket."""
        self.connection.close()
        for peer in self.peers:
            peer.close()
        self.listener.close()
        self.reactor.close()


@contextmanager
def open_wire(**choices: Any) -> Iterator[Wire]:
    """A connection and its peer, closed at the end."""
    wire = Wire(**choices)
    try:
        yield wire
    finally:
        wire.close()


def nothing_sent(peer: socket.socket) -> bool:
    """Whether the server's end has nothing to read."""
    peer.settimeout(0)
    try:
        return not peer.recv(1)
    except BlockingIOError:
        return True
    finally:
        peer.settimeout(PATIENCE_S)


@dataclass
class NullServer:
    """`loadtests.null_server` in a process of its own."""

    port: int

    def seen(self) -> dict[str, Any]:
        """What it has seen: requests, seconds from request to answer, requests by worker."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/-/seen", timeout=PATIENCE_S) as answer:
            sums: dict[str, Any] = json.load(answer)
            return sums


@contextmanager
def null_server(law: str, *, workers: int = 1) -> Iterator[NullServer]:
    """A null server of that law, ended at the end."""
    argv = [sys.executable, "-m", "loadtests.null_server", "--law", law, "--workers", str(workers)]
    with subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield NullServer(int(process.stdout.readline()))
        finally:
            process.terminate()
            process.wait(PATIENCE_S)


@dataclass
class Run:
    """What a run of the rounds gave, in this process and without Locust."""

    slices: tuple[Slice, ...]
    totals: tuple[Totals, ...]
    events: list[Event]


def run_rounds(spec: Spec) -> Run:
    """Run the rounds of `spec` in this process."""
    events: list[Event] = []
    rounds = Rounds(spec, events.append, lambda _: None)
    try:
        rounds.run()
    finally:
        rounds.close()
    return Run(tuple(rounds.slices), rounds.totals, events)
