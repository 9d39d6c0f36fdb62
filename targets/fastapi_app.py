"""The target `fastapi`: ASGI, `async def` all the way down to an asynchronous client and cache."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from targets.fastapi_handlers import router
from targets.fastapi_shared import assemble
from targets.settings import Settings, start
from targets.source import open_async_source


def create_app(settings: Settings) -> FastAPI:
    """Make the app; its client and its cache last as long as the lifespan."""
    client = settings.choose_client("httpx", "httpx2", "aiohttp")

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_async_source(client, settings) as source:
            app.state.source = source
            yield

    return assemble(settings, router.routes, lifespan)


app = start(create_app)
