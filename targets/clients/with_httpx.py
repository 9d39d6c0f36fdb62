"""httpx, and httpx2, its successor with the same interface."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from targets.clients.library import KEEP_ALIVE_S
from targets.settings import ClientName, Settings

if TYPE_CHECKING:
    import httpx


class _Httpx:
    """What the blocking and the asynchronous client share: limits, time-out, and how an answer is read."""

    def __init__(self, name: ClientName, settings: Settings) -> None:
        self._module = import_module(name)
        self.failures: tuple[type[Exception], ...] = (self._module.HTTPError, ValueError)
        limits = self._module.Limits(
            max_connections=settings.connections,
            max_keepalive_connections=settings.connections,
            keepalive_expiry=KEEP_ALIVE_S,
        )
        self._options = {"limits": limits, "timeout": settings.upstream_timeout_s, "trust_env": False}

    @staticmethod
    def _document(response: "httpx.Response") -> dict[str, Any]:
        response.raise_for_status()
        document: dict[str, Any] = response.json()
        return document


class Httpx(_Httpx):
    """A level of the factor client, blocking."""

    def open(self) -> "httpx.Client":
        """Make a Client. It loads a TLS context, used or not: a client for each request pays that each time."""
        client: httpx.Client = self._module.Client(**self._options)
        return client

    def fetch(self, session: "httpx.Client", url: str) -> dict[str, Any]:
        """GET `url` and parse its JSON."""
        return self._document(session.get(url))


class AsyncHttpx(_Httpx):
    """A level of the factor client, asynchronous."""

    def open(self) -> "httpx.AsyncClient":
        """Make an AsyncClient, which loads a TLS context too."""
        client: httpx.AsyncClient = self._module.AsyncClient(**self._options)
        return client

    async def fetch(self, session: "httpx.AsyncClient", url: str) -> dict[str, Any]:
        """GET `url` and parse its JSON."""
        return self._document(await session.get(url))


def library(name: ClientName, settings: Settings) -> Httpx:
    """Make the blocking library."""
    return Httpx(name, settings)


def async_library(name: ClientName, settings: Settings) -> AsyncHttpx:
    """Make the asynchronous library."""
    return AsyncHttpx(name, settings)
