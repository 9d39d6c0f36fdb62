"""What the records hold: a run, its trials, their slices; None where there is no figure, never a stand-in zero."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import AfterValidator, ConfigDict, Field

from harness.errors import Fault
from harness.spec.histogram import Histogram
from harness.strict import STRICT
from harness.suite import Cell, Load, Phase, Plan, Times

FORMAT = 2
"""Version of the records; `format1` reads the one before, any other is refused by name."""

ROW = STRICT | ConfigDict(ser_json_inf_nan="constants")
"""A number that is not finite is written as NaN, which no reader takes; as null it would read as not known."""

MOST = 1e15
"""No figure of a trial is higher, in whatever unit: a byte count of a petabyte, thirty years in microseconds."""
NonNegative = Annotated[float, Field(ge=0, le=MOST, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0, le=int(MOST))]
Signed = Annotated[int, Field(ge=-int(MOST), le=int(MOST))]
Share = Annotated[float, Field(ge=0, le=1)]


def _decodable(text: str) -> str:
    """`text`, which is a histogram; raises `ValueError` where it is none, so that no report ends in it."""
    Histogram.decode(text)
    return text


EncodedHistogram = Annotated[str, AfterValidator(_decodable)]
"""HdrHistogram V2 in base64."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Percentiles in microseconds; None where the samples do not reach (a percentile q needs 10 / (1 - q))."""

    __pydantic_config__ = ROW

    p50: NonNegative | None
    p90: NonNegative | None
    p95: NonNegative | None
    p99: NonNegative | None
    p99_9: NonNegative | None
    max: NonNegative | None
    mean: NonNegative | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratorCheck:
    """The generator's judgement of itself, the worst over the slices."""

    __pydantic_config__ = ROW

    cpu_percent: NonNegative
    waiting_fraction: NonNegative
    gc_pause_s: NonNegative
    valid: bool
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratorShare:
    """What one of several generators had of a trial; of its figures the worst over the slices."""

    __pydantic_config__ = ROW

    generator: Annotated[int, Field(ge=1)]
    """Its number."""
    connections: Count
    requests: Count
    cpu_percent: NonNegative
    waiting_fraction: NonNegative
    lateness_p99_us: NonNegative | None = None
    clock_offset_us: float = 0.0
    clock_bound_us: NonNegative = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceRow:
    """One slice of one arm, with what the harness saw at its edges."""

    __pydantic_config__ = ROW

    round: Count
    start_s: NonNegative
    """Since the run started."""
    length_s: NonNegative
    requests: Count
    errors: Count
    throughput_rps: NonNegative
    half_rps: tuple[NonNegative, NonNegative]
    in_flight: NonNegative
    mean_latency_us: NonNegative | None
    cpu_s: NonNegative | None
    """Of the arm's processes, inside the window; None where these are not known, as of what runs already."""
    steal_fraction: Share
    outside_fraction: Share | None = 0.0
    """Share of all CPU time used by processes that are none of ours; None where the arm's are not known."""
    dropped: Count = 0
    scheduled: Count | None = None
    done: Count | None = None
    stalls: Count | None = None
    """Open: times that nothing was answered, far longer than arrivals are apart."""
    stalled_s: NonNegative | None = None
    starved: Count | None = None
    """Closed: connections with less than a tenth of a fair share of the answers."""
    memory_bytes: Count | None = None
    """PSS of all the arm's processes, after it."""
    shared_bytes: Count | None = None
    """Of it the pages that are not one process's alone."""
    grown_bytes: Signed | None = None
    """Anonymous memory that they took more in the window; null where one of them ended, and in older records."""
    nr_periods: Count | None = None
    """Of the pod's quota, in the window; null outside of a pod, as the next two."""
    nr_throttled: Count | None = None
    """Of these the periods in which the quota was used up."""
    throttled_s: NonNegative | None = None
    """How long the pod stood still for that, summed over the CPUs that it was on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRow:
    """One request of a mix over all the slices of a trial that count."""

    __pydantic_config__ = ROW

    name: str
    weight: Count
    requests: Count
    errors: Count
    share: Share | None
    """Of the trial's requests; None where there are none."""
    throughput_rps: NonNegative | None
    latency_us: Latency | None
    histogram: EncodedHistogram | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """All the slices of one arm in one phase of one block: one row of trials.jsonl.

    A failure is a row with `error` set and no figures: every figure may be None, none is ever a stand-in zero.
    """

    __pydantic_config__ = ROW

    format: int = FORMAT
    trial: str
    """Unique in the run: ARM/BLOCK/PHASE."""
    arm: str
    pair: str | None = None
    group: str
    block: Count
    phase: Phase
    cell: Cell
    load: Load
    started: str
    """UTC, ISO 8601."""
    first_answer_s: NonNegative | None = None
    """From the start of its server's process to its first answer; None where that was not seen."""
    sitting: Count = 0
    """Number of the sitting that measured it: its place in the `sittings` of run.json."""
    valid: bool = False
    reasons: tuple[str, ...] = ()
    """Why it is not valid, each with its remedy."""
    limit: str | None = None
    ceiling_rps: NonNegative | None = None
    unchecked: tuple[str, ...] = ()
    """What could not be checked, as of an arm that runs already."""
    error: str | None = None
    fault: Fault | None = None
    """Whose fault the error is, or what was seen of the processes after the load; None where the figures say it."""
    requests: Count = 0
    errors: Count = 0
    error_kinds: dict[str, int] = field(default_factory=dict)
    dropped: Count = 0
    dropped_rounds: tuple[int, ...] = ()
    """Rounds that something outside disturbed: their slices stand in `slices`, but no figure counts them."""
    reconnects: Count = 0
    throughput_rps: NonNegative | None = None
    offered_rps: NonNegative | None = None
    latency_us: Latency | None = None
    service_us: Latency | None = None
    lateness_us: Latency | None = None
    slices: tuple[SliceRow, ...] = ()
    cpu_s_per_request: NonNegative | None = None
    generator_cpu_s_per_request: NonNegative | None = None
    services_cpu_s: dict[str, NonNegative] = field(default_factory=dict)
    """CPU seconds of each service (upstream, redis) over the windows of this trial."""
    memory_bytes: Count | None = None
    """PSS of all the arm's processes, the highest seen between slices."""
    shared_bytes: Count | None = None
    shared_before_bytes: Count | None = None
    """Of such a PSS the pages that are not one process's alone: the most seen; and before the launch had any load."""
    nr_periods: Count | None = None
    """Of the pod's quota, over the slices that count; null outside of a pod, as the next four."""
    nr_throttled: Count | None = None
    throttled_s: NonNegative | None = None
    peak_memory_bytes: Count | None = None
    oom_kills: Count | None = None
    """Since its launch, the most memory that the pod has had, and the processes that its limit has had killed."""
    processes: Count | None = None
    threads: Count | None = None
    context_switches_per_request: NonNegative | None = None
    worker_shares: dict[str, Share] = field(default_factory=dict)
    """Share of the answers by worker process; by CPU where connections are not kept alive."""
    connections_per_request: NonNegative | None = None
    upstream_hits: Count | None = None
    upstream_attempts: Count | None = None
    """What the load sent in all between the two readings of the hits: attempts, and of them the good answers."""
    upstream_good: Count | None = None
    upstream_reconnects: Count | None = None
    cache_hit_ratio: Share | None = None
    steal_fraction: Share | None = None
    pressure: NonNegative | None = None
    """Share of the time in which some task waited for a CPU (`/proc/pressure/cpu`), None where there is none."""
    answer_bytes: Count | None = None
    generator: GeneratorCheck | None = None
    generators: tuple[GeneratorShare, ...] = ()
    """What each of several generators had of it; empty for the only one."""
    histogram: EncodedHistogram | None = None
    """Response times as HdrHistogram V2 in base64, merged over the slices."""
    by_request: tuple[RequestRow, ...] = ()
    """Of a mix: each of its requests, in their order. They add up to the trial, their histograms count for count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockRow:
    """Where the time of one block of one group went: one row of blocks.jsonl."""

    __pydantic_config__ = ROW

    format: int = FORMAT
    group: str
    block: Count
    sitting: Count = 0
    times: Times


@dataclass(frozen=True, slots=True, kw_only=True)
class SittingRow:
    """What one sitting of a run was measured with. The first begins the run, each --resume adds another."""

    __pydantic_config__ = ROW

    started: str
    versions: dict[str, str]
    environment: dict[str, Any]
    placement: dict[str, tuple[int, ...]]
    code: dict[str, str] = field(default_factory=dict)
    """Target -> digest of its code (`harness.record.code`); a target whose code cannot be read is not in it."""
    commits: dict[str, str] = field(default_factory=dict)
    """Target -> commit of git at which it stands (`harness.record.commits`); empty in older records."""
    blocks: Count | None = None
    """Blocks of the plan in this sitting, of which --resume --blocks adds some; None in older records."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunInfo:
    """run.json: what was planned, with what, where."""

    __pydantic_config__ = ROW

    format: int = FORMAT
    run: str
    """The name of its directory."""
    started: str
    finished: str | None = None
    gatebench: str
    command: tuple[str, ...] = ()
    plan: Plan
    versions: dict[str, str]
    """Distribution or program -> version; for a target's own interpreter `PYTHON: name`."""
    environment: dict[str, Any]
    """cpu, cores, kernel, python, memory_bytes, container ... as `harness.machine.environment` reads them."""
    placement: dict[str, tuple[int, ...]]
    """server, generator, services -> CPUs."""
    baseline: str | None = None
    kind: str = "suite"
    """suite, or tune."""
    sittings: tuple[SittingRow, ...] = ()
    """In their order. Versions, environment and placement above are those of the first; empty in older records."""
    salt: str = ""
    """Of the digests in `secrets`."""
    secrets: dict[str, str] = field(default_factory=dict)
    """Place of a secret -> digest of what stands there (`harness.record.secrets`); the plan has a mask there."""

    @property
    def shared_cpu(self) -> bool:
        """Whether in a sitting servers shared a CPU with load generator or services: no figure can be trusted then."""
        placements = [self.placement, *(sitting.placement for sitting in self.sittings)]
        return any(
            {*each.get("server", ())} & {*each.get("generator", ()), *each.get("services", ())} for each in placements
        )
