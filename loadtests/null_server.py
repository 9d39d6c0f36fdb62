"""A server that does nothing but answer, by a law that is known: the truth that a load generator is held against.

`python -P -m loadtests.null_server [--law LAW] [--workers N] [--port PORT]` prints the port it listens on, and serves
until SIGTERM. It reads requests without a body, answers each by its law, and at /-/seen says what it has seen so far:
`{"requests", "seconds", "workers": [requests, ...]}`; seconds is the sum of the times from request to answer.

    null            at once
    fixed:50        after 50 ms
    peaks:5,200,50  after 5 ms, every 50th after 200 ms
    stall:4000,1000 at once; from 4 s after the first request on, nothing is answered for 1 s
    errors:10       at once; every 10th answer is a 500
    hangup          the connection is closed instead
    closing         at once, with Connection: close
"""

from __future__ import annotations

import argparse
import json
import os
import select
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from heapq import heappop, heappush
from itertools import count
from mmap import mmap

from loadtests.engine.timer import Timer, monotonic_ns

MS = 1_000_000
_GOOD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello"
_BAD = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 4\r\n\r\noops"
_LAST = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello"
_END = b"\r\n\r\n"
_SEEN = b"GET /-/seen "

Law = Callable[[int, int], tuple[int, bytes]]
"""Takes a request's number, counted from 1, and the moment it came, in nanoseconds of CLOCK_MONOTONIC; gives the moment
and the bytes of its answer. No bytes: hang up."""


def law_of(text: str) -> Law:  # noqa: PLR0911 - one return a law
    """The law called `text`, with its numbers; raises `ValueError` when there is none."""
    name, _, rest = text.partition(":")
    numbers = [int(part) for part in rest.split(",") if part]
    match name, numbers:
        case "null", []:
            return lambda _, now: (now, _GOOD)
        case "fixed", [ms]:
            return lambda _, now: (now + ms * MS, _GOOD)
        case "peaks", [ms, slow_ms, nth] if nth > 0:
            return lambda number, now: (now + (ms if number % nth else slow_ms) * MS, _GOOD)
        case "stall", [after_ms, for_ms]:
            return _stall(after_ms * MS, for_ms * MS)
        case "errors", [nth] if nth > 0:
            return lambda number, now: (now, _GOOD if number % nth else _BAD)
        case "hangup", []:
            return lambda _, now: (now, b"")
        case "closing", []:
            return lambda _, now: (now, _LAST)
    raise ValueError(f"no law {text!r}")


def _stall(after_ns: int, for_ns: int) -> Law:
    first_ns = 0

    def law(_: int, now: int) -> tuple[int, bytes]:
        nonlocal first_ns
        first_ns = first_ns or now
        since = now - first_ns
        stalled = after_ns <= since < after_ns + for_ns
        return (first_ns + after_ns + for_ns if stalled else now), _GOOD

    return law


class Counts:
    """Requests and nanoseconds of each worker, in memory that the workers share."""

    def __init__(self, workers: int) -> None:
        self._numbers = memoryview(mmap(-1, 16 * workers)).cast("Q")

    def add(self, worker: int, spent_ns: int) -> None:
        """A worker has answered a request, so long after it came."""
        self._numbers[2 * worker] += 1
        self._numbers[2 * worker + 1] += spent_ns

    def answer(self) -> bytes:
        """The HTTP answer that says what all workers have seen."""
        requests, spent_ns = self._numbers[::2].tolist(), self._numbers[1::2].tolist()
        sums = {"requests": sum(requests), "seconds": sum(spent_ns) / 1e9, "workers": requests}
        body = json.dumps(sums).encode()
        return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


class NullWorker:
    """One worker of the null server, with connections of its own."""

    def __init__(self, listener: socket.socket, law: Law, tally: Counts, worker: int) -> None:
        self._listener = listener
        self._law = law
        self._tally = tally
        self._worker = worker
        self._epoll = select.epoll()
        self._timer = Timer()
        self._sockets: dict[int, socket.socket] = {}
        self._partial: dict[int, bytes] = {}
        self._due: list[tuple[int, int, socket.socket, bytes, int]] = []
        self._numbers = count(1)
        self._order = count()
        self._epoll.register(listener.fileno(), select.EPOLLIN)
        self._epoll.register(self._timer.fd, select.EPOLLIN)

    def run(self) -> None:
        """Serve until the process ends."""
        listening, sockets = self._listener.fileno(), self._sockets
        while True:
            for fd, _ in self._epoll.poll():
                if (client := sockets.get(fd)) is not None:
                    self._read(client, fd)
                elif fd == listening:
                    self._accept()
            if self._due:
                self._answer_due()

    def _accept(self) -> None:
        try:
            client, _ = self._listener.accept()
        except OSError:  # another worker was faster, or the client is gone
            return
        client.setblocking(False)  # noqa: FBT003 - its only form
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._sockets[client.fileno()] = client
        self._epoll.register(client.fileno(), select.EPOLLIN)

    def _read(self, client: socket.socket, fd: int) -> None:
        try:
            data = client.recv(65536)
        except OSError:
            data = b""
        if not data:
            self._close(client)
            return
        data = self._partial.pop(fd, b"") + data
        *requests, rest = data.split(_END)
        if rest:
            self._partial[fd] = rest
        now = monotonic_ns()
        for request in requests:
            if request.startswith(_SEEN):
                with suppress(OSError):  # the client is gone
                    client.send(self._tally.answer())
                continue
            at, answer = self._law(next(self._numbers), now)
            if at <= now:
                self._answer(client, answer, now)
            else:
                heappush(self._due, (at, next(self._order), client, answer, now))

    def _answer_due(self) -> None:
        due = self._due
        while due and due[0][0] <= monotonic_ns():
            _, _, client, answer, asked_ns = heappop(due)
            self._answer(client, answer, asked_ns)
        self._timer.arm(due[0][0] if due else 0)

    def _answer(self, client: socket.socket, answer: bytes, asked_ns: int) -> None:
        self._tally.add(self._worker, monotonic_ns() - asked_ns)
        if answer:
            try:
                client.send(answer)
            except OSError:  # the client is gone
                answer = b""
        if not answer or answer is _LAST:
            self._close(client)

    def _close(self, client: socket.socket) -> None:
        self._sockets.pop(client.fileno(), None)
        self._partial.pop(client.fileno(), None)
        client.close()


def serve(law: Law, *, workers: int = 1, port: int = 0) -> None:
    """Listen, print the port, and serve with so many processes until SIGTERM."""
    listener = socket.create_server(("127.0.0.1", port), backlog=4096)
    listener.setblocking(False)  # noqa: FBT003 - its only form
    tally = Counts(workers)
    print(listener.getsockname()[1], flush=True)  # noqa: T201 - whoever started it waits for this
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    children = []
    for worker in range(1, workers):
        if pid := os.fork():
            children.append(pid)
        else:
            NullWorker(listener, law, tally, worker).run()
    try:
        NullWorker(listener, law, tally, 0).run()
    finally:
        for pid in children:
            os.kill(pid, signal.SIGTERM)


def main() -> None:
    """From the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--law", default="null")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args()
    try:
        law = law_of(options.law)
    except ValueError as error:
        parser.error(str(error))
    serve(law, workers=options.workers, port=options.port)


if __name__ == "__main__":
    main()
