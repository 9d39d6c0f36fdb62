"""One Locust run: a spec in, samples out.

The run is a subprocess of its own, because Locust monkey-patches at import and allows one runner a process. It gets
the spec as a file, prints events while it runs, and leaves its result in a file.
"""

from __future__ import annotations

import os
import selectors
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from pydantic import ValidationError

from harness import spec
from harness.errors import LoadError
from harness.machine.guard import scratch
from harness.machine.logs import one_line
from harness.machine.process import Process, clean_environment, running
from harness.suite import BENCHMARKS

PATIENCE_S = 30.0
"""Silence beyond the longest slice and the read time-out that means the run hangs."""
END_S = 10.0
"""How long the generator may take to end, once it has closed its standard output."""


def run(
    order: spec.Spec, *, cpus: tuple[int, ...], log: Path, on_event: Callable[[spec.Event, Process], None]
) -> spec.Result:
    """Run the load that `order` describes and return what it showed.

    Raises `LoadError` when it ended early, died or hangs, and `LaunchError` when it cannot be started.

    `on_event` is called for each event as it comes, with the generator's process.
    """
    with tempfile.TemporaryDirectory(prefix="gatebench-", dir=scratch()) as folder:
        spec_file, result_file = Path(folder, "spec.json"), Path(folder, "result.json")
        spec_file.write_text(spec.dump(order), encoding="utf-8")
        # -P: the folder that gatebench is called in may hold a loadtests/ of the user's own.
        argv = [sys.executable, "-P", "-m", "loadtests", str(spec_file), str(result_file)]
        with running(
            argv,
            name="load generator",
            log=log,
            cwd=BENCHMARKS.parent,
            env=_environment(),
            cpus=cpus,
            stdout=subprocess.PIPE,
        ) as process:
            for event in _events(process, longest_silence_s(order)):
                on_event(event, process)
            _wait_ended(process)
        return _result(result_file, process)


def longest_silence_s(order: spec.Spec) -> float:
    """How long the generator may print no event under `order`; after that it hangs."""
    return PATIENCE_S + order.patience_s + order.slice_s + order.read_timeout_s


def _wait_ended(process: Process) -> None:
    try:
        process.popen.wait(END_S)
    except subprocess.TimeoutExpired as error:
        raise LoadError(process.with_log(f"does not end within {END_S:g} s")) from error


def _environment() -> dict[str, str]:
    # cwd is on the path only through PYTHONPATH, since -P takes it away together with the user's folder.
    return clean_environment({"PYTHONPATH": str(BENCHMARKS.parent)})


def _events(process: Process, silence_s: float) -> Iterator[spec.Event]:
    """The events that the run prints, until it closes its standard output."""
    pipe = process.popen.stdout
    assert pipe is not None  # noqa: S101 - it was opened with PIPE
    pending = b""
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        heard = time.monotonic()
        while True:
            if not selector.select(1.0):
                if time.monotonic() - heard > silence_s:
                    raise LoadError(process.with_log(f"is silent for {silence_s:g} s"))
                continue
            heard = time.monotonic()
            chunk = os.read(pipe.fileno(), 65536)
            if not chunk:
                return
            *lines, pending = (pending + chunk).split(b"\n")
            for line in lines:
                yield _event(line, process)


def _event(line: bytes, process: Process) -> spec.Event:
    try:
        return spec.load(spec.Event, line)
    except ValidationError as error:
        printed = one_line(line.decode("utf-8", "replace"))
        raise LoadError(process.with_log(f"printed what is no event ({printed})")) from error


def _result(path: Path, process: Process) -> spec.Result:
    try:
        result = spec.load(spec.Result, path.read_bytes())
    except (OSError, ValidationError) as error:
        if process.popen.returncode:
            raise LoadError(str(process.died())) from error
        raise LoadError(process.with_log(f"left no result ({one_line(str(error))})")) from error
    if result.error is not None:
        message = f"the load generator ended early: {result.error}"
        raise LoadError(message)
    return result
