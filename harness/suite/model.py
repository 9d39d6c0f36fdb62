"""What a definition may say: frozen dataclasses, strict."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import Field

from harness.strict import STRICT

Interface = Literal["wsgi", "asgi"]
Pooling = Literal["none", "pool"]
Cache = Literal["none", "memory", "redis"]
Phase = Literal["closed", "open"]
PHASES: tuple[Phase, ...] = ("closed", "open")
Name = Annotated[str, Field(min_length=1, max_length=200)]
Count = Annotated[int, Field(ge=1)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]

PLACEHOLDERS = frozenset({"{python}", "{host}", "{port}", "{workers}", "{threads}", "{app}"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """What serves a target."""

    __pydantic_config__ = STRICT

    name: Name
    interface: Interface
    argv: tuple[str, ...]
    """Filled element by element from PLACEHOLDERS, never given to a shell."""
    packages: tuple[str, ...]
    """The version receipt: distributions that the target's interpreter must have."""
    slots: Literal["one", "threads", "loop"]
    """What one worker does at once: one request, one a thread, or as many as its event loop holds."""
    keep_alive: bool = True
    workers: bool = True
    """Whether it can run more than one worker process."""
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
    """How a request is handled: what bounds a worker beside its server."""
    clients: tuple[str, ...] = ("none",)
    """Levels of the factor client; the first is the default."""
    middleware: tuple[str, ...] = ("none",)
    gc: tuple[str, ...] = ("none",)
    """Levels of the factor gc, garbage collection; `none`: as Python does it."""
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
    """What the answer must be; each thing that is stated is checked."""

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
    """Calls of the slow API that one uncached answer costs."""
    factors: tuple[Literal["pooling", "client", "cache", "middleware"], ...] = ()
    """Those that matter here; the others stand at "none"."""
    connections: Count = 64
    bound: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One side of a pair: what is each interface's own."""

    __pydantic_config__ = STRICT

    target: str
    server: str
    threads: Count | None = None
    """None: 8 where the server has threads, else 1."""
    client: str | None = None
    middleware: str | None = None
    gc: str = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class PairDefinition:
    """Two sides with equal scenario, workers, pooling, cache and load; a is WSGI or the baseline, b is judged."""

    __pydantic_config__ = STRICT

    scenario: str
    a: Side = Side(target="flask", server="gunicorn-gthread")
    b: Side = Side(target="fastapi", server="uvicorn")
    workers: Count = 1
    pooling: Pooling = "pool"
    cache: Cache = "none"
    connections: Count | None = None
    rate_rps: Positive | None = None
    """Open at this rate, and no closed phase; None: the suite's phases, open at 70 % of the slower capacity."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """The slow API: how long it takes, and how often it fails."""

    __pydantic_config__ = STRICT

    delay_ms: Annotated[float, Field(ge=0)] = 20.0
    law: Literal["fixed", "lognormal"] = "fixed"
    sigma: Annotated[float, Field(ge=0)] = 0.5
    failure_rate: Fraction = 0.0
    busy_ms: Annotated[float, Field(ge=0)] = 0.0
    """CPU it burns a request: an upstream that is itself out of CPU."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """Where a number stops being believable (METHOD, validity); each may be set by a suite."""

    __pydantic_config__ = STRICT

    generator_cpu_percent: Positive = 85.0
    generator_waiting: Fraction = 0.05
    lateness_p99_us: Positive = 1000.0
    lateness_of_response: Fraction = 0.25
    littles_law: Fraction = 0.10
    done_of_scheduled: Fraction = 0.99
    error_ratio: Fraction = 0.001
    errors_at_least: Count = 2
    steal: Fraction = 0.05
    outside_load: Fraction = 0.10
    """Share of the CPUs used by processes that are none of ours."""
    halves_z: Positive = 4.0
    """Standard errors by which the pooled halves of the slices may differ."""
    halves: Positive = 0.10
    """Log ratio of the halves of a steady slice: how far it scatters, and what it must exceed, pooled, to matter."""
    cached_misses: Fraction = 0.10
    """Share of a cached arm's requests that may reach the upstream."""
    disturbed_rounds: Fraction = 0.34
    """Share of the rounds of a phase that may be dropped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """Which pairs are measured, and how much of it."""

    __pydantic_config__ = STRICT

    name: Name
    about: str = ""
    blocks: Count = 5
    rounds: Count = 3
    phases: tuple[Phase, ...] = ("closed", "open")
    slice_s: Annotated[float, Field(ge=0.1)] = 0.5
    open_slice_s: Annotated[float, Field(ge=0.5)] = 2.0
    margin: Annotated[float, Field(gt=0, lt=1)] = 0.05
    group_arms: Annotated[int, Field(ge=2, le=8)] = 8
    """Arms measured together at most; consecutive pairs of one scenario share a group."""
    arrivals: Literal["poisson", "constant"] = "poisson"
    upstream: Upstream = Upstream()
    thresholds: Thresholds = Thresholds()
    pairs: tuple[PairDefinition, ...]
    """In the file: [[pair]]."""


@dataclass(frozen=True, slots=True)
class Definitions:
    """All that is defined, by name."""

    servers: dict[str, Server]
    targets: dict[str, Target]
    scenarios: dict[str, Scenario]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One point of the matrix: target x server x scenario x factors."""

    __pydantic_config__ = STRICT

    target: str
    interface: Interface
    server: str
    scenario: str
    workers: int
    threads: int
    pooling: str
    cache: str
    client: str
    middleware: str
    gc: str = "none"
    """Runs from before there was this factor do not state it."""
