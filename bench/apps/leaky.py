"""A small WSGI app that keeps LEAK bytes of each request, and works for TURNS turns of a loop: for bench/pods.py."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any

BODY = b'{"message": "Hello, World!"}'
LEAK, TURNS = int(os.environ.get("LEAK", "0")), int(os.environ.get("TURNS", "0"))
HEADERS = [("Content-Type", "application/json"), ("Content-Length", str(len(BODY)))]

_kept: list[bytes] = []


def app(_environ: dict[str, Any], start: Callable[[str, list[tuple[str, str]]], object]) -> Iterable[bytes]:
    """Answer with a greeting, and forget nothing."""
    if LEAK:
        _kept.append(b"x" * LEAK)
    sum(range(TURNS))
    start("200 OK", HEADERS)
    return [BODY]
