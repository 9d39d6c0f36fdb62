"""The slow API that the targets call: raw ASGI, so that it is far faster than what calls it.

`GET /arm/NAME/data` answers a small document after a delay and counts a hit for NAME; `GET /hits` answers the counts by
name; `GET /health` answers at once; everything else is 404.
"""

import asyncio
import json
import math
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Literal

from pydantic import Field, NonNegativeFloat
from pydantic_settings import BaseSettings, SettingsConfigDict

from targets.settings import start

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

DOCUMENT = {
    "id": 4711,
    "name": "Slow and steady",
    "price": 19.5,
    "stock": {"north": 12, "south": 0},
    "tags": ["external", "expensive"],
}
"""Together with the twins' `{"source": "upstream", "data": ...}` the expected answer of two scenarios."""

PREFIX, SUFFIX = "/arm/", "/data"
"""What stands before and after the name of the calling arm in the path."""


class UpstreamSettings(BaseSettings):
    """How slow and how reliable it is: `GATEBENCH_UPSTREAM_DELAY_MS`, and so on."""

    model_config = SettingsConfigDict(
        env_prefix="GATEBENCH_UPSTREAM_", env_ignore_empty=True, frozen=True, extra="ignore"
    )

    delay_ms: NonNegativeFloat = 20.0
    """The mean, whatever the law."""
    law: Literal["fixed", "lognormal"] = "fixed"
    sigma: NonNegativeFloat = 0.5
    """Of the lognormal law: standard deviation of the logarithm."""
    failure_rate: float = Field(default=0.0, ge=0.0, le=1.0)
    """Share of the answers that are 503, after the same delay."""
    busy_ms: NonNegativeFloat = 0.0
    """CPU time burnt on each request: an upstream that is itself out of CPU."""
    seed: int = 0


def delay_law(settings: UpstreamSettings, draw: random.Random) -> Callable[[], float]:
    """Make the function that says how many seconds the next answer waits."""
    mean_s = settings.delay_ms / 1000
    if settings.law == "fixed" or mean_s == 0:
        return lambda: mean_s
    mu = math.log(mean_s) - settings.sigma**2 / 2  # so that the mean of the lognormal is the delay
    return lambda: draw.lognormvariate(mu, settings.sigma)


def burn(cpu_s: float) -> None:
    """Use up `cpu_s` of CPU time."""
    end = time.thread_time() + cpu_s
    while time.thread_time() < end:
        pass


def _messages(status: int, document: Any) -> tuple[MutableMapping[str, Any], MutableMapping[str, Any]]:
    body = json.dumps(document).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    return {"type": "http.response.start", "status": status, "headers": headers}, {
        "type": "http.response.body",
        "body": body,
    }


class Upstream:
    """The ASGI app."""

    def __init__(self, settings: UpstreamSettings) -> None:
        self._draw = random.Random(settings.seed)
        self._delay = delay_law(settings, self._draw)
        self._failure_rate = settings.failure_rate
        self._busy_s = settings.busy_ms / 1000
        self._hits: Counter[str] = Counter()

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request, or go through the lifespan."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        path = scope["path"] if scope["type"] == "http" and scope["method"] == "GET" else ""
        arm = path[len(PREFIX) : -len(SUFFIX)] if path.startswith(PREFIX) and path.endswith(SUFFIX) else ""
        if arm:
            await self._serve(arm, send)
        elif path == "/hits":
            await self._send(send, _messages(200, self._hits))
        elif path == "/health":
            await self._send(send, HEALTHY)
        else:
            await self._send(send, UNKNOWN)

    async def _serve(self, arm: str, send: Send) -> None:
        self._hits[arm] += 1
        if self._busy_s:
            burn(self._busy_s)
        delay_s = self._delay()
        if delay_s:
            await asyncio.sleep(delay_s)
        await self._send(send, FAILED if self._draw.random() < self._failure_rate else SERVED)

    @staticmethod
    async def _send(send: Send, messages: tuple[MutableMapping[str, Any], MutableMapping[str, Any]]) -> None:
        start, body = messages
        await send(start)
        await send(body)

    @staticmethod
    async def _live(receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return


SERVED = _messages(200, DOCUMENT)
FAILED = _messages(503, {"detail": "Out of service"})
UNKNOWN = _messages(404, {"detail": "Not Found"})
HEALTHY = _messages(200, {"status": "ok"})

app = start(Upstream, UpstreamSettings)
