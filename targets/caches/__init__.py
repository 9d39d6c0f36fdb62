"""Where an expensive answer is kept: nowhere, in the worker's memory, or in Redis.

Caches keep bytes and the caller serializes, so that every twin pays for the same work whatever the cache: one
`json.dumps` to store, one `json.loads` to find, and with Redis one round trip to find, two to miss and store.
Flask-Caching and fastapi-cache2 would do unequal work: Flask-Caching pickles; fastapi-cache2 writes JSON with an
encoder of its own, and also asks Redis for the remaining life of the value.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from importlib import import_module
from typing import Protocol

from targets.caches.memory import AsyncMemoryCache, MemoryCache
from targets.settings import Settings


class Cache(Protocol):
    """A cache that blocks its thread."""

    def get(self, key: str) -> bytes | None:
        """Find what is stored; raises `CacheDownError`."""

    def set(self, key: str, value: bytes) -> None:
        """Store `value` for `Settings.cache_ttl_s`; raises `CacheDownError`."""


class AsyncCache(Protocol):
    """A cache that awaits."""

    async def get(self, key: str) -> bytes | None:
        """Find what is stored; raises `CacheDownError`."""

    async def set(self, key: str, value: bytes) -> None:
        """Store `value` for `Settings.cache_ttl_s`; raises `CacheDownError`."""


@contextmanager
def open_cache(settings: Settings) -> Iterator[Cache | None]:
    """Open the cache that `settings` name; gives None where they name none."""
    match settings.cache:
        case "none":
            yield None
        case "memory":
            yield MemoryCache(settings.cache_ttl_s)
        case "redis":
            # Imported only when used, because the memory of the worker is measured too.
            with import_module("targets.caches.with_redis").open_cache(settings) as cache:
                yield cache


@asynccontextmanager
async def open_async_cache(settings: Settings) -> AsyncIterator[AsyncCache | None]:
    """Open the cache that `settings` name, in the event loop that will use it; gives None where they name none."""
    match settings.cache:
        case "none":
            yield None
        case "memory":
            yield AsyncMemoryCache(settings.cache_ttl_s)
        case "redis":
            async with import_module("targets.caches.with_redis").open_async_cache(settings) as cache:
                yield cache
