"""What a suite may state, and the cells that follow from it."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import Annotated, Any, Literal

from pydantic import Field, model_serializer, model_validator

from harness.spec import GeneratorLimits
from harness.spec.loads import PHASES, Arrivals, Phase, Rate, WhenFull
from harness.strict import STRICT
from harness.suite.disturbances import Disturbance
from harness.suite.factors import NONE, Factor
from harness.suite.machines import Machines
from harness.suite.pod import Cpus, Limit, Pod
from harness.suite.subjects import Bridge, Count, Interface, Level, Name, Scenario, Server, Target

Fraction = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0, le=1e9, allow_inf_nan=False)]
Times = Annotated[int, Field(ge=1, le=10_000)]
"""How often something is measured."""
Generators = Annotated[int, Field(ge=1, le=64)]
Pods = Annotated[int, Field(ge=1, le=64)]
"""Of one side."""
Milliseconds = Annotated[float, Field(ge=0, le=600_000, allow_inf_nan=False)]
"""At most ten minutes."""
Levels = tuple[tuple[str, Level], ...]
"""Factor and level, in the order of the factors."""
GENERATOR = GeneratorLimits()

PLACEHOLDERS = frozenset(
    {"{python}", "{host}", "{port}", "{workers}", "{threads}", "{app}", "{factory}", "{targets}", "{scratch}"}
)


def _levels_apart(kind: type[Any], flat: Any) -> Any:
    """A flat table, with the keys that are no fields of `kind` moved into `levels`; any other value as it is."""
    if not isinstance(flat, dict):
        return flat
    own = {item.name for item in fields(kind)} - {"levels"}
    levels = tuple((key, value) for key, value in flat.items() if key not in own)
    for key, value in levels:
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise ValueError(f"{key}: a level is a string or a whole number, not {value!r}")  # noqa: TRY004 - pydantic's
    return {key: value for key, value in flat.items() if key in own} | {"levels": levels}


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One side of a pair: a target on a server, and the levels that are its own."""

    __pydantic_config__ = STRICT

    target: str
    server: str
    pod: Pod | None = None
    """In which it runs, in the place of the suite's."""
    pods: Pods = 1
    """How many pods share its workers, its quota and its memory limit, equal parts each."""
    levels: Levels = ()
    """In the file flat: `client = "httpx"`."""

    @model_validator(mode="before")
    @classmethod
    def _from_flat(cls, flat: Any) -> Any:
        return _levels_apart(cls, flat)


@dataclass(frozen=True, slots=True, kw_only=True)
class PairDefinition:
    """Two sides with the same scenario, load and shared levels; a is WSGI or the baseline, b is judged."""

    __pydantic_config__ = STRICT

    scenario: str
    a: Side = Side(target="flask", server="gunicorn-gthread")
    b: Side = Side(target="fastapi", server="uvicorn")
    connections: Count | None = None
    rate_rps: Rate | None = None
    """Arrivals a second of an open load, without a closed phase. None: the phases of the suite, and an open rate of
    70 % of what the slower side serves."""
    disturbance: Disturbance | None = None
    """With it each block has episodes after its phases: the scenario's request, at a rate, while this is done."""
    levels: Levels = ()
    """Levels that both sides share; in the file flat: `cache = "redis"`."""

    @model_validator(mode="before")
    @classmethod
    def _from_flat(cls, flat: Any) -> Any:
        return _levels_apart(cls, flat)


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """The slow API: how long it takes, and how often it fails."""

    __pydantic_config__ = STRICT

    delay_ms: Milliseconds = 20.0
    law: Literal["fixed", "lognormal"] = "fixed"
    sigma: Annotated[float, Field(ge=0, le=10, allow_inf_nan=False)] = 0.5
    failure_rate: Fraction = 0.0
    busy_ms: Milliseconds = 0.0
    """CPU that it burns for each request, in milliseconds, to play an upstream that is itself out of CPU."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """Beyond these a number is not believed; a suite may set each. docs/METHODOLOGY.md gives the reasons."""

    __pydantic_config__ = STRICT

    generator_cpu_percent: Positive = GENERATOR.cpu_percent
    generator_waiting: Fraction = GENERATOR.waiting_fraction
    lateness_p99_us: Positive = GENERATOR.lateness_p99_us
    lateness_of_response: Fraction = GENERATOR.lateness_of_response
    littles_law: Fraction = 0.10
    done_of_scheduled: Fraction = 0.99
    error_ratio: Fraction = 0.001
    errors_at_least: Annotated[int, Field(ge=1, le=1_000_000_000)] = 2
    steal: Fraction = 0.05
    outside_load: Fraction = 0.10
    """Share of the CPUs that processes outside of the measurement may use."""
    halves_z: Positive = 4.0
    """Standard errors by which the pooled halves of the slices may differ."""
    halves: Positive = 0.10
    """Log ratio of the halves of a slice: how far a steady slice scatters, and what the pooled halves must exceed."""
    cached_misses: Fraction = 0.10
    """Share of a cached arm's requests that may reach the upstream."""
    disturbed_rounds: Fraction = 0.34
    """Share of the rounds of a phase that may be left out as disturbed; further disturbed rounds count."""

    @property
    def generator(self) -> GeneratorLimits:
        """The thresholds by which the generator judges itself."""
        return GeneratorLimits(
            cpu_percent=self.generator_cpu_percent,
            waiting_fraction=self.generator_waiting,
            lateness_p99_us=self.lateness_p99_us,
            lateness_of_response=self.lateness_of_response,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """Which pairs are measured, and how much of it."""

    __pydantic_config__ = STRICT

    name: Name
    about: str = ""
    blocks: Times = 5
    rounds: Times = 3
    phases: tuple[Phase, ...] = PHASES
    slice_s: Annotated[float, Field(ge=0.1, le=3600)] = 0.5
    open_slice_s: Annotated[float, Field(ge=0.5, le=3600)] = 2.0
    margin: Annotated[float, Field(gt=0, lt=1)] = 0.05
    generators: Generators = 1
    """Processes that share the load."""
    machines: Machines = field(default_factory=Machines)
    """Where generators and servers run."""
    group_arms: Annotated[int, Field(ge=2, le=8)] = 8
    """Arms measured together at most; consecutive pairs of one scenario share a group."""
    arrivals: Arrivals = "poisson"
    when_full: WhenFull = "queue"
    upstream: Upstream = Upstream()
    thresholds: Thresholds = Thresholds()
    pod: Pod | None = None
    """In which every server runs, each in one of its own; None: in none."""
    pairs: tuple[PairDefinition, ...]
    """In the file: [[pair]]."""


@dataclass(frozen=True, slots=True)
class Definitions:
    """All definitions, by kind and name."""

    servers: dict[str, Server]
    targets: dict[str, Target]
    scenarios: dict[str, Scenario]
    factors: dict[str, Factor]
    """In the order of the file, which is that of reports."""
    file: str = ""
    """The suite file that was read with them; empty: none."""
    bridges: dict[str, Bridge] = field(default_factory=dict)

    def serving(self, target: Target, server: Server) -> Server:
        """`server` as it serves `target`: through its bridge, where it has one."""
        return self.bridges[target.bridge].over(server, target) if target.bridge in self.bridges else server


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One point of the matrix: target x server x scenario x levels."""

    __pydantic_config__ = STRICT

    target: str
    interface: Interface
    server: str
    scenario: str
    workers: Count = 1
    threads: Count = 1
    cpus: Cpus | None = None
    """The quota of its pod, or of all of them together; None where it has none."""
    memory_limit_bytes: Limit | None = None
    """The memory limit of its pod, or of all of them together; None where it has none."""
    pods: Pods = 1
    """Pods that share workers, quota and memory limit, equal parts each, and over which connections are spread."""
    levels: Levels = ()
    """In records flat: `"cache": "redis"`."""

    def level(self, factor: str) -> Level:
        """The level of a factor; `none` where the cell does not have that factor."""
        if factor == "workers":
            return self.workers
        return self.threads if factor == "threads" else dict(self.levels).get(factor, NONE)

    @property
    def pod(self) -> Pod | None:
        """The pod in which it runs; None where nothing limits it."""
        limited = self.cpus is not None or self.memory_limit_bytes is not None
        return Pod(cpus=self.cpus, memory=self.memory_limit_bytes) if limited else None

    def within(self, pod: Pod | None) -> Cell:
        """The same cell in another pod, or in none."""
        given = pod or Pod()
        return replace(self, cpus=given.cpus, memory_limit_bytes=given.memory)

    @property
    def part(self) -> Cell:
        """The cell of each of its pods: itself where it is one."""
        if self.pods == 1:
            return self
        return replace(
            self,
            pods=1,
            workers=self.workers // self.pods,
            cpus=None if self.cpus is None else self.cpus / self.pods,
            memory_limit_bytes=None if self.memory_limit_bytes is None else self.memory_limit_bytes // self.pods,
        )

    def at(self, **levels: Level) -> Cell:
        """The same cell with other levels."""
        own = {item.name for item in fields(self)}
        others = {name: level for name, level in levels.items() if name not in own}
        mine: dict[str, Any] = {name: level for name, level in levels.items() if name in own}
        return replace(self, levels=tuple((dict(self.levels) | others).items()), **mine)

    @property
    def keys(self) -> dict[str, Any]:
        """Its keys and values in one flat table, levels among them."""
        own = {item.name: getattr(self, item.name) for item in fields(self) if item.name != "levels"}
        return own | dict(self.levels)

    @model_validator(mode="before")
    @classmethod
    def _from_flat(cls, flat: Any) -> Any:
        return _levels_apart(cls, flat)

    @model_serializer
    def _to_flat(self) -> dict[str, Any]:
        return self.keys


RESERVED = frozenset(
    {item.name for kind in (Cell, PairDefinition, Side) for item in fields(kind)}
    | {placeholder.strip("{}") for placeholder in PLACEHOLDERS}
    | {"kind", "arrivals", "when_full", "response_s", "phase", "load", "pair"}
)
"""Names that no factor may have: keys of a cell, a pair or a load, and placeholders."""
