"""What the instrument can do: its ceiling, its floor, its clock, its histogram, and a comparison of two equal cells.

Everything runs on the CPUs that a measurement would use: the generator on the generator's, and on the server's CPUs the
null server (`loadtests.null_server`), which does nothing but answer.
"""

from __future__ import annotations

import contextlib
import json
import re
import select
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from harness import record, spec
from harness.errors import LaunchError, LoadError, NothingValidError
from harness.judge.compare import within
from harness.machine import environment
from harness.machine.guard import scratch
from harness.machine.placement import Placement
from harness.machine.process import clean_environment, running
from harness.measure import measure
from harness.record.calibration import Calibration, Timing
from harness.record.sitting import begin
from harness.spec.histogram import Histogram
from harness.spec.loads import Closed
from harness.subject.services import HOST
from harness.suite import BENCHMARKS, Options, Thresholds, build, load_suite
from harness.trial import generator
from harness.trial.progress import Progress

CONNECTIONS = 32
SECONDS = 2
TIMER_RPS = 10_000
FLOOR_REQUESTS = 5000
SAMPLES = 200_000
QUANTILES = (50.0, 90.0, 99.0, 99.9)
PATIENCE_S = 60.0
"""Seconds given to a program that measures for a few seconds: one that takes longer hangs."""
START_S = 10.0
"""Seconds given to the null server to say where it listens."""

Fields = dict[str, Any]
"""Some fields of `Calibration`, by name."""


def calibrate(placement: Placement, say: Callable[[str], None]) -> Calibration:
    """Measure everything but the equal pair; `say` is called with the name of each piece when it is measured.

    Raises `LaunchError` or `LoadError` when a program that is needed fails or hangs.
    """
    fields: Fields = {}
    with tempfile.TemporaryDirectory(prefix="gatebench-", dir=scratch()) as folder:
        for name, piece in pieces(placement, Path(folder)):
            fields |= piece
            say(name)
    return whole(fields)


def pieces(placement: Placement, logs: Path) -> Generator[tuple[str, Fields], None, None]:
    """Measure piece by piece: the name of each, and the fields that it gave."""
    with null_server(placement.server, logs / "null-server.log") as port:
        url = f"http://{HOST}:{port}"
        yield "ceiling", _ceiling(placement, logs, port)
        yield "stock FastHttpUser", _fasthttp(placement, logs, url)
        yield "wrk", _wrk(placement, logs, url)
        yield "floor", _floor(placement, logs, port, url)
    yield "clock", _clock(placement, logs)
    yield "histogram", {"histogram_error": histogram_error()}


def whole(fields: Fields) -> Calibration:
    """The calibration made of the fields of all pieces, with the machine and the time of measuring."""
    here = environment.describe()
    return Calibration(
        measured=record.utc_now(),
        cpu=here["cpu"],
        usable_cpus=tuple(here["usable_cpus"]),
        gatebench=environment.version(),
        **fields,
    )


def equal_pair(placement: Placement, results: Path, calibration: Calibration, seed: int, say: Progress) -> Fields:
    """Ratio, interval and blocks of the first pair of the suite null: a cell against itself, measured as any pair is.

    The run is kept under `results`. Raises `NothingValidError` when it has no verdict.
    """
    definitions, suite = load_suite("null")
    plan = build(definitions, suite, Options(seed=seed))
    plan = replace(plan, groups=plan.groups[:1])
    folder = record.new_folder(results, "calibration")
    measure(begin(folder, plan, placement, calibration), say)
    verdict = next((verdict for verdict in within(record.read(folder)).pairs if verdict.primary), None)
    if verdict is None or verdict.ratio is None:
        raise NothingValidError(f"the comparison of equals has no verdict; the reasons stand in {folder}")
    return {"ratio": verdict.ratio, "low": verdict.low, "high": verdict.high, "blocks": verdict.blocks}


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


@contextlib.contextmanager
def null_server(cpus: Sequence[int], log: Path, *, law: str = "null", workers: int = 1) -> Iterator[int]:
    """A `loadtests.null_server` of that law on those CPUs, stopped at the end; gives its port.

    Raises `LaunchError` when it does not start.
    """
    argv = [sys.executable, "-P", "-m", "loadtests.null_server", "--law", law, "--workers", str(workers)]
    with running(argv, name="null server", log=log, env=_environment(), cpus=cpus, pipes=("stdout",)) as process:
        pipe = process.popen.stdout
        assert pipe is not None  # noqa: S101 - it was opened with PIPE
        if not select.select([pipe], [], [], START_S)[0]:
            raise LaunchError(f"the null server is silent for {START_S:.0f} s; its last lines:\n{process.tail()}")
        port = pipe.readline()
        if not port:
            process.popen.wait(START_S)
            raise process.died()
        yield int(port)


def _ceiling(placement: Placement, logs: Path, port: int) -> Fields:
    slices = _closed(placement, logs, port, CONNECTIONS, rounds=3)
    best = max(slices, key=lambda slice_: slice_.throughput_rps)
    if not best.throughput_rps:
        raise LoadError(f"the null server answered nothing: {best.error_kinds}")
    allowed = Thresholds().generator_cpu_percent
    # at less than a whole core the ceiling is what all of the core would send
    whole_core_rps = best.throughput_rps / min(1.0, best.generator.cpu_percent / 100)
    return {
        "seen_rps": best.throughput_rps,
        "seen_cpu_percent": best.generator.cpu_percent,
        "ceiling_rps": whole_core_rps,
        "trusted_rps": whole_core_rps * allowed / 100,
    }


def _fasthttp(placement: Placement, logs: Path, url: str) -> Fields:
    return {"fasthttp_rps": _rival(placement, logs, "fasthttp", url, str(CONNECTIONS), str(SECONDS))["rps"]}


def _wrk(placement: Placement, logs: Path, url: str) -> Fields:
    path = shutil.which("wrk")
    if path is None:
        return {"wrk_rps": None, "wrk": "missing: apt-get install wrk"}
    try:
        output = _output(placement, logs, "wrk", [path, "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", url])
    except LaunchError as error:  # not a part of gatebench: where it fails, only its own figure is missing
        return {"wrk_rps": None, "wrk": str(error)}
    rate = re.search(r"Requests/sec:\s*([\d.]+)", output)
    return {"wrk_rps": float(rate[1]) if rate else None, "wrk": path if rate else f"{path} printed no rate"}


def _floor(placement: Placement, logs: Path, port: int, url: str) -> Fields:
    slices = _closed(placement, logs, port, 1, rounds=1)
    histogram = Histogram.decode(slices[0].latency or "")
    blocking = _rival(placement, logs, "blocking", url, str(FLOOR_REQUESTS))
    return {
        "floor": Timing(p50_us=histogram.percentile(50), p99_us=histogram.percentile(99)),
        "floor_blocking": Timing(p50_us=blocking["p50_us"], p99_us=blocking["p99_us"]),
    }


def _clock(placement: Placement, logs: Path) -> Fields:
    lateness = _rival(placement, logs, "timer", str(TIMER_RPS), str(SECONDS))
    return {"timer": Timing(**lateness["timerfd"]), "timer_gevent": Timing(**lateness["gevent"])}


def _closed(placement: Placement, logs: Path, port: int, connections: int, *, rounds: int) -> tuple[spec.Slice, ...]:
    arm = spec.DrivenArm(name="null", port=port, load=Closed(connections=connections), request=spec.Request())
    phase = spec.Spec(arms=(arm,), rounds=((0,),) * rounds, slice_s=1.0)
    return generator.run(phase, cpus=placement.generator, log=logs / "generator.log", on_event=lambda *_: None).slices


def _rival(placement: Placement, logs: Path, *argv: str) -> Fields:
    """The figures that `loadtests.rivals` prints."""
    text = _output(placement, logs, argv[0], [sys.executable, "-P", "-m", "loadtests.rivals", *argv])
    try:
        figures: Fields = json.loads(text)
    except ValueError as error:
        raise LaunchError(f"{argv[0]} printed no JSON: {text[:200]!r}") from error
    return figures


def _output(placement: Placement, logs: Path, name: str, argv: list[str]) -> str:
    """What a short program prints, run where the generator runs; raises `LaunchError` when it fails or hangs."""
    with running(
        argv, name=name, log=logs / f"{name}.log", env=_environment(), cpus=placement.generator, pipes=("stdout",)
    ) as process:
        try:
            output, _ = process.popen.communicate(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired as error:
            raise LaunchError(f"{name} is not done after {PATIENCE_S:.0f} s") from error
        if process.popen.returncode:
            raise process.died()
        return output.decode()


def _environment() -> dict[str, str]:
    """The environment of programs run with -P, which takes the folder of `loadtests` off the path: it is put back."""
    return clean_environment({"PYTHONPATH": str(BENCHMARKS.parent)})
