"""Two small apps, WSGI and ASGI, that crash when their environment says so: what bench/chaos.py measures.

CRASH_AFTER=0 crashes at the start, CRASH_AFTER=N after N requests of a worker; without it they never crash.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from itertools import count
from typing import Any

CRASH_AFTER = int(os.environ.get("CRASH_AFTER", "-1"))
BODY = b"hello"
HEADERS = [("content-type", "text/plain"), ("content-length", str(len(BODY)))]

Message = MutableMapping[str, Any]

_handled = count()


def _perhaps_crash() -> None:
    if next(_handled) == CRASH_AFTER:
        os._exit(3)


def wsgi(_environ: Message, start_response: Callable[[str, list[tuple[str, str]]], object]) -> Iterable[bytes]:
    """Say hello."""
    _perhaps_crash()
    start_response("200 OK", HEADERS)
    return [BODY]


async def asgi(
    scope: Message, _receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
) -> None:
    """Say hello."""
    assert scope["type"] == "http"  # noqa: S101 - the server is told to speak nothing else
    _perhaps_crash()
    headers = [(name.encode(), value.encode()) for name, value in HEADERS]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": BODY})


if CRASH_AFTER == 0:
    os._exit(3)
