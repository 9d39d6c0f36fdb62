"""The worker's own memory: each worker fills its own."""

import time


class MemoryCache:
    """A dictionary whose entries expire."""

    def __init__(self, ttl_s: float) -> None:
        self._ttl_s = ttl_s
        self._kept: dict[str, tuple[float, bytes]] = {}

    def get(self, key: str) -> bytes | None:
        """Find what is stored and has not expired."""
        expires, value = self._kept.get(key, (0.0, None))
        return value if time.monotonic() < expires else None

    def set(self, key: str, value: bytes) -> None:
        """Store `value` until its time is over."""
        self._kept[key] = (time.monotonic() + self._ttl_s, value)


class AsyncMemoryCache:
    """The same as `MemoryCache`, to be awaited; it never waits."""

    def __init__(self, ttl_s: float) -> None:
        self._cache = MemoryCache(ttl_s)

    async def get(self, key: str) -> bytes | None:
        """Find what is stored and has not expired."""
        return self._cache.get(key)

    async def set(self, key: str, value: bytes) -> None:
        """Store `value` until its time is over."""
        self._cache.set(key, value)
