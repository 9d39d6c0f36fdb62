"""The factors client and pooling: every library, pooled and not, gets the document and keeps its connections or not."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import pytest

from targets.clients import open_async_client, open_client
from targets.contract.refusals import UpstreamError
from targets.settings import ClientName, Settings
from targets.upstream import DOCUMENT, Upstream, UpstreamSettings
from tests.targets.targets_support import TWINS, free_port, served

Pooling = Literal["none", "pool"]
CALLS = 6
poolings = pytest.mark.parametrize("pooling", ["none", "pool"])
blocking = pytest.mark.parametrize("name", ["requests", "httpx", "httpx2"])
asynchronous = pytest.mark.parametrize("name", ["httpx", "httpx2", "aiohttp"])


class Watched:
    """An upstream that notes which connections it is called on."""

    def __init__(self) -> None:
        self.connections: set[Any] = set()
        self.calls = 0
        self._app = Upstream(UpstreamSettings(delay_ms=1))

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Note the call and pass it on."""
        if scope["type"] == "http":
            self.connections.add(scope["client"])
            self.calls += 1
        await self._app(scope, receive, send)


@contextmanager
def watched(pooling: Pooling) -> Iterator[tuple[Watched, Settings]]:
    """Run such an upstream, with the settings to call it."""
    app = Watched()
    with served(app) as url:
        yield app, Settings(pooling=pooling, upstream_url=f"{url}/arm/a/data")


def assert_called(app: Watched, pooling: Pooling) -> None:
    """A pool keeps its connection; without one each call has its own."""
    assert app.calls == CALLS
    assert len(app.connections) == (1 if pooling == "pool" else CALLS)


@blocking
@poolings
def test_blocking(name: ClientName, pooling: Pooling):
    """A blocking client gives the document; a pool keeps its connection, a client for each call opens one."""
    with watched(pooling) as (app, settings), open_client(name, settings) as client:
        assert [client.get() for _ in range(CALLS)] == [DOCUMENT] * CALLS
        assert_called(app, pooling)


@asynchronous
@poolings
def test_asynchronous(name: ClientName, pooling: Pooling):
    """An asynchronous client does the same."""

    async def call() -> list[dict[str, Any]]:
        async with open_async_client(name, settings) as client:
            return [await client.get() for _ in range(CALLS)]

    with watched(pooling) as (app, settings):
        assert asyncio.run(call()) == [DOCUMENT] * CALLS
        assert_called(app, pooling)


@poolings
@pytest.mark.parametrize(
    ("target", "name"),
    [
        ("flask", "requests"),
        ("flask", "httpx"),
        ("flask", "httpx2"),
        ("fastapi", "httpx"),
        ("fastapi", "httpx2"),
        ("fastapi", "aiohttp"),
        ("fastapi-threadpool", "httpx"),
        ("fastapi-blocking", "requests"),
    ],
)
def test_a_target_calls_with_each_of_its_clients(target: str, name: ClientName, pooling: Pooling):
    """The application as a server runs it; its pool lives as long as it does."""
    with watched(pooling) as (app, settings), TWINS[target](settings.model_copy(update={"client": name})) as client:
        answers = [client.get("http://localhost/external-data") for _ in range(CALLS)]
    assert [answer.status_code for answer in answers] == [200] * CALLS
    assert [answer.json()["data"] for answer in answers] == [DOCUMENT] * CALLS
    assert_called(app, pooling)


@asynchronous
def test_waits_for_many_at_once(name: ClientName):
    """More calls than the pool has connections wait for one, and all are answered."""

    async def call(settings: Settings) -> list[dict[str, Any]]:
        async with open_async_client(name, settings) as client:
            return await asyncio.gather(*(client.get() for _ in range(20)))

    with watched("pool") as (app, settings):
        assert asyncio.run(call(settings.model_copy(update={"pool_size": 4}))) == [DOCUMENT] * 20
        assert len(app.connections) <= 4


@blocking
def test_proxies_of_the_environment_are_ignored(name: ClientName, monkeypatch: pytest.MonkeyPatch):
    """A proxy in the environment is no detour to this machine's upstream."""
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
    monkeypatch.delenv("NO_PROXY", raising=False)
    with watched("pool") as (_, settings), open_client(name, settings) as client:
        assert client.get() == DOCUMENT


@blocking
def test_an_upstream_that_speaks_no_json(name: ClientName):
    """An answer that is no JSON is no document."""

    async def talk(scope: Any, _receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
            await send({"type": "http.response.body", "body": b"hello"})

    with served(talk) as url, open_client(name, Settings(upstream_url=url)) as client, pytest.raises(UpstreamError):
        client.get()
