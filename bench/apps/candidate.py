"""A small ASGI app that is as its environment says: the candidates of bench/gates.py.

KIND is `sound`, `no-start`, `status`, `wrong`, `hangs` or `dies`. STARTS is a file that counts the starts; with ONLY=3
the app is of that kind in its third start alone, else in all. TURNS is how long the loop of a request is.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, MutableMapping
from itertools import count
from pathlib import Path
from typing import Any

BODY = b'{"message": "hello"}'
AFTER = 1000
"""Answers before one that `dies`."""
TURNS = int(os.environ.get("TURNS", "0"))

Message = MutableMapping[str, Any]

_answered = count()


def _kind() -> str:
    """The kind of this start."""
    wanted, only = os.environ.get("KIND", "sound"), int(os.environ.get("ONLY", "0"))
    if not only:
        return wanted
    starts = Path(os.environ["STARTS"])
    with starts.open("a") as file:
        file.write("start\n")
    return wanted if len(starts.read_text().splitlines()) == only else "sound"


KIND = _kind()
if KIND == "no-start":
    raise SystemExit("the candidate does not start")


async def app(
    scope: Message, _receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
) -> None:
    """Answer with a greeting, or as the kind has it."""
    if scope["type"] != "http":
        return
    sum(range(TURNS))
    if KIND == "hangs":
        await asyncio.sleep(3600)
    if KIND == "dies" and next(_answered) >= AFTER:
        os._exit(1)
    body = b'{"message": "bye"}' if KIND == "wrong" else BODY
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 500 if KIND == "status" else 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
