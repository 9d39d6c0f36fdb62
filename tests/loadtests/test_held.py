"""How those who hold requests send and read, against a server that writes down what it gets."""

from __future__ import annotations

import asyncio
import ssl
import time
from pathlib import Path

import pytest

from harness.spec import TLS, Request
from harness.spec.held import Between, HeldLog, Hold, How
from loadtests import held
from tests.tls_support import NEEDS_OPENSSL, server_context

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 4000000\r\nConnection: close\r\n\r\n" + b"x" * 4_000_000


async def _held(
    how: How, count: int = 2, every_s: float = 1.0, context: ssl.SSLContext | None = None
) -> tuple[HeldLog, list[bytes], list[bool]]:
    """What was held for half a second, what the server got on each connection, and whether its answer was taken."""
    got: list[bytes] = []
    taken: list[bool] = []

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = len(got)
        got.append(b"")
        try:
            while not got[number].endswith(b"\r\n\r\n"):
                piece = await reader.read(1000)
                if not piece:
                    return
                got[number] += piece
            writer.write(ANSWER)
            taken.append(False)
            mine = len(taken) - 1
            await writer.drain()
            taken[mine] = writer.transport.get_write_buffer_size() == 0
        except ConnectionError:
            return
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(client, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    now = time.monotonic_ns()
    host = "127.0.0.1" if context is None else f"{TLS}127.0.0.1"
    hold = Hold(host=host, port=port, request=Request(path="/"), count=count, how=how, every_s=every_s)
    log = await held.Held(hold).between(Between(start_ns=now, end_ns=now + 500_000_000))
    server.close()
    return log, got, taken


def most(log: HeldLog) -> int:
    """The most that were held at once."""
    return max(sent for _, sent, _ in log.changes)


def test_slow_headers_come_byte_by_byte_and_never_to_their_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server has a few of them, and no request."""
    monkeypatch.setattr(held, "SLOW_S", 0.05)
    log, got, taken = asyncio.run(_held("slow-headers"))
    assert most(log) == 2
    assert log.answers == 0
    assert [each[:3] for each in got] == [b"GET", b"GET"]
    assert all(len(each) < 20 for each in got)
    assert taken == []


def test_a_slow_reader_leaves_the_answer_with_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its answer has begun, and does not come to its end."""
    monkeypatch.setattr(held, "SLOW_S", 0.05)
    log, got, taken = asyncio.run(_held("slow-read"))
    assert (most(log), log.answers) == (2, 0)
    assert max(begun for _, _, begun in log.changes) == 2
    assert all(each.endswith(b"\r\n\r\n") for each in got)
    assert taken == [False, False]


@NEEDS_OPENSSL
@pytest.mark.parametrize("how", ["slow-headers", "slow-read"])
def test_what_is_slow_is_so_over_tls_too(how: How, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its bytes are the server's to wait for, as without."""
    monkeypatch.setattr(held, "SLOW_S", 0.05)
    log, got, _ = asyncio.run(_held(how, context=server_context(tmp_path)))
    assert (most(log), log.answers, log.wrong) == (2, 0, {})
    assert [each[:3] for each in got] == [b"GET", b"GET"]
    assert max(begun for _, _, begun in log.changes) == (0 if how == "slow-headers" else 2)


def test_whoever_is_not_slow_takes_the_whole_answer_and_asks_again() -> None:
    """As fast as it can."""
    log, got, taken = asyncio.run(_held("whole"))
    assert log.answers > 2
    assert any(taken)
    assert len(got) > 2


def test_whoever_asks_now_and_then_asks_so_often_however_soon_the_answer_comes() -> None:
    """Two clients, four times each in half a second, and not at the same moments."""
    log, got, _ = asyncio.run(_held("now-and-then", every_s=0.125))
    assert 2 <= len(got) <= 8, "however late the end comes"
    assert log.answers <= len(got)
    assert log.wrong == {}
