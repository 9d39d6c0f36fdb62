"""What is said to an agent on another machine, and what it says: JSON objects, one a line, over ssh's own pipes.

An agent is `gatebench agent`, started over SSH. It ends what it started when its standard input ends, or when nothing
came on it for LOST_S. So whoever talks to it sends a beat every BEAT_S.
"""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field, TypeAdapter, ValidationError

from harness.spec.requests import STRICT

BEAT_S = 1.0
LOST_S = 5.0
"""After so long without a word nobody is there any more."""
ROOT = Path(__file__).parents[2]
"""The folder that holds the packages harness and loadtests."""
PACKAGES = ("gatebench", "locust", "gevent", "httptools", "numpy")
"""What drives a load, and what adds up what it showed."""
CODE = ("harness/spec", "loadtests")
"""The folders whose code must be the same: the version of gatebench does not change with each commit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello:
    """From an agent, first of all: what is there."""

    __pydantic_config__ = STRICT

    kind: Literal["hello"] = "hello"
    versions: dict[str, str]
    machine: dict[str, Any]
    """Its CPUs, kernel and memory, under the names of `environment` in run.json."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Begin:
    """To an agent: start a generator."""

    __pydantic_config__ = STRICT

    kind: Literal["begin"] = "begin"
    join: str
    """The line for its standard input."""
    seat: Annotated[int, Field(ge=0)]
    """How many generators the machine has before it: each gets a core, as long as there are cores."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """To an agent: somebody is still there."""

    __pydantic_config__ = STRICT

    kind: Literal["beat"] = "beat"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """To an agent: say whether you can connect to this address."""

    __pydantic_config__ = STRICT

    kind: Literal["reach"] = "reach"
    host: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """From an agent: whether it could."""

    __pydantic_config__ = STRICT

    kind: Literal["reached"] = "reached"
    host: str
    port: int
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """From an agent: the generator has ended by itself, or could not be started."""

    __pydantic_config__ = STRICT

    kind: Literal["ended"] = "ended"
    how: str


ToAgent: TypeAlias = Begin | Beat | Reach
FromAgent: TypeAlias = Hello | Reached | Ended
_TO: TypeAdapter[Any] = TypeAdapter(Annotated[ToAgent, Field(discriminator="kind")])
_FROM: TypeAdapter[Any] = TypeAdapter(Annotated[FromAgent, Field(discriminator="kind")])


def line(message: ToAgent | FromAgent) -> bytes:
    """The message as it is sent."""
    kinds = _TO if isinstance(message, ToAgent) else _FROM
    return bytes(kinds.dump_json(message)) + b"\n"


def order(text: bytes) -> Any:
    """The `ToAgent` of a line; raises `pydantic.ValidationError`, a `ValueError`, where it is none."""
    return _TO.validate_json(text)


def said(text: bytes) -> Any:
    """The `FromAgent` of a line; None where it is none: a login shell may greet with words of its own."""
    try:
        return _FROM.validate_json(text)
    except ValidationError:
        return None


@cache
def versions() -> dict[str, str]:
    """What must be the same on all machines whose generators share a load; `code` is a digest."""
    return {"python": platform.python_version()} | {name: _version(name) for name in PACKAGES} | {"code": _code()}


def differing(theirs: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Of `versions` what is not the same there: name -> (there, here)."""
    return {name: (theirs.get(name, "none"), ours) for name, ours in versions().items() if theirs.get(name) != ours}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "none"


def _code() -> str:
    total = hashlib.sha256()
    for folder in CODE:
        for file in sorted((ROOT / folder).rglob("*.py")):
            total.update(f"{file.relative_to(ROOT)}\0".encode())
            total.update(file.read_bytes())
    return total.hexdigest()[:12]
