"""What the load generator sends, and what the answers must be: one request, or a mix of several by weight."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import ConfigDict

STRICT = ConfigDict(extra="forbid", strict=True)
"""Only gatebench writes and reads these: a number that comes as text is an error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request, as it is sent every time, and what its answer must be."""

    __pydantic_config__ = STRICT

    method: str = "GET"
    path: str = "/"
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""
    status: int = 200
    length: int | None = None
    """Bytes of the answer's body, checked on every answer; None: not checked."""
    sha256: str | None = None
    """Hexadecimal digest of the answer's body, checked on every `digest_every`-th answer; None: not checked."""
    digest_every: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighted:
    """One of the requests of a mix: sent in each of its `variants` in turn, in a random order."""

    __pydantic_config__ = STRICT

    name: str
    weight: int = 1
    variants: tuple[Request, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mix:
    """Several requests, each by its weight, in a random order that the arm's `arrivals_seed` fixes."""

    __pydantic_config__ = STRICT

    name: str
    """Of the scenario, to be shown."""
    requests: tuple[Weighted, ...]
