"""What a worker has served, by its own count: the same for both interfaces, and in every process."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from typing import Any

import pytest

from harness.subject.served import ROWS, Served, counting
from targets import served as targets_served
from targets.served import CountedAsgi, CountedWsgi


@pytest.fixture
def counts() -> Iterator[Served]:
    """A file in which is counted."""
    with counting() as made:
        yield made


def wsgi_app(environ: dict[str, Any], start_response: Any) -> Any:
    """Answer in two pieces, or not at all."""
    if environ.get("fails"):
        raise RuntimeError("no answer")
    start_response("200 OK", [])
    return [b"a", b"b"]


async def asgi_app(scope: Any, _receive: Any, send: Any) -> None:
    """Answer in two pieces, or not at all."""
    if scope.get("fails"):
        raise RuntimeError("no answer")
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ab"})


def test_a_wsgi_request_is_finished_when_the_server_has_done_with_its_answer(counts: Served) -> None:
    """Not when the app returns, and in any case."""
    app = CountedWsgi(wsgi_app, targets_served.Served(counts.path))
    answer = app({}, lambda *_: None)
    (worker,) = counts.workers()
    assert (worker.pid, worker.generation, worker.begun, worker.finished) == (os.getpid(), 1, 1, 0)
    assert b"".join(answer) == b"ab"
    answer.close()  # type: ignore[attr-defined]  # as a server calls it
    with pytest.raises(RuntimeError):
        app({"fails": True}, lambda *_: None)
    (worker,) = counts.workers()
    assert (worker.begun, worker.finished) == (2, 2)
    assert 0 < worker.first_ns < worker.last_ns


def test_an_asgi_request_is_counted_alike(counts: Served) -> None:
    """And what is no request, such as the lifespan, is not."""
    app = CountedAsgi(asgi_app, targets_served.Served(counts.path))

    async def sent(_message: Any) -> None:
        (worker,) = counts.workers()
        assert worker.finished == 0

    asyncio.run(app({"type": "http"}, None, sent))
    with pytest.raises(RuntimeError):
        asyncio.run(app({"type": "http", "fails": True}, None, sent))
    asyncio.run(app({"type": "lifespan"}, None, lambda _: asyncio.sleep(0)))
    (worker,) = counts.workers()
    assert (worker.begun, worker.finished) == (2, 2)


def test_code_that_has_a_version_counts_under_it(counts: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever generation the file says: a worker that imports old files is an old one, however late it starts."""
    monkeypatch.setattr(targets_served, "VERSION", 1)
    counts.renew()
    targets_served.Served(counts.path).begun()
    (worker,) = counts.workers()
    assert (counts.generation, worker.generation) == (2, 1)


def test_a_worker_that_is_forked_has_a_row_of_its_own_and_the_generation_of_its_code(counts: Served) -> None:
    """As with --preload: the code was loaded before the fork, however late the worker starts."""
    old = targets_served.Served(counts.path)
    counts.renew()
    new = targets_served.Served(counts.path)
    old.begun()
    pid = os.fork()
    if pid == 0:
        old.begun()
        old.finished()
        new.begun()
        os._exit(0)
    os.waitpid(pid, 0)
    told = {(each.pid, each.generation): (each.begun, each.finished) for each in counts.workers()}
    assert told == {(os.getpid(), 1): (1, 0), (pid, 1): (1, 1), (pid, 2): (1, 0)}


def test_a_file_without_a_free_row_is_said(counts: Served) -> None:
    """One worker more than it has rows for."""
    for _ in range(ROWS - 1):
        targets_served.Served(counts.path).begun()
    with pytest.raises(RuntimeError, match="more workers than"):
        targets_served.Served(counts.path).begun()
