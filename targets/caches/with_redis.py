"""Redis, through the plain client, used the same way in both twins.

Its pool waits for a free connection, as the HTTP pools do: the default pool of redis-py raises when its 100 connections
are in use, and an event loop with 256 requests in flight needs more. A command is tried once more, because the server
may have closed an idle connection. The default, several retries with pauses, would make an answer wait for seconds when
Redis is down.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, cast

import redis
import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.retry import Retry

from targets.caches.down import CacheDownError
from targets.settings import Settings

CONNECT_TIMEOUT_S = 0.5
TIMEOUT_S = 2.0


def _options(settings: Settings) -> dict[str, Any]:
    return {
        "max_connections": settings.connections,
        "timeout": settings.upstream_timeout_s,
        "socket_connect_timeout": CONNECT_TIMEOUT_S,
        "socket_timeout": TIMEOUT_S,
    }


class RedisCache:
    """A cache on `redis.Redis`."""

    def __init__(self, client: redis.Redis, ttl_s: int) -> None:
        self._client = client
        self._ttl_s = ttl_s

    def get(self, key: str) -> bytes | None:
        """Find what is stored; raises `CacheDownError`."""
        try:
            return cast("bytes | None", self._client.get(key))
        except redis.RedisError as error:
            raise CacheDownError from error

    def set(self, key: str, value: bytes) -> None:
        """Store `value`; raises `CacheDownError`."""
        try:
            self._client.set(key, value, ex=self._ttl_s)
        except redis.RedisError as error:
            raise CacheDownError from error


class AsyncRedisCache:
    """The same as `RedisCache`, on `redis.asyncio.Redis`."""

    def __init__(self, client: redis.asyncio.Redis, ttl_s: int) -> None:
        self._client = client
        self._ttl_s = ttl_s

    async def get(self, key: str) -> bytes | None:
        """Find what is stored; raises `CacheDownError`."""
        try:
            return cast("bytes | None", await self._client.get(key))
        except redis.RedisError as error:
            raise CacheDownError from error

    async def set(self, key: str, value: bytes) -> None:
        """Store `value`; raises `CacheDownError`."""
        try:
            await self._client.set(key, value, ex=self._ttl_s)
        except redis.RedisError as error:
            raise CacheDownError from error


@contextmanager
def open_cache(settings: Settings) -> Iterator[RedisCache]:
    """Open a pool to `settings.redis_url`; nothing is connected before the first key is asked for."""
    retry = Retry(NoBackoff(), 1)
    pool = redis.BlockingConnectionPool.from_url(str(settings.redis_url), retry=retry, **_options(settings))
    client = redis.Redis.from_pool(pool)
    try:
        yield RedisCache(client, settings.cache_ttl_s)
    finally:
        client.close()


@asynccontextmanager
async def open_async_cache(settings: Settings) -> AsyncIterator[AsyncRedisCache]:
    """Open the same in the event loop that will use it."""
    retry = AsyncRetry(NoBackoff(), 1)
    pool = redis.asyncio.BlockingConnectionPool.from_url(str(settings.redis_url), retry=retry, **_options(settings))
    client = redis.asyncio.Redis.from_pool(pool)
    try:
        yield AsyncRedisCache(client, settings.cache_ttl_s)
    finally:
        await client.aclose()
