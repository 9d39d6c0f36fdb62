"""What a master and its generators say to each other, over Locust's custom messages.

Locust carries a text and says which worker it is from. All else is ours: a nonce, so that no worker of another run is
believed, and a step, so that an answer which comes late or twice fits nothing any more.
"""

from __future__ import annotations

import platform
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field, TypeAdapter

from harness.spec import FORMAT, STRICT, Slice, Totals
from loadtests.engine.generator import WarmedUp
from loadtests.engine.outcome import Part

TYPE = "gatebench"
"""What our messages are called among Locust's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Join:
    """The line on a generator's standard input: where its master is, and who it is itself. Its end ends it."""

    __pydantic_config__ = STRICT

    host: str = "127.0.0.1"
    port: int
    nonce: str
    rank: int
    cpu: int | None = None
    """The CPU that it is to stay on; None: those that it was started on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello:
    """Up: the generator's user runs on this worker, and awaits orders."""

    __pydantic_config__ = STRICT

    kind: Literal["hello"] = "hello"
    rank: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Down: the phase that comes next."""

    __pydantic_config__ = STRICT

    kind: Literal["spec"] = "spec"
    step: int
    text: str
    """A `harness.spec.Spec`."""
    digest: int
    versions: dict[str, str]
    """Of the master; those of a generator must be the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepare:
    """Down: what is driven next, by the generators of these ranks; arrivals are computed now."""

    __pydantic_config__ = STRICT

    kind: Literal["prepare"] = "prepare"
    step: int
    index: int
    """Of the arm."""
    number: int
    """Of the round; -1: its warm-up."""
    response_s: float | None
    among: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Armed:
    """Up: an order or a preparation is done; or it cannot be, and why."""

    __pydantic_config__ = STRICT

    kind: Literal["armed"] = "armed"
    step: int
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ping:
    """Down: say what your clock says."""

    __pydantic_config__ = STRICT

    kind: Literal["ping"] = "ping"
    step: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pong:
    """Up: the generator's monotonic clock."""

    __pydantic_config__ = STRICT

    kind: Literal["pong"] = "pong"
    step: int
    at_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StartAt:
    """Down: drive what is prepared from this moment of your clock on."""

    __pydantic_config__ = STRICT

    kind: Literal["slice"] = "slice"
    step: int
    at_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """Up: every connection of a closed slice has had its first answer, or is awaited no longer."""

    __pydantic_config__ = STRICT

    kind: Literal["settled"] = "settled"
    step: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenWindow:
    """Down: all have settled; the counted window opens at this moment of your clock."""

    __pydantic_config__ = STRICT

    kind: Literal["window"] = "window"
    step: int
    at_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """Up: what a step came to. It is sent again until it is acknowledged."""

    __pydantic_config__ = STRICT

    kind: Literal["result"] = "result"
    step: int
    totals: tuple[Totals, ...] = ()
    """Of all arms, over the phase so far."""
    slice: Slice | None = None
    part: Part | None = None
    warm: WarmedUp | None = None
    error: str | None = None
    """Why it ended early."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledge:
    """Down: a result has come."""

    __pydantic_config__ = STRICT

    kind: Literal["acknowledgement"] = "acknowledgement"
    step: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """Down: send no more."""

    __pydantic_config__ = STRICT

    kind: Literal["stop"] = "stop"
    reason: str


Down: TypeAlias = Order | Prepare | Ping | StartAt | OpenWindow | Acknowledge | Stop
Up: TypeAlias = Hello | Armed | Pong | Settled | Done
_MESSAGE: TypeAdapter[Any] = TypeAdapter(Annotated[Down | Up, Field(discriminator="kind")])


def packed(nonce: str, message: Down | Up) -> dict[str, str]:
    """The data of a Locust message."""
    return {"nonce": nonce, "text": _MESSAGE.dump_json(message).decode()}


def unpacked(nonce: str, data: Any) -> Any:
    """The message in `data`, a `Down` or an `Up`; None where it is of another run.

    Raises `pydantic.ValidationError`, a `ValueError`, where it is none of ours.
    """
    if not isinstance(data, dict) or data.get("nonce") != nonce:
        return None
    return _MESSAGE.validate_json(data["text"])


def digest(text: str) -> int:
    """By which a generator knows that it has the order as it was written."""
    return zlib.crc32(text.encode())


def disagreement(ours: Mapping[str, str], masters: Mapping[str, str]) -> str | None:
    """Which of a master's versions are not ours; None where all are."""
    other = [f"{name} {ours.get(name)}, the master {its}" for name, its in masters.items() if ours.get(name) != its]
    return f"it has {'; '.join(other)}: install the same" if other else None


def versions() -> dict[str, str]:
    """What must be the same everywhere, for the shares of a schedule to fit one another."""
    return {"spec": str(FORMAT), "locust": version("locust"), "python": platform.python_version()}
