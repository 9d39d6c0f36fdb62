"""(definitions, filters, seed) -> groups, blocks, rounds; pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from harness.definitions import STRICT, Cell, Phase, Scenario, Server, Target, Thresholds, Upstream


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """A cell as it stands in a comparison, with all that is needed to launch it."""

    __pydantic_config__ = STRICT  # noqa: RUF012 - pydantic reads the class attribute

    id: str
    """Unique in the run: p3a, p3b (pair 3), or t1, t2 ... where there are no pairs (tune)."""
    cell: Cell
    connections: int
    rate_rps: float | None = None
    """A rate that was asked for: open phase only."""
    target: Target
    server: Server
    scenario: Scenario


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two arms that are compared; an A/A pair compares a cell with itself."""

    __pydantic_config__ = STRICT  # noqa: RUF012 - pydantic reads the class attribute

    id: str
    """p1, p2, ..."""
    a: str
    b: str
    """Ids of the arms."""
    null: bool = False
    """Whether it is an A/A pair."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The arms of one scenario that are measured together."""

    __pydantic_config__ = STRICT  # noqa: RUF012 - pydantic reads the class attribute

    id: str
    """g1, g2, ..."""
    scenario: str
    arms: tuple[Arm, ...]
    pairs: tuple[Pair, ...]
    phases: tuple[Phase, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a run will do."""

    __pydantic_config__ = STRICT  # noqa: RUF012 - pydantic reads the class attribute

    suite: str
    about: str
    seed: int
    groups: tuple[Group, ...]
    blocks: int
    rounds: int
    slice_s: float
    open_slice_s: float
    margin: float
    arrivals: Literal["poisson", "constant"]
    upstream: Upstream
    thresholds: Thresholds
    width: float | None = None
    """Half-width of the throughput interval at which a group is done; None: exactly `blocks` blocks."""
    budget_s: float | None = None
    """With `width`: seconds that the whole run may take."""
