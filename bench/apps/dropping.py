"""A server whose truth is known: on SIGHUP it takes on new code, and drops exactly so many of the next requests.

    python dropping.py HOST PORT COUNT

It reads a request that it drops, and closes the connection without an answer.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from targets.served import Served

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
LOCK = threading.Lock()
STATE: dict[str, Any] = {"served": Served(os.environ["GATEBENCH_SERVED"]), "drop": 0}


class Hello(BaseHTTPRequestHandler):
    """Answers with five bytes."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer, or drop the request."""
        with LOCK:
            served, dropped = STATE["served"], STATE["drop"] > 0
            STATE["drop"] -= dropped
        served.begun()
        if dropped:
            self.close_connection = True
            return
        served.finished()
        self.wfile.write(ANSWER)  # in one piece: a second one would wait for the client's delayed ACK

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name of the one it replaces
        """Write no log."""


class Server(ThreadingHTTPServer):
    """As many connections as come at once."""

    daemon_threads = True
    request_queue_size = 1024


def renew(*_: Any) -> None:
    """Be new code from now on."""
    with LOCK:
        STATE.update(served=Served(os.environ["GATEBENCH_SERVED"]), drop=int(sys.argv[3]))


if __name__ == "__main__":
    signal.signal(signal.SIGHUP, renew)
    Server((sys.argv[1], int(sys.argv[2])), Hello).serve_forever()
