"""The instrument itself: its ceiling, its floor, its clock, its histogram, and a comparison of equals.

Everything runs on the CPUs that a measurement would have: the generator on its own, a server that does nothing but
answer (`loadtests.null_server`) on the server's.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from harness import spec
from harness.errors import LaunchError, RecordError
from harness.machine import environment
from harness.machine.placement import Placement
from harness.machine.process import clean_environment, running
from harness.record import utc_now
from harness.spec.histogram import Histogram
from harness.spec.loads import Closed
from harness.strict import STRICT, adapter
from harness.subject.services import HOST
from harness.suite import BENCHMARKS, Thresholds
from harness.trial import generator as load

FILE = "calibration.json"
CONNECTIONS = 32
SECONDS = 2
TIMER_RPS = 10_000
FLOOR_REQUESTS = 5000
SAMPLES = 200_000
QUANTILES = (50.0, 90.0, 99.0, 99.9)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Percentiles of how late, or how long, in microseconds."""

    __pydantic_config__ = STRICT

    p50_us: float
    p99_us: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """What the instrument can do on this machine; None for what could not be found here."""

    __pydantic_config__ = STRICT

    measured: str
    cpu: str
    usable_cpus: tuple[int, ...]
    gatebench: str
    seen_rps: float
    """Closed load of our engine on a server that only answers, and that may be the slower of the two."""
    seen_cpu_percent: float
    """What that took of the generator's core."""
    ceiling_rps: float
    """What a whole core of the generator would do at that price a request."""
    trusted_rps: float
    """Up to so much a figure is the target's own: beyond, the generator uses more CPU than a valid trial allows."""
    fasthttp_rps: float | None
    wrk_rps: float | None
    wrk: str
    """Where it is, or how to get it."""
    floor: Timing
    """One connection of our engine."""
    floor_blocking: Timing
    """A blocking socket doing the same."""
    timer: Timing
    """How late our wake-ups come at 10,000 Poisson arrivals a second."""
    timer_gevent: Timing
    """The same by gevent.sleep."""
    histogram_error: float
    """The largest relative error of a percentile of known samples."""
    null: dict[str, Any] | None = field(default=None)
    """The A/A pair: ratio, low, high, blocks."""


def calibrate(placement: Placement, logs: Path) -> Generator[tuple[str, dict[str, Any]], None, None]:
    """Measure piece by piece; yields what was looked at and the fields of `Calibration` that it gave."""
    with _null_server(placement, logs) as port:
        url = f"http://{HOST}:{port}"
        yield "ceiling", _ceiling(placement, logs, port)
        yield "stock FastHttpUser", _fasthttp(placement, logs, url)
        yield "wrk", _wrk(placement, logs, url)
        yield "floor", _floor(placement, logs, port, url)
    yield "clock", _clock(placement, logs)
    yield "histogram", {"histogram_error": histogram_error()}


def whole(pieces: dict[str, Any]) -> Calibration:
    """The pieces, with where and when."""
    here = environment.describe()
    return Calibration(
        measured=utc_now(),
        cpu=here["cpu"],
        usable_cpus=tuple(here["usable_cpus"]),
        gatebench=environment.version(),
        **pieces,
    )


def store(found: Calibration, results: Path) -> Path:
    """Keep it beside the runs, which quote it."""
    results.mkdir(parents=True, exist_ok=True)
    path = results / FILE
    path.write_bytes(adapter(Calibration).dump_json(found, indent=1) + b"\n")
    return path


def stored(results: Path) -> Calibration | None:
    """The calibration beside the runs, if it was made on this machine; raises `RecordError` when it is broken."""
    path = results / FILE
    if not path.is_file():
        return None
    try:
        found = adapter(Calibration).validate_json(path.read_bytes())
    except ValueError as error:
        raise RecordError(
            f"{path}: not a calibration that this version reads; `gatebench calibrate` makes it anew"
        ) from error
    here = environment.describe()
    same = (found.cpu, list(found.usable_cpus)) == (here["cpu"], here["usable_cpus"])
    return found if same else None


def as_json(found: Calibration) -> dict[str, Any]:
    """As it stands in the file."""
    return dict(adapter(Calibration).dump_python(found, mode="json"))


def histogram_error() -> float:
    """The largest relative error of our percentiles against exact ones, over lognormal samples of many scales."""
    chance = np.random.default_rng(1)
    worst = 0.0
    for median_us in (50, 500, 5_000, 500_000):
        values = np.maximum(1, chance.lognormal(np.log(median_us), 0.7, SAMPLES).astype(np.int64))
        histogram = Histogram()
        histogram.record(values)
        exact = np.sort(values)[[max(round(q / 100 * SAMPLES), 1) - 1 for q in QUANTILES]]
        ours = np.array([histogram.percentile(q) for q in QUANTILES])
        worst = max(worst, float(np.max(np.abs(ours - exact) / exact)))
    return worst


def _ceiling(placement: Placement, logs: Path, port: int) -> dict[str, Any]:
    slices = _closed(placement, logs, port, CONNECTIONS, rounds=3)
    best = max(slices, key=lambda piece: piece.throughput_rps)
    allowed = Thresholds().generator_cpu_percent
    whole_core_rps = best.throughput_rps / min(1.0, best.generator.cpu_percent / 100)  # of a full core: the same
    return {
        "seen_rps": best.throughput_rps,
        "seen_cpu_percent": best.generator.cpu_percent,
        "ceiling_rps": whole_core_rps,
        "trusted_rps": whole_core_rps * allowed / 100,
    }


def _fasthttp(placement: Placement, logs: Path, url: str) -> dict[str, Any]:
    told = _probe(placement, logs, "fasthttp", url, str(CONNECTIONS), str(SECONDS))
    return {"fasthttp_rps": told["rps"]}


def _wrk(placement: Placement, logs: Path, url: str) -> dict[str, Any]:
    path = shutil.which("wrk")
    if path is None:
        return {"wrk_rps": None, "wrk": "missing: apt-get install wrk"}
    out = _output(placement, logs, "wrk", [path, "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", url])
    found = re.search(r"Requests/sec:\s*([\d.]+)", out)
    return {"wrk_rps": float(found[1]) if found else None, "wrk": path}


def _floor(placement: Placement, logs: Path, port: int, url: str) -> dict[str, Any]:
    slices = _closed(placement, logs, port, 1, rounds=1)
    histogram = Histogram.decode(slices[0].latency or "")
    blocking = _probe(placement, logs, "blocking", url, str(FLOOR_REQUESTS))
    return {
        "floor": Timing(p50_us=histogram.percentile(50), p99_us=histogram.percentile(99)),
        "floor_blocking": Timing(p50_us=blocking["p50_us"], p99_us=blocking["p99_us"]),
    }


def _clock(placement: Placement, logs: Path) -> dict[str, Any]:
    told = _probe(placement, logs, "timer", str(TIMER_RPS), str(SECONDS))
    return {"timer": Timing(**told["timerfd"]), "timer_gevent": Timing(**told["gevent"])}


def _closed(placement: Placement, logs: Path, port: int, connections: int, *, rounds: int) -> tuple[spec.Slice, ...]:
    arm = spec.Arm(name="null", port=port, load=Closed(connections=connections), request=spec.Request())
    told = spec.Spec(arms=(arm,), rounds=((0,),) * rounds, slice_s=1.0)
    result = load.run(told, cpus=placement.generator, log=logs / "generator.log", on_event=lambda *_: None)
    return result.slices


@contextlib.contextmanager
def _null_server(placement: Placement, logs: Path) -> Iterator[int]:
    argv = [sys.executable, "-P", "-m", "loadtests.null_server"]
    with running(
        argv,
        name="null server",
        log=logs / "null-server.log",
        env=_path(),
        cpus=placement.server,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.popen.stdout is not None  # noqa: S101 - it was opened with PIPE
        line = process.popen.stdout.readline()
        if not line:
            process.popen.wait()
            raise process.died()
        yield int(line)


def _probe(placement: Placement, logs: Path, *argv: str) -> dict[str, Any]:
    text = _output(placement, logs, argv[0], [sys.executable, "-P", "-m", "loadtests.rivals", *argv])
    told: dict[str, Any] = json.loads(text)
    return told


def _output(placement: Placement, logs: Path, name: str, argv: list[str]) -> str:
    """What a short program prints, run where the generator runs."""
    with running(
        argv, name=name, log=logs / f"{name}.log", env=_path(), cpus=placement.generator, stdout=subprocess.PIPE
    ) as process:
        assert process.popen.stdout is not None  # noqa: S101 - it was opened with PIPE
        text = process.popen.stdout.read().decode()
        if process.popen.wait():
            raise LaunchError(str(process.died()))
        return text


def _path() -> dict[str, str]:
    return clean_environment({"PYTHONPATH": str(BENCHMARKS.parent)})
