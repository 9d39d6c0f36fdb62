"""Where `/external-data` and `/cached-data` get their answers: the upstream, and the cache in front of it."""

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass, field
from threading import Lock
from typing import Any, Literal

from targets.caches import AsyncCache, Cache, open_async_cache, open_cache
from targets.caches.down import CacheDownError
from targets.clients import AsyncClient, Client, open_async_client, open_client
from targets.settings import ClientName, Settings

State = Literal["hit", "miss", "bypass"]
Answer = dict[str, Any]


@dataclass
class Counts:
    """How often the cache of this worker process was used in which way; `failures`: it could not be reached."""

    hits: int = 0
    misses: int = 0
    bypasses: int = 0
    failures: int = 0


@dataclass
class Counter:
    """Counts across the threads of a worker."""

    counts: Counts = field(default_factory=Counts)
    lock: Lock = field(default_factory=Lock)

    def ended(self, state: State) -> None:
        """Count one answer."""
        with self.lock:
            match state:
                case "hit":
                    self.counts.hits += 1
                case "miss":
                    self.counts.misses += 1
                case "bypass":
                    self.counts.bypasses += 1

    def failed(self) -> None:
        """Count that the cache could not be reached."""
        with self.lock:
            self.counts.failures += 1

    def stats(self) -> dict[str, Any]:
        """Answer `GET /stats`, for tests and people; of several workers, each reports itself only."""
        return {"pid": os.getpid(), "cache": asdict(self.counts)}


def _answer(document: dict[str, Any]) -> Answer:
    return {"source": "upstream", "data": document}


class Source:
    """Where the answers come from, for handlers that block their thread."""

    def __init__(self, client: Client[Any], cache: Cache | None, key: str) -> None:
        self._client = client
        self._cache = cache
        self._key = key
        self.counter = Counter()

    def fresh(self) -> Answer:
        """Answer `GET /external-data`."""
        return _answer(self._client.get())

    def cached(self) -> tuple[Answer, State]:
        """Answer `GET /cached-data`, also when the cache is down; and say what the cache did."""
        answer, state = self._look_up()
        self.counter.ended(state)
        return answer, state

    @staticmethod
    def wait(seconds: float) -> None:
        """Wait as for a slow API, without one."""
        time.sleep(seconds)

    def _look_up(self) -> tuple[Answer, State]:
        if self._cache is None:
            return self.fresh(), "bypass"
        try:
            stored = self._cache.get(self._key)
        except CacheDownError:
            self.counter.failed()
            return self.fresh(), "bypass"
        if stored is not None:
            return json.loads(stored), "hit"
        answer = self.fresh()
        try:
            self._cache.set(self._key, json.dumps(answer).encode())
        except CacheDownError:
            self.counter.failed()
            return answer, "bypass"
        return answer, "miss"


class AsyncSource:
    """The same as `Source`, for handlers that await."""

    def __init__(self, client: AsyncClient[Any], cache: AsyncCache | None, key: str) -> None:
        self._client = client
        self._cache = cache
        self._key = key
        self.counter = Counter()

    async def fresh(self) -> Answer:
        """Answer `GET /external-data`."""
        return _answer(await self._client.get())

    async def cached(self) -> tuple[Answer, State]:
        """Answer `GET /cached-data`, also when the cache is down; and say what the cache did."""
        answer, state = await self._look_up()
        self.counter.ended(state)
        return answer, state

    @staticmethod
    async def wait(seconds: float) -> None:
        """Wait as for a slow API, without one."""
        await asyncio.sleep(seconds)

    async def _look_up(self) -> tuple[Answer, State]:
        if self._cache is None:
            return await self.fresh(), "bypass"
        try:
            stored = await self._cache.get(self._key)
        except CacheDownError:
            self.counter.failed()
            return await self.fresh(), "bypass"
        if stored is not None:
            return json.loads(stored), "hit"
        answer = await self.fresh()
        try:
            await self._cache.set(self._key, json.dumps(answer).encode())
        except CacheDownError:
            self.counter.failed()
            return answer, "bypass"
        return answer, "miss"


@contextmanager
def open_source(client: ClientName, settings: Settings) -> Iterator[Source]:
    """Open client and cache for the life of a worker."""
    with open_client(client, settings) as opened, open_cache(settings) as cache:
        yield Source(opened, cache, f"{settings.cache_prefix}data")


@asynccontextmanager
async def open_async_source(client: ClientName, settings: Settings) -> AsyncIterator[AsyncSource]:
    """Open client and cache, in the event loop that will use them."""
    async with open_async_client(client, settings) as opened, open_async_cache(settings) as cache:
        yield AsyncSource(opened, cache, f"{settings.cache_prefix}data")
