"""What a run will do, as values."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Annotated, Self

from pydantic import Field, model_validator

from harness.spec.loads import Load, Phase
from harness.spec.machines import Machine
from harness.strict import STRICT
from harness.suite.address import LOOPBACK
from harness.suite.disturbances import Disturbance
from harness.suite.factors import Factor
from harness.suite.model import Cell, Generators, Positive, Thresholds, Times, Upstream
from harness.suite.subjects import Scenario, Server, Target

ANYIO_THREADS = 40
"""Threads of a worker in which FastAPI runs `def` handlers (AnyIO's default limiter)."""
GEVENT_CONNECTIONS = 1000
"""Greenlets of a worker: gunicorn's default of --worker-connections."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """A cell as it stands in a comparison, with the definitions that are needed to launch it."""

    __pydantic_config__ = STRICT

    id: str
    """Unique in the run: p3a, p3b (pair 3), or t1, t2 ... where there are no pairs (tune)."""
    pair: str | None = None
    """Id of the pair that it belongs to; None in groups without pairs."""
    cell: Cell
    own: tuple[str, ...] = ()
    """The levels that are the side's own, in words: `8 threads`, `httpx`, `gc freeze`."""
    loads: tuple[Load, ...]
    """A load for each phase, in the order in which the phases are measured."""
    target: Target
    server: Server
    scenario: Scenario

    @model_validator(mode="after")
    def _asks(self) -> Self:
        if not self.scenario.requests:
            raise ValueError("its scenario has neither a request nor a mix")
        return self

    @property
    def label(self) -> str:
        """`TARGET on SERVER`, with its own levels behind it."""
        words = f"{self.cell.target} on {self.cell.server}"
        return f"{words} ({', '.join(self.own)})" if self.own else words

    @property
    def connections(self) -> int:
        """Connections of its loads, which all have the same number."""
        return self.loads[0].connections

    @property
    def rate_rps(self) -> float | None:
        """The rate that the suite states; None where the rate is derived, or there is no open load."""
        return next((load.rate_rps for load in self.loads if load.rate_rps is not None), None)

    def over(self, connections: int) -> Arm:
        """The same arm with another number of connections."""
        return replace(self, loads=tuple(replace(load, connections=connections) for load in self.loads))

    def load(self, phase: Phase) -> Load:
        """Its load in `phase`; raises `StopIteration` where the phase is not planned."""
        return next(load for load in self.loads if load.kind == phase)


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
    """They all have the same phases."""
    pairs: tuple[Pair, ...]
    disturbance: Disturbance | None = None
    """What is done to each arm in the episodes of a block; None: there are none."""
    neighbour: Scenario | None = None
    """The scenario that a disturbance asks for beside the victim's."""

    @property
    def phases(self) -> tuple[Phase, ...]:
        """The kinds of load of its arms, in the order in which they are measured."""
        return tuple(load.kind for load in self.arms[0].loads)

    def arm(self, name: str) -> Arm:
        """The arm with that id; raises `StopIteration` where there is none."""
        return next(arm for arm in self.arms if arm.id == name)

    @model_validator(mode="after")
    def _coherent(self) -> Group:
        """Raise `ValueError` where a plan from a file names arms that the group does not have."""
        names = [arm.id for arm in self.arms]
        if not names or (self.pairs and len(set(names)) < len(names)):
            raise ValueError(f"a group has arms, and in pairs each has an id of its own: {names}")
        asked = self.disturbance.asks if self.disturbance is not None else None
        if asked != (self.neighbour.name if self.neighbour is not None else None):
            raise ValueError(f"the scenario that a disturbance asks for is not the one that is there: {asked}")
        if unknown := sorted({arm for pair in self.pairs for arm in (pair.a, pair.b)} - {*names}):
            raise ValueError(f"pairs of arms that the group does not have: {', '.join(unknown)}")
        phases = [[load.kind for load in arm.loads] for arm in self.arms]
        if not phases[0] or any(each != phases[0] or len(set(each)) < len(each) for each in phases):
            raise ValueError(f"all arms of a group have the same phases, each once: {phases}")
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a run will do."""

    __pydantic_config__ = STRICT

    suite: str
    about: str
    seed: int
    groups: tuple[Group, ...]
    blocks: Times
    rounds: Times
    slice_s: Positive
    open_slice_s: Positive
    margin: Annotated[float, Field(gt=0, lt=1)]
    arrivals: str
    upstream: Upstream
    thresholds: Thresholds
    generators: Generators = 1
    """Processes that share the load."""
    machines: tuple[Machine, ...] = ()
    """Where the generators run, in turns; empty: on this machine."""
    server: Machine | None = None
    """Where servers and their services run; None: on this machine."""
    bind: str = LOOPBACK
    """The address of their machine that servers listen on and the load goes to."""
    factors: tuple[Factor, ...]
    """What is varied, in the order of reports."""
    width: Positive | None = None
    """Half-width of the throughput interval at which a group is done; None: exactly `blocks` blocks."""
    budget_s: Positive | None = None
    """With `width`: seconds that the whole run may take."""
    file: str = ""
    """The suite file, from which secrets are read again; empty where there is none."""

    @property
    def together(self) -> bool:
        """Whether the load is driven by a master and generators, not by one process for all."""
        return self.generators > 1 or bool(self.machines)

    def machine_of(self, generator: int) -> str:
        """` on bench@10.0.0.2` for a generator, counted from 1; empty where it is of this machine."""
        return f" on {self.machines[(generator - 1) % len(self.machines)].name}" if self.machines else ""

    @model_validator(mode="after")
    def _counts_are_known(self) -> Plan:
        """Raise `ValueError` where a plan from a file counts something else than workers and threads."""
        if unknown := [each.name for each in self.factors if each.is_count and each.name not in {"workers", "threads"}]:
            raise ValueError(f"only workers and threads are counted, not {', '.join(unknown)}")
        return self


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
