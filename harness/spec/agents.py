"""What is said to an agent on another machine, and what it says: JSON objects, one a line, over ssh's own pipes.

An agent is `gatebench agent`, started over SSH. It ends what it started when its standard input ends, or when nothing
came on it for LOST_S. So whoever talks to it sends a beat every BEAT_S.
"""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field, TypeAdapter, ValidationError

from harness.spec.machines import Taken
from harness.spec.requests import STRICT

BEAT_S = 1.0
LOST_S = 5.0
"""After so long without a word nobody is there any more."""
ROOT = Path(__file__).parents[2]
"""The folder that holds the packages harness and loadtests."""
SUBJECT = "code of servers"
"""Must be the same where servers run, and may be another where generators do."""
PACKAGES = ("gatebench", "locust", "gevent", "httptools", "numpy")
"""What drives a load, and what adds up what it showed."""
CODE = {"code": ("harness/spec", "loadtests"), SUBJECT: ("harness", "targets")}
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
    taken: Taken | None = None
    """What it keeps off, where that is on the same machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """To an agent: somebody is still there; from one that has had a call: it is too."""

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
    round_trip_us: float | None = None
    """The least time of several in which a connection was made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """From an agent: the generator has ended by itself, or could not be started."""

    __pydantic_config__ = STRICT

    kind: Literal["ended"] = "ended"
    how: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """To an agent on the servers' machine: do this, and say what came of it (`harness.trial.office`)."""

    __pydantic_config__ = STRICT

    kind: Literal["call"] = "call"
    number: int
    what: str
    told: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why something could not be done: a `GatebenchError`, by the name of its class."""

    __pydantic_config__ = STRICT

    kind: str
    text: str
    oom_kills: int | None = None
    peak_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """From an agent: what came of a call."""

    __pydantic_config__ = STRICT

    kind: Literal["answer"] = "answer"
    number: int
    value: Any = None
    failure: Failure | None = None


ToAgent: TypeAlias = Begin | Beat | Reach | Call
FromAgent: TypeAlias = Hello | Reached | Ended | Answer | Beat
_TO: TypeAdapter[Any] = TypeAdapter(Annotated[ToAgent, Field(discriminator="kind")])
_FROM: TypeAdapter[Any] = TypeAdapter(Annotated[FromAgent, Field(discriminator="kind")])


def line(message: ToAgent | FromAgent) -> bytes:
    """The message as it is sent."""
    kinds = _FROM if isinstance(message, FromAgent) else _TO
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
    """What must be the same on all machines of a run; `code` and SUBJECT are digests."""
    packages = {name: _version(name) for name in PACKAGES}
    return {"python": platform.python_version()} | packages | {name: _code(of) for name, of in CODE.items()}


def differing(theirs: Mapping[str, str], *, servers: bool = False) -> dict[str, tuple[str, str]]:
    """Of `versions` what must be the same there and is not: name -> (there, here); more where `servers` run."""
    needed = {name: ours for name, ours in versions().items() if servers or name != SUBJECT}
    return {name: (theirs.get(name, "none"), ours) for name, ours in needed.items() if theirs.get(name) != ours}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "none"


def _code(folders: Iterable[str]) -> str:
    total = hashlib.sha256()
    for folder in folders:
        for file in sorted((ROOT / folder).rglob("*.py")):
            total.update(f"{file.relative_to(ROOT)}\0".encode())
            total.update(file.read_bytes())
    return total.hexdigest()[:12]
