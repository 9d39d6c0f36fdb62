"""What harness/ tells the load generator, and what that answers: all that harness/ and loadtests/ share.

`harness.trial.generator` starts ``python -P -m loadtests``, once for all the phases of a run. It writes a line with a
:class:`Spec` to the standard input of that process for each phase. The process writes lines to its standard output,
each an :class:`Event`: so the harness can read `/proc` at the edges of a slice and show progress. The last event of a
phase carries its :class:`Result`.

All moments are nanoseconds of CLOCK_MONOTONIC, which on Linux is one clock for all processes of a machine.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from harness.spec.calm import Calm
from harness.spec.checks import GeneratorLimits, SliceCheck, SliceShare
from harness.spec.hosts import TLS, UNIX
from harness.spec.loads import Load, Phase
from harness.spec.requests import STRICT, Mix, Request, Weighted
from harness.strict import adapter

__all__ = [
    "FORMAT",
    "STRICT",
    "TLS",
    "UNIX",
    "Calm",
    "DrivenArm",
    "Event",
    "GeneratorLimits",
    "Mix",
    "OfRequest",
    "Request",
    "Result",
    "Slice",
    "SliceCheck",
    "SliceShare",
    "Spec",
    "Totals",
    "Weighted",
    "dump",
    "load",
]

FORMAT = 3
"""Version of the spec and of the result; a mismatch is refused."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class DrivenArm:
    """An arm as the engine drives it: where it listens, what is asked of it, and under what load."""

    __pydantic_config__ = STRICT

    name: str
    host: str = "127.0.0.1"
    """Or UNIX and the path of a socket, with port 0. TLS before it: what listens there speaks TLS."""
    port: int
    further_ports: tuple[int, ...] = ()
    """Of the same host, where the arm runs in several pods: each connection that is opened goes to one of all its
    ports by chance, as a service of Kubernetes has it, and stays there."""
    request: Request | Mix
    load: Load
    """An open load must have its rate."""
    response_s: float | None = None
    """Response time by which slices are sized, in seconds; None: taken from this phase's warm-up."""
    warmup_requests: int = 0
    """The warm-up lasts until this many answers are in and `Spec.warmup_s` has passed."""
    arrivals_seed: int = 0
    """The two arms of a pair have the same seed, and so the same arrivals, and of a mix the same requests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """One phase of one block: one load on all its arms, in rounds of slices."""

    __pydantic_config__ = STRICT

    format: int = FORMAT
    arms: tuple[DrivenArm, ...]
    """All under the same kind of load."""
    rounds: tuple[tuple[int, ...], ...]
    """For each round: indices into `arms`, in the order in which the arms get their slices."""
    slice_s: float = 0.5
    """Least length of a slice; `load.length_s` says how long it is."""
    patience_s: float = 30.0
    """Longest warm-up, and the longest response time by which a slice is sized."""
    warmup_s: float = 0.5
    """Least length of the warm-up; 0: none, for servers that are warm already."""
    opening_s: float = 0.0
    """Least time over which the connections of a slice open, each with a request that is not counted."""
    lead_s: float = 0.0
    """Least time that a slice's load runs before its window opens."""
    connect_timeout_s: float = 5.0
    read_timeout_s: float = 10.0
    queue: int = 100_000
    """Open: how many arrivals may wait; further ones are dropped and counted, whatever `when_full` says."""
    stops: tuple[tuple[int | None, int], ...] = ()
    """Open: for each objective its time limit in microseconds (None: only errors count) and how many losses it allows.
    A loss is an arrival that failed, was never sent, or was answered later than the limit. A slice ends as soon as an
    objective has more losses than it allows: it is missed then, whatever comes."""
    calm: Calm | None = None
    """Open: a slice ends early when it is calm again; None: it lasts for `slice_s`."""
    fates: bool = False
    """Open: whether slices carry what became of each arrival."""
    histograms: bool = True
    limits: GeneratorLimits = field(default_factory=GeneratorLimits)

    @property
    def phase(self) -> Phase:
        """The phase, which is called like the kind of its load."""
        return self.arms[0].load.kind


@dataclass(frozen=True, slots=True, kw_only=True)
class OfRequest:
    """What the counted window of one slice showed of one request of a mix; the fields are those of `Slice`."""

    __pydantic_config__ = STRICT

    name: str
    requests: int
    good: float
    errors: int
    latency: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """What the counted window of one slice showed. Histograms are HdrHistogram V2 in base64, microseconds."""

    __pydantic_config__ = STRICT

    arm: str
    round: int
    start_ns: int
    length_s: float
    requests: int
    """Requests sent (closed) or intended (open) inside the window, answered or not."""
    good: float
    """Good answers, each counted by the fraction of its time in flight that lies inside the window."""
    errors: int
    """How many of `requests` failed."""
    error_kinds: dict[str, int] = field(default_factory=dict)
    """connect, timeout, reset, status, body, protocol."""
    throughput_rps: float
    half_rps: tuple[float, float]
    """Throughput of each half of the window; of a window that ended early, both are that of the whole window."""
    in_flight: float
    """Mean number of requests in flight over the window."""
    mean_latency_us: float | None
    """Mean response time of the good answers of `requests`; None without any."""
    connects: int = 0
    """TCP connections opened for requests of the window; those with which the slice began are not counted."""
    reconnects: int = 0
    """Of `connects`, those that replaced a keep-alive connection that the server had closed while idle."""
    scheduled: int | None = None
    """Open: arrivals intended inside the window."""
    done: int | None = None
    """Open: of `scheduled`, those answered well."""
    dropped: int = 0
    offered_rps: float | None = None
    stalls: int | None = None
    """Open: how many times nothing was answered for as long as `arrivals.Law.stall_ns` says."""
    stalled_s: float | None = None
    """Open: how long those stalls were in all."""
    starved: int | None = None
    """Closed: connections that got less than a tenth of an equal share of the slice's answers."""
    latency: str | None = None
    """Response time: done - sent (closed), done - intended (open). Good answers only."""
    service: str | None = None
    """Open: service time, done - sent. Good answers only."""
    lateness: str | None = None
    """Open: dispatched - intended, of every arrival."""
    fates: str | None = None
    """Open, where the spec asks for it: what became of each arrival (`harness.spec.fates`)."""
    ports: tuple[tuple[int, int], ...] = ()
    """(local port, answers) of each connection that was kept alive; the harness finds the worker behind a port."""
    by_request: tuple[OfRequest, ...] = ()
    """Of a mix: each of its requests, in their order."""
    generator: SliceCheck
    """Of several generators: the worst of each figure; valid when all are."""
    shares: tuple[SliceShare, ...] = ()
    """Of each generator; empty for the only one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """All that a phase sent to an arm, warm-up and uncounted edges included. The upstream's hits must fit it."""

    __pydantic_config__ = STRICT

    arm: str
    attempts: int
    good: int
    errors: int
    error_kinds: dict[str, int] = field(default_factory=dict)
    connects: int
    reconnects: int
    response_s: float | None
    """Mean response time of the warm-up, or `DrivenArm.response_s` as it was given; None without a good answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a phase showed. `error` says why it ended early; None: it did not."""

    __pydantic_config__ = STRICT

    format: int = FORMAT
    slices: tuple[Slice, ...] = ()
    totals: tuple[Totals, ...] = ()
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A line on the subprocess's standard output. `arm` is the arm's name, `round` -1 for the warm-up."""

    __pydantic_config__ = STRICT

    event: Literal["ready", "started", "opened", "closed", "drained", "done"]
    """ready: everything is imported, the first spec is awaited. started: the first connection of a slice is opened.
    opened, closed: its counted window begins, ends. drained: every request is over, the connections are closed. done:
    the phase is over, and the next spec is awaited."""
    arm: str = ""
    round: int = 0
    at_ns: int = 0
    throughput_rps: float | None = None
    """Only of `drained`, and not of the warm-up's: the throughput of the window."""
    result: Result | None = None
    """Only of `done`."""
    absent: tuple[str, ...] = ()
    """Only of `ready`: which of several generators did not come, and why; the phases are driven without them."""


def dump(value: Any) -> str:
    """`value`, of a class of this module, as a line of JSON."""
    kind: Any = type(value)
    return adapter(kind).dump_json(value).decode()


def load(kind: type[T], text: str | bytes) -> T:
    """Parse JSON strictly into `kind`; raises `pydantic.ValidationError` on anything unknown, missing or mistyped."""
    key: Any = kind
    value: T = adapter(key).validate_json(text, strict=False)
    return value
