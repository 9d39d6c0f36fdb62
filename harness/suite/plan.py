"""What a run will do, as values."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from harness.strict import STRICT
from harness.suite.model import Cell, Phase, Scenario, Server, Target, Thresholds, Upstream

ANYIO_THREADS = 40
"""Threads of a worker in which FastAPI runs `def` handlers (AnyIO's default limiter)."""
GEVENT_CONNECTIONS = 1000
"""Greenlets of a worker: gunicorn's default of --worker-connections."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """A cell as it stands in a comparison, with all that is needed to launch it."""

    __pydantic_config__ = STRICT

    id: str
    """Unique in the run: p3a, p3b (pair 3), or t1, t2 ... where there are no pairs (tune)."""
    cell: Cell
    connections: int
    rate_rps: float | None = None
    """A rate that was asked for: open phase only."""
    target: Target
    server: Server
    scenario: Scenario

    @property
    def pair(self) -> str | None:
        """Id of the pair that it belongs to; None in groups without pairs."""
        return self.id[:-1] if self.id.startswith("p") else None

    @property
    def levels(self) -> tuple[str, ...]:
        """Its client, its middleware and its gc in words, where they are not left alone: `aiohttp`, `gc freeze`."""
        cell = self.cell
        named = (cell.client, cell.middleware, f"gc {cell.gc}" if cell.gc != "none" else "none")
        return tuple(level for level in named if level != "none")

    @property
    def own(self) -> tuple[str, ...]:
        """What is a side's own: its threads, where it has any, and its levels."""
        threads = f"{self.cell.threads} thread{'s' if self.cell.threads > 1 else ''}"
        return ((threads,) if self.server.slots == "threads" else ()) + self.levels

    @property
    def label(self) -> str:
        """TARGET on SERVER, with what is its own."""
        words = f"{self.cell.target} on {self.cell.server}"
        return f"{words} ({', '.join(self.own)})" if self.own else words


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two arms that are compared; an A/A pair compares a cell with itself."""

    __pydantic_config__ = STRICT

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

    __pydantic_config__ = STRICT

    id: str
    """g1, g2, ..."""
    scenario: str
    arms: tuple[Arm, ...]
    pairs: tuple[Pair, ...]
    phases: tuple[Phase, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a run will do."""

    __pydantic_config__ = STRICT

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


def slots(arm: Arm) -> float:
    """How many requests the arm's workers can hold at once; infinite where nothing bounds them."""
    workers = arm.cell.workers
    if arm.server.slots == "one":
        return workers
    if arm.server.slots == "threads":
        return workers * arm.cell.threads
    if arm.target.interface == "wsgi":
        return workers * GEVENT_CONNECTIONS
    return workers * {"async": math.inf, "threadpool": ANYIO_THREADS, "blocking": 1, "sync": 1}[arm.target.handler]
