"""Strategies of calling the upstream: which library, and one session a call or one pool for the life of a worker.

All pools have the same limits: `Settings.connections`, idle ones kept for five minutes, so that an idle arm does not
lose them (httpx would drop them after 5 s). All libraries ignore the proxies and credentials of the environment, which
would turn the upstream on this machine into a detour.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from importlib import import_module
from typing import Any, Generic, TypeVar

from targets.clients.library import AsyncLibrary, Library
from targets.contract.refusals import UpstreamError
from targets.settings import ClientName, Settings

Session = TypeVar("Session")

# Imported only when used, because the memory of the worker is measured too.
_MODULES = {
    "requests": "targets.clients.with_requests",
    "httpx": "targets.clients.with_httpx",
    "httpx2": "targets.clients.with_httpx",
    "aiohttp": "targets.clients.with_aiohttp",
}


class Client(Generic[Session]):
    """Calls the upstream and blocks its thread meanwhile; without a pool each call has a session of its own."""

    def __init__(self, library: Library[Session], url: str | None, pool: Session | None) -> None:
        self._library = library
        self._url = url
        self._pool = pool

    def get(self) -> dict[str, Any]:
        """Fetch the upstream's document; raises `UpstreamError`."""
        if self._url is None:
            raise UpstreamError
        try:
            if self._pool is not None:
                return self._library.fetch(self._pool, self._url)
            with self._library.open() as session:
                return self._library.fetch(session, self._url)
        except self._library.failures as error:
            raise UpstreamError from error


class AsyncClient(Generic[Session]):
    """The same as `Client`, but it awaits: meanwhile the event loop serves other requests."""

    def __init__(self, library: AsyncLibrary[Session], url: str | None, pool: Session | None) -> None:
        self._library = library
        self._url = url
        self._pool = pool

    async def get(self) -> dict[str, Any]:
        """Fetch the upstream's document; raises `UpstreamError`."""
        if self._url is None:
            raise UpstreamError
        try:
            if self._pool is not None:
                return await self._library.fetch(self._pool, self._url)
            async with self._library.open() as session:
                return await self._library.fetch(session, self._url)
        except self._library.failures as error:
            raise UpstreamError from error


@contextmanager
def open_client(name: ClientName, settings: Settings) -> Iterator[Client[Any]]:
    """Open a client on requests, httpx or httpx2."""
    library: Library[Any] = import_module(_MODULES[name]).library(name, settings)
    with ExitStack() as stack:
        pool = stack.enter_context(library.open()) if settings.pooling == "pool" else None
        yield Client(library, settings.upstream_url, pool)


@asynccontextmanager
async def open_async_client(name: ClientName, settings: Settings) -> AsyncIterator[AsyncClient[Any]]:
    """Open a client on httpx, httpx2 or aiohttp, in the event loop that will use it."""
    library: AsyncLibrary[Any] = import_module(_MODULES[name]).async_library(name, settings)
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(library.open()) if settings.pooling == "pool" else None
        yield AsyncClient(library, settings.upstream_url, pool)
