"""The only reader and writer of results/: run.json once, trials.jsonl a line a trial, appended and flushed."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Annotated, Any, TypeVar

from pydantic import Field, ValidationError

from harness.definitions import Cell, Phase
from harness.errors import RecordError, UsageError
from harness.plan import Plan
from harness.strict import STRICT, adapter

T = TypeVar("T")
INFO, TRIALS = "run.json", "trials.jsonl"
FORMAT = 1
"""Version of the records; a reader refuses any other by name."""

NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Percentiles in microseconds; None where the samples do not reach (a percentile q needs 10 / (1 - q))."""

    __pydantic_config__ = STRICT

    p50: NonNegative | None
    p90: NonNegative | None
    p95: NonNegative | None
    p99: NonNegative | None
    p99_9: NonNegative | None
    max: NonNegative | None
    mean: NonNegative | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """The load that a trial was under."""

    __pydantic_config__ = STRICT

    kind: Phase
    connections: int
    rate_rps: float | None = None
    arrivals: str | None = None
    when_full: str | None = None
    response_s: NonNegative | None = None
    """Response time by which closed slices were sized: the warm-up's of the run's first block."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratorCheck:
    """The generator's judgement of itself, the worst over the slices."""

    __pydantic_config__ = STRICT

    cpu_percent: NonNegative
    waiting_fraction: NonNegative
    gc_pause_s: NonNegative
    valid: bool
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceRow:
    """One slice of one arm, with what the harness saw at its edges."""

    __pydantic_config__ = STRICT

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
    cpu_s: NonNegative
    """Of the arm's processes, inside the window."""
    steal_fraction: Share
    outside_fraction: Share = 0.0
    """Share of all CPU time used by processes that are none of ours."""
    dropped: Count = 0
    scheduled: Count | None = None
    done: Count | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """All the slices of one arm in one phase of one block: one row of trials.jsonl.

    A failure is a row with `error` set and no figures: every figure may be None, none is ever a stand-in zero.
    """

    __pydantic_config__ = STRICT

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
    valid: bool = False
    reasons: tuple[str, ...] = ()
    """Why it is not valid, each with its remedy."""
    limit: str | None = None
    ceiling_rps: NonNegative | None = None
    error: str | None = None
    requests: Count = 0
    errors: Count = 0
    error_kinds: dict[str, int] = field(default_factory=dict)
    dropped: Count = 0
    dropped_rounds: tuple[int, ...] = ()
    """Rounds that something outside disturbed: their slices are left out for every arm."""
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
    histogram: str | None = None
    """Response times as HdrHistogram V2 in base64, merged over the slices."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunInfo:
    """run.json: what was planned, with what, where."""

    __pydantic_config__ = STRICT

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
    """cpu, cores, kernel, python, memory_bytes, container ... as `harness.environment` reads them."""
    placement: dict[str, tuple[int, ...]]
    """server, generator, services -> CPUs."""
    baseline: str | None = None
    kind: str = "suite"
    """suite, or tune."""


@dataclass(frozen=True, slots=True)
class Run:
    """A run as read from its directory."""

    path: str
    info: RunInfo
    trials: tuple[Trial, ...]
    torn: int = 0
    """1 when the last line was torn: it is tolerated, said, and measured again on resume."""


class Writer:
    """Writes one run's records: each trial is on disk before the next one starts."""

    def __init__(self, folder: Path, file: IO[bytes], info: RunInfo) -> None:
        """Use `writing`."""
        self.folder = folder
        self.info = info
        self._file = file

    def append(self, trial: Trial) -> None:
        """Add a row, flushed to disk."""
        self._file.write(adapter(Trial).dump_json(trial) + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def note_version(self, name: str, version: str) -> None:
        """Note in run.json the version of something that is known only once it runs (Redis)."""
        self.info = replace(self.info, versions=self.info.versions | {name: version})
        _write_info(self.folder, self.info)

    def finish(self) -> None:
        """Note in run.json that the run came to its end."""
        self.info = replace(self.info, finished=utc_now())
        _write_info(self.folder, self.info)


@contextmanager
def writing(folder: Path, info: RunInfo) -> Iterator[Writer]:
    """Open `folder` for the records of a run, new or resumed; a torn last line of an earlier sitting is cut off."""
    folder.mkdir(parents=True, exist_ok=True)
    _write_info(folder, info)
    path = folder / TRIALS
    if path.exists():
        _cut_torn_line(path)
    with path.open("ab") as file:
        yield Writer(folder, file, info)


def new_folder(results: Path, suite: str, now: datetime | None = None) -> Path:
    """A directory for a new run, `results/<UTC time>-<suite>`; a run is never overwritten."""
    stem = f"{(now or datetime.now(UTC)):%Y%m%dT%H%M%SZ}-{suite}"
    for number in range(1, 1000):
        folder = results / (stem if number == 1 else f"{stem}-{number}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            message = f"cannot make {folder}: {error}"
            raise UsageError(message) from error
        return folder
    message = f"{results}/{stem}: too many runs in one second"
    raise UsageError(message)


def find(name: str, results: Path) -> Path:
    """The directory of the run called `name`: a path, or the name (or an unambiguous part of it) under `results`."""
    if (Path(name) / INFO).is_file():
        return Path(name)
    runs = [path for path in folders(results) if name == path.name] or [p for p in folders(results) if name in p.name]
    if name == "latest" and (every := folders(results)):
        return every[-1]
    if len(runs) == 1:
        return runs[0]
    found = f"{len(runs)} runs match: {', '.join(path.name for path in runs[:5])}" if runs else "no such run"
    message = f"{name}: {found} (looked in {results}/ for a directory with {INFO})"
    raise UsageError(message)


def folders(results: Path) -> list[Path]:
    """Directories of the runs under `results`, oldest first."""
    return sorted((path.parent for path in results.glob(f"*/{INFO}")), key=lambda path: path.name)


def read(folder: Path) -> Run:
    """Read a run; raises `RecordError` naming file, line and key for whatever is not as it must be.

    A torn last line (a run that was killed while it wrote) is left out and counted in `Run.torn`.
    """
    info = read_info(folder)
    trials = []
    torn = 0
    for number, line in enumerate(_lines(folder / TRIALS), 1):
        if not line.endswith(b"\n"):
            torn = 1
        elif line.strip():
            trials.append(_parse(Trial, f"{folder / TRIALS}:{number}", line))
    return Run(str(folder), info, tuple(trials), torn)


def read_info(folder: Path) -> RunInfo:
    """run.json alone, of a run whose rows are not needed."""
    return _parse(RunInfo, folder / INFO, _text(folder / INFO))


def whole_blocks(run: Run) -> tuple[Trial, ...]:
    """The trials of blocks that are complete; a block that was interrupted is measured again as a whole."""
    kept: list[Trial] = []
    for group in run.info.plan.groups:
        mine = [trial for trial in run.trials if trial.group == group.id]
        for block in sorted({trial.block for trial in mine}):
            rows = [trial for trial in mine if trial.block == block]
            if len(rows) == len(group.arms) * len(group.phases):
                kept += rows
    return tuple(kept)


def keep_only(folder: Path, trials: tuple[Trial, ...]) -> None:
    """Rewrite the records without the trials of an interrupted block; they are set aside, not lost."""
    path = folder / TRIALS
    if not path.exists():
        return
    partial = folder / f"{TRIALS}.part"
    partial.write_bytes(b"".join(adapter(Trial).dump_json(trial) + b"\n" for trial in trials))
    number = len(list(folder.glob(f"{TRIALS}.before-resume*")))
    path.rename(folder / f"{TRIALS}.before-resume{number + 1}")
    partial.rename(path)


def utc_now() -> str:
    """The time of day, as records keep it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def as_json(value: Trial | RunInfo) -> dict[str, Any]:
    """As it stands in the file."""
    return dict(adapter(type(value)).dump_python(value, mode="json"))


def _write_info(folder: Path, info: RunInfo) -> None:
    text = adapter(RunInfo).dump_json(info, indent=1)
    partial = folder / f"{INFO}.part"
    partial.write_bytes(text + b"\n")
    partial.replace(folder / INFO)


def _cut_torn_line(path: Path) -> None:
    with path.open("rb+") as file:
        content = file.read()
        file.truncate(content.rfind(b"\n") + 1)


def _lines(path: Path) -> Iterator[bytes]:
    """Line by line, so that a large file is never held beside what is parsed from it; nothing when there is none.

    Bytes, because a torn line may end within a character.
    """
    try:
        with path.open("rb") as file:
            yield from file
    except FileNotFoundError:
        return
    except OSError as error:
        message = f"{path}: {error}"
        raise RecordError(message) from error


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        message = f"{path}: {error}"
        raise RecordError(message) from error


def _parse(kind: type[T], where: Path | str, text: str | bytes) -> T:
    try:
        # The format first: another version's keys would be a hundred errors that say nothing.
        found = json.loads(text).get("format")
        if found != FORMAT:
            message = f"{where}: format {found!r}; this gatebench reads format {FORMAT}"
            raise RecordError(message)
        return adapter(kind).validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        message = f"{where}: {key}: {first['msg']} (and {error.error_count() - 1} more)"
        raise RecordError(message) from error
    except (ValueError, AttributeError) as error:
        message = f"{where}: not a JSON object: {error}"
        raise RecordError(message) from error
