"""What a Locust run is told and what it answers: the only words that harness/ and loadtests/ share.

`harness.trial.generator` writes a :class:`Spec` to a file and starts ``python -P -m loadtests SPEC RESULT``. While
it runs, the subprocess prints one JSON object a line on its standard output (an :class:`Event`), so that the harness
can read `/proc` at the edges of a slice and show progress; at the end it writes a :class:`Result` to the file RESULT.

All moments are nanoseconds of CLOCK_MONOTONIC, which on Linux is one clock for all processes of a machine.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from pydantic import ConfigDict

from harness.spec.loads import Load, Phase
from harness.strict import adapter

FORMAT = 2
"""Version of the spec and of the result; a mismatch is refused."""

STRICT = ConfigDict(extra="forbid", strict=True)
"""Written and read by ourselves only: no number may come as text."""
T = TypeVar("T")


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
class Arm:
    """One arm of the block: where it listens, what is asked of it, and how hard."""

    __pydantic_config__ = STRICT

    name: str
    host: str = "127.0.0.1"
    port: int
    request: Request
    load: Load
    """An open one has its rate."""
    response_s: float | None = None
    """Response time by which slices are sized; None: taken from this run's warm-up."""
    warmup_requests: int = 0
    """Warm-up goes on until this many answers are in (and `Spec.warmup_s` has passed); 50 a worker."""
    arrivals_seed: int = 0
    """The two arms of a pair carry the same seed, and so replay the same arrivals."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratorLimits:
    """Past what the generator itself is too slow for its numbers to be believed."""

    __pydantic_config__ = STRICT

    cpu_percent: float = 85.0
    """Of one core, over 250 ms."""
    waiting_fraction: float = 0.05
    """Share of the time runnable without a CPU."""
    lateness_p99_us: float = 1000.0
    """Open: late is what exceeds this, and ..."""
    lateness_of_response: float = 0.25
    """... this share of the response time's p99."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """One phase of one block: one load on all its arms, in rounds of slices."""

    __pydantic_config__ = STRICT

    format: int = FORMAT
    arms: tuple[Arm, ...]
    """All under the same kind of load."""
    rounds: tuple[tuple[int, ...], ...]
    """For each round the indices into `arms` in the order in which they get their slice."""
    slice_s: float = 0.5
    """Least length of a slice; `load.length_s` says how long it is."""
    patience_s: float = 30.0
    """Longest warm-up, and the longest response time that is believed to size a slice."""
    warmup_s: float = 0.5
    """0: no warm-up, as the servers are warm already."""
    lead_s: float = 0.0
    """Least time that a slice's load runs before its window opens."""
    connect_timeout_s: float = 5.0
    read_timeout_s: float = 10.0
    queue: int = 100_000
    """Open: arrivals that may wait; past it they are dropped and counted, whatever `when_full` says."""
    stops: tuple[tuple[int | None, int], ...] = ()
    """Open: for each objective its time limit in microseconds (None: errors only) and the losses (failed, never sent or
    later than that) that it allows; a slice ends as soon as one has more, for nothing can mend that."""
    histograms: bool = True
    limits: GeneratorLimits = GeneratorLimits()

    @property
    def kind(self) -> Phase:
        """The kind of its load."""
        return self.arms[0].load.kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A line on the subprocess's standard output. `arm` is the arm's name, `round` -1 for the warm-up."""

    __pydantic_config__ = STRICT

    event: Literal["ready", "started", "opened", "closed", "drained", "done"]
    """ready: imported and connected to nothing. started: first connection of a slice. opened, closed: its counted
    window. drained: every request awaited, connections closed. done: the result is written."""
    arm: str = ""
    round: int = 0
    at_ns: int = 0
    throughput_rps: float | None = None
    """On `drained`, except for the warm-up: what the window showed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Generator:
    """The generator's judgement of itself over one slice's counted window."""

    __pydantic_config__ = STRICT

    cpu_percent: float
    """Of one core, the highest over 250 ms pieces."""
    waiting_fraction: float
    """Share of the window in which it was runnable but did not run (`/proc/PID/schedstat`)."""
    gc_pause_s: float = 0.0
    valid: bool = True
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """What the counted window of one slice showed. Histograms are HdrHistogram V2 in base64, microseconds."""

    __pydantic_config__ = STRICT

    arm: str
    round: int
    start_ns: int
    length_s: float
    requests: int
    """Attempts: sent (closed) or intended (open) inside the window, whatever became of them."""
    good: float
    """Good answers, each counted by the fraction of its time in flight inside the window, at both edges."""
    errors: int
    """Of `requests`, those that failed."""
    error_kinds: dict[str, int] = field(default_factory=dict)
    """connect, timeout, reset, status, body, protocol."""
    throughput_rps: float
    half_rps: tuple[float, float]
    """The same for the two halves of the window; of a window that ended early, the whole of it for both."""
    in_flight: float
    """Mean number of requests in flight over the window."""
    mean_latency_us: float | None
    """Mean response time of the good answers of `requests`; None without any."""
    connects: int = 0
    """TCP connections opened for requests of the window, the slice's first ones not among them."""
    reconnects: int = 0
    """Of `connects`, those that replaced a keep-alive connection that the server had closed while idle."""
    scheduled: int | None = None
    """Open: arrivals intended inside the window."""
    done: int | None = None
    """Open: of `scheduled`, those answered well."""
    dropped: int = 0
    offered_rps: float | None = None
    stalls: int | None = None
    """Open: times that nothing was answered for 10 ms and for as long as twenty arrivals take in the mean."""
    stalled_s: float | None = None
    """Open: how long that was in all."""
    starved: int | None = None
    """Closed: connections with less than a tenth of a fair share of the answers over the slice."""
    latency: str | None = None
    """Response time: done - sent (closed), done - intended (open). Good answers only."""
    service: str | None = None
    lateness: str | None = None
    """Open: dispatched - intended of every arrival."""
    ports: tuple[tuple[int, int], ...] = ()
    """(local port, answers) of each connection that was kept alive: the harness finds the worker behind it."""
    generator: Generator


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """All that one arm was sent by this run, warm-up and uncounted edges included: the upstream's hits must fit it."""

    __pydantic_config__ = STRICT

    arm: str
    attempts: int
    good: int
    errors: int
    error_kinds: dict[str, int] = field(default_factory=dict)
    connects: int
    reconnects: int
    response_s: float | None
    """Mean response time of the warm-up, or `Arm.response_s` as it was given; None without a good answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a run answers; `error` is set, and says why, when it ended early."""

    __pydantic_config__ = STRICT

    format: int = FORMAT
    slices: tuple[Slice, ...] = ()
    totals: tuple[Totals, ...] = ()
    error: str | None = None


def dump(value: Any) -> str:
    """`value` (one of the classes above) as one line of JSON."""
    kind: Any = type(value)
    return adapter(kind).dump_json(value).decode()


def load(kind: type[T], text: str | bytes) -> T:
    """Parse JSON strictly into `kind`; raises `pydantic.ValidationError` on anything unknown, missing or mistyped."""
    key: Any = kind
    value: T = adapter(key).validate_json(text, strict=False)
    return value
