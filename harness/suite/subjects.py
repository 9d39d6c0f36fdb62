"""Definitions of what is measured: servers, targets, scenarios."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import Field

from harness.strict import STRICT

Interface = Literal["wsgi", "asgi"]
Level = str | int
"""One value of a factor."""
Name = Annotated[str, Field(min_length=1, max_length=200)]
Count = Annotated[int, Field(ge=1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """What serves a target."""

    __pydantic_config__ = STRICT

    name: Name
    interface: Interface
    argv: tuple[str, ...]
    """The command line, which no shell sees. In each element `PLACEHOLDERS` are filled, and `{FACTOR}` by its level."""
    packages: tuple[str, ...]
    """Distributions that the target's interpreter must have; their versions are recorded."""
    slots: Literal["one", "threads", "loop"]
    """How many requests a worker handles at once: one, one in each thread, or as many as its event loop holds."""
    keep_alive: bool = True
    workers: bool = True
    """Whether it can run several worker processes."""
    env: dict[str, str] = field(default_factory=dict)
    about: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """An application under test and how to import it."""

    __pydantic_config__ = STRICT

    name: Name
    interface: Interface
    app: str
    folder: str = "."
    packages: tuple[str, ...]
    handler: Literal["sync", "async", "threadpool", "blocking"]
    """How it handles a request, which bounds what a worker does at once, as its server does."""
    levels: dict[str, tuple[Level, ...]] = field(default_factory=dict)
    """Factor -> the levels that this target has, the first of which is its default. A factor that is not named here has
    the levels that its own definition gives this target."""
    python: str = ""
    """The interpreter, relative to the file; empty: the one that runs gatebench."""
    env: dict[str, str] = field(default_factory=dict)
    about: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """The request of a scenario."""

    __pydantic_config__ = STRICT

    method: str = "GET"
    path: str
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expect:
    """What the answer must be; every key that is stated is checked."""

    __pydantic_config__ = STRICT

    status: int = 200
    json: Any = None
    sha256_json: str | None = None
    """SHA-256 of the parsed answer, written again with sorted keys and no spaces."""
    contains: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    headers_present: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One request, its expected answer, and the cost it isolates."""

    __pydantic_config__ = STRICT

    name: Name
    about: str
    request: Ask
    expect: Expect
    upstream_calls: Annotated[int, Field(ge=0)] = 0
    """Calls of the slow API that an uncached answer costs."""
    factors: tuple[str, ...] = ()
    """The factors with `by_scenario` that are varied here; the others of that kind stand at "none"."""
    connections: Count = 64
    bound: str = ""
