"""A server that reads a request and writes fixed bytes, as fast as a loop in Python can.

    python bytes_server.py HOST PORT [APP]

APP is what any server of a suite is given; this one has no use for it.
"""

from __future__ import annotations

import select
import socket
import sys

BODY = b"ok"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%b" % (len(BODY), BODY)


def main(host: str, port: int) -> None:
    """Serve until killed. Each request must come in one piece, which is how the load engine sends it."""
    with socket.create_server((host, port), backlog=1024) as listener, select.epoll() as poll:
        listener.setblocking(False)  # noqa: FBT003 - its only parameter
        poll.register(listener, select.EPOLLIN)
        clients: dict[int, socket.socket] = {}
        while True:
            for descriptor, _ in poll.poll():
                client = clients.get(descriptor)
                if client is None:
                    accepted, _ = listener.accept()
                    accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    clients[accepted.fileno()] = accepted
                    poll.register(accepted, select.EPOLLIN)
                elif client.recv(65536):
                    client.send(ANSWER)
                else:
                    poll.unregister(client)
                    clients.pop(descriptor).close()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
