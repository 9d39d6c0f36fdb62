"""The target `fastapi-blocking`, the trap: `async def` handlers that call a blocking client and a blocking cache.

While one request waits for the upstream, the event loop waits, and with it every other request of that worker.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI

from targets.fastapi_handlers import router
from targets.fastapi_shared import assemble
from targets.settings import Settings, start
from targets.source import Source, State, open_source


class BlockingSource:
    """Can be awaited like `AsyncSource`, but blocks the event loop all the while."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.counter = source.counter

    async def fresh(self) -> dict[str, Any]:
        """Answer `GET /external-data`, blocking."""
        return self._source.fresh()

    async def cached(self) -> tuple[dict[str, Any], State]:
        """Answer `GET /cached-data`, blocking."""
        return self._source.cached()

    async def wait(self, seconds: float) -> None:
        """Wait, blocking."""
        self._source.wait(seconds)


def create_app(settings: Settings) -> FastAPI:
    """Make the app; its client and its cache last as long as the lifespan."""
    client = settings.choose_client("requests", "httpx", "httpx2")

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        with open_source(client, settings) as source:
            app.state.source = BlockingSource(source)
            yield

    return assemble(settings, router.routes, lifespan)


app = start(create_app)
