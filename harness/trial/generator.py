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
from harness.machine.logs import one_line
from harness.machine.process import Process, clean_environment, running
from harness.suite import BENCHMARKS

PATIENCE_S = 30.0
"""Silence beyond the longest slice and the read time-out that means the run hangs."""


def run(
    told: spec.Spec, *, cpus: tuple[int, ...], log: Path, on_event: Callable[[spec.Event, Process], None]
) -> spec.Result:
    """Run the load that `told` describes and return what it showed; raises `LoadError` when it ended early.

    `on_event` is called for each event as it comes, with the generator's process.
    """
    with tempfile.TemporaryDirectory(prefix="gatebench-") as folder:
        asked, answered = Path(folder, "spec.json"), Path(folder, "result.json")
        asked.write_text(spec.dump(told), encoding="utf-8")
        # -P: the folder that gatebench is called in may hold a loadtests/ of the user's own.
        argv = [sys.executable, "-P", "-m", "loadtests", str(asked), str(answered)]
        with running(
            argv,
            name="load generator",
            log=log,
            cwd=BENCHMARKS.parent,
            env=_environment(),
            cpus=cpus,
            stdout=subprocess.PIPE,
        ) as process:
            silence_s = PATIENCE_S + told.patience_s + told.slice_s + told.read_timeout_s
            for event in _events(process, silence_s):
                on_event(event, process)
            process.popen.wait()
        return _result(answered, process)


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
                yield spec.load(spec.Event, line)


def _result(path: Path, process: Process) -> spec.Result:
    try:
        result = spec.load(spec.Result, path.read_bytes())
    except (OSError, ValidationError) as error:
        raise LoadError(process.with_log(f"left no result ({one_line(str(error))})")) from error
    if result.error is not None:
        message = f"the load generator ended early: {result.error}"
        raise LoadError(message)
    return result
