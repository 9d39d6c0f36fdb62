"""A WSGI app wrapped into a bridge: `gatebench_bridge:app` is what an ASGI server serves of a target with a `bridge`.

It is imported in the target's interpreter, from a folder in which nothing else stands, so that no other name of ours
gets into an app's way. GATEBENCH_BRIDGED names the app, or what makes it; GATEBENCH_BRIDGE the callable that wraps it,
both as `module:name`; GATEBENCH_BRIDGE_THREADS the argument that takes GATEBENCH_THREADS, where the wrapper has one.
"""

from __future__ import annotations

import importlib
import os
from typing import Any


def _imported(text: str) -> Any:
    """What `module:name` is, or what `module:name()` gives."""
    module, _, name = text.partition(":")
    value: Any = importlib.import_module(module)
    for part in name.removesuffix("()").split("."):
        value = getattr(value, part)
    return value() if name.endswith("()") else value


def _arguments() -> dict[str, int]:
    name = os.environ.get("GATEBENCH_BRIDGE_THREADS")
    return {name: int(os.environ["GATEBENCH_THREADS"])} if name else {}


app = _imported(os.environ["GATEBENCH_BRIDGE"])(_imported(os.environ["GATEBENCH_BRIDGED"]), **_arguments())
