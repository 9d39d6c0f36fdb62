"""`python -P -m loadtests.held`: holds requests open beside a load, as slow neighbours do.

Standard input carries a line with `harness.spec.held.Hold`, then one with a `Between`. Standard output carries
`ready` after the first, and a `HeldLog` when all is over. At the end of its time it closes every connection,
whatever is still to come on it: what the server goes on doing then is the server's own.
"""

from __future__ import annotations

import asyncio
import itertools
import resource
import socket
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from typing import Any

from harness.spec import Request, dump, load
from harness.spec.held import Between, HeldLog, Hold
from harness.spec.hosts import TLS, server_name, tls_context, without_tls
from loadtests.engine.exchange import prepare

CHUNK_BYTES = 65_536
PAUSE_S = 0.1
"""After a wrong answer or a refused connection, so that what should be held does not become a load of its own."""
CONNECT_S = 5.0
SLOW_S, SIP_BYTES = 0.25, 256
"""What is slow waits so long for each byte that it sends, or between pieces of an answer; and takes so much at once."""
SECOND_NS = 1_000_000_000
STATUS_LINE = b"\r\n"


class Held:
    """Holds `hold.count` requests, and notes each change."""

    def __init__(self, hold: Hold) -> None:
        closing = [("Connection", "close")]  # the end of the connection is the end of the answer
        headers = [(key, value) for key, value in hold.request.headers if key.lower() != "connection"]
        self._hold = hold
        spoken = hold.host.startswith(TLS)
        self._tls: dict[str, Any] = {"ssl": tls_context(), "server_hostname": server_name(hold.host)} if spoken else {}
        self._data = prepare(_with(hold, headers + closing), hold.host, hold.port)
        self._sent = self._begun = self._answers = 0
        self._changes: list[tuple[int, int, int]] = []
        self._wrong: Counter[str] = Counter()

    async def between(self, between: Between) -> HeldLog:
        """Hold from the one moment to the other."""
        await asyncio.sleep((between.start_ns - time.monotonic_ns()) / SECOND_NS)
        tasks = [asyncio.create_task(self._keep(between, number)) for number in range(self._hold.count)]
        await asyncio.sleep((between.end_ns - time.monotonic_ns()) / SECOND_NS)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return HeldLog(changes=tuple(self._changes), answers=self._answers, wrong=dict(self._wrong))

    async def _keep(self, between: Between, number: int) -> None:
        """Hold one request after another, without a pause between them as long as the answers are right.

        Those who ask now and then do it at their times, which are spread evenly over the clients.
        """
        for turn in itertools.count():
            if not await self._turn(between, turn + number / self._hold.count):
                return
            wrong = ""
            try:
                async with asyncio.timeout(CONNECT_S):
                    reader, writer = await self._connected()
            except OSError as error:  # a time-out is one too
                wrong = type(error).__name__
            else:
                try:
                    wrong = await self._one(reader, writer)
                finally:
                    writer.transport.abort()
            if wrong:
                self._wrong[wrong] += 1
                await asyncio.sleep(PAUSE_S)

    async def _turn(self, between: Between, turn: float) -> bool:
        """Wait for the time of that turn, and say whether there is one: none falls on the end or after it.

        One that has passed is not waited for. On a busy machine the end comes late, and no turn more may slip in.
        """
        if self._hold.how != "now-and-then":
            return True
        due_ns = between.start_ns + turn * self._hold.every_s * SECOND_NS
        await asyncio.sleep((due_ns - time.monotonic_ns()) / SECOND_NS)
        return due_ns < between.end_ns

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        address = without_tls(self._hold.host), self._hold.port
        if self._hold.how != "slow-read":
            return await asyncio.open_connection(*address, **self._tls)
        sock = socket.socket()
        # Before it connects: what the kernel takes for us is not read slowly.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SIP_BYTES)
        sock.settimeout(0)
        await asyncio.get_running_loop().sock_connect(sock, address)
        return await asyncio.open_connection(sock=sock, limit=SIP_BYTES, **self._tls)

    async def _send(self, writer: asyncio.StreamWriter) -> None:
        if self._hold.how != "slow-headers":
            writer.write(self._data)
            return
        for byte in self._data:
            writer.write(bytes((byte,)))
            await asyncio.sleep(SLOW_S)

    async def _read(self, reader: asyncio.StreamReader) -> None:
        """Read the answer to its end."""
        if self._hold.how != "slow-read":
            while await reader.read(CHUNK_BYTES):
                pass
            return
        while True:
            if not await reader.read(SIP_BYTES):
                return
            await asyncio.sleep(SLOW_S)

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
        """Send a request and read its answer to the end; returns what is wrong with it, or nothing."""
        self._note(sent=1)
        begun = 0
        try:
            await self._send(writer)
            head = await reader.readuntil(STATUS_LINE)
            begun = 1
            self._note(begun=1)
            await self._read(reader)
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError):
            return "cut off"
        finally:
            self._note(sent=-1, begun=-begun)
        status = head.split(b" ")[1:2]
        if status != [str(self._hold.request.status).encode()]:
            return f"status {b''.join(status).decode('latin-1')[:8]}"
        self._answers += 1
        return ""

    def _note(self, *, sent: int = 0, begun: int = 0) -> None:
        self._sent += sent
        self._begun += begun
        self._changes.append((time.monotonic_ns(), self._sent, self._begun))


def _with(hold: Hold, headers: list[tuple[str, str]]) -> Request:
    return replace(hold.request, headers=tuple(headers))


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> int:
    """Hold what standard input says; returns the exit status."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    held = Held(load(Hold, sys.stdin.readline()))
    with suppress(BrokenPipeError):
        _say("ready")
        if line := sys.stdin.readline():
            _say(dump(asyncio.run(held.between(load(Between, line)))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
