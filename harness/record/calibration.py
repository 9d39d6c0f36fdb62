"""calibration.json beside the runs: what the instrument can do on this machine, which every run there quotes."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.errors import RecordError
from harness.machine import environment
from harness.record import durable
from harness.strict import STRICT, adapter

FILE = "calibration.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Two percentiles of a time, in microseconds."""

    __pydantic_config__ = STRICT

    p50_us: float
    p99_us: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """What the instrument can do on this machine; None for what could not be measured here."""

    __pydantic_config__ = STRICT

    measured: str
    """When, as records keep the time of day."""
    cpu: str
    usable_cpus: tuple[int, ...]
    gatebench: str
    seen_rps: float
    """Closed load of our engine on the null server, which may be the slower of the two."""
    seen_cpu_percent: float
    """CPU that the engine used for it, in percent of one core."""
    ceiling_rps: float
    """What a whole core of the generator would do at that price a request."""
    trusted_rps: float
    """Up to this rate a figure is the target's own: beyond it the generator uses more CPU than a valid trial may."""
    fasthttp_rps: float | None
    """Locust's own FastHttpUser on the same server."""
    wrk_rps: float | None
    wrk: str
    """Path of wrk, or why there is no figure of it."""
    floor: Timing
    """Response times of our engine over one connection."""
    floor_blocking: Timing
    """Response times of a blocking socket that does the same."""
    timer: Timing
    """Lateness of our wake-ups at 10,000 Poisson arrivals a second."""
    timer_gevent: Timing
    """Lateness of gevent.sleep at the same arrivals."""
    histogram_error: float
    """The largest relative error of a percentile of known samples."""
    null: dict[str, Any] | None = field(default=None)
    """A pair of two equal cells: ratio, low and high of b to a, and blocks."""


def store(calibration: Calibration, results: Path) -> Path:
    """Write it beside the runs and return its path; raises `RecordError` when that fails."""
    path = results / FILE
    try:
        durable.make_folder(results, exist_ok=True)
        durable.replace(path, adapter(Calibration).dump_json(calibration, indent=1) + b"\n")
    except OSError as error:
        raise RecordError(f"{path} cannot be written: {error.strerror}") from error
    return path


def stored(results: Path) -> Calibration | None:
    """The calibration beside the runs; None when there is none, or when it was made with other CPUs than these.

    Raises `RecordError` when the file cannot be read.
    """
    path = results / FILE
    if not path.exists():
        return None
    try:
        calibration = adapter(Calibration).validate_json(path.read_bytes())
    except (OSError, ValueError) as error:
        raise RecordError(
            f"{path}: not a calibration that this version can read; `gatebench calibrate` makes it anew"
        ) from error
    here = environment.describe()
    same = (calibration.cpu, list(calibration.usable_cpus)) == (here["cpu"], here["usable_cpus"])
    return calibration if same else None


def as_json(calibration: Calibration) -> dict[str, Any]:
    """As it stands in the file."""
    return dict(adapter(Calibration).dump_python(calibration, mode="json"))
