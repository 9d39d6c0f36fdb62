"""The FastAPI target with an extra CPU cost a request: EXTRA_TURNS turns of an empty loop, a known difference."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from targets.fastapi_app import app as inner

TURNS = range(int(os.environ.get("EXTRA_TURNS", "0")))

Message = MutableMapping[str, Any]


async def app(
    scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
) -> None:
    """Spend the extra CPU time, then answer as the target does."""
    if scope["type"] == "http":
        for _ in TURNS:
            pass
    await inner(scope, receive, send)
