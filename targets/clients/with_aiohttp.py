"""aiohttp. It has a connector of its own, and repeats a GET once, silently, when its connection was dropped.

That retry is aiohttp's issue 10790 on GitHub.
"""

from typing import Any

import aiohttp

from targets.clients.library import KEEP_ALIVE_S
from targets.settings import ClientName, Settings


class Aiohttp:
    """A level of the factor client, asynchronous only."""

    failures = (aiohttp.ClientError, TimeoutError, ValueError)

    def __init__(self, settings: Settings) -> None:
        self._connections = settings.connections
        self._timeout_s = settings.upstream_timeout_s

    def open(self) -> aiohttp.ClientSession:
        """Make a ClientSession; by default it does not read proxies from the environment."""
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._connections, keepalive_timeout=KEEP_ALIVE_S),
            timeout=aiohttp.ClientTimeout(total=self._timeout_s),
        )

    async def fetch(self, session: aiohttp.ClientSession, url: str) -> dict[str, Any]:
        """GET `url` and parse its JSON."""
        async with session.get(url) as response:
            response.raise_for_status()
            document: dict[str, Any] = await response.json()
            return document


def async_library(_name: ClientName, settings: Settings) -> Aiohttp:
    """Make the asynchronous library."""
    return Aiohttp(settings)
