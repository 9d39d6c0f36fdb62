"""Does what a `Held` states: a helper of ours holds so many requests, on the CPUs of the generator."""

from __future__ import annotations

import os
import selectors
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from harness import spec
from harness.errors import LoadError
from harness.machine.process import Process, clean_environment, running
from harness.spec.held import Between, HeldLog, Hold, How
from harness.subject.launch import Launched
from harness.suite import BENCHMARKS, Held, Scenario, prepared
from harness.trial.episodes.disturber import Done, Stage

READY_S = 20.0
"""How long the helper may take to start."""
END_S = 10.0
"""How long after its end it may take to say what it held."""


@dataclass(slots=True)
class Holder:
    """The helper, while it runs."""

    process: Process
    _end_ns: int = 0

    def begin(self, start_ns: int, end_ns: int) -> None:
        """Hold between these moments; raises `LoadError` when the helper has ended."""
        self._end_ns = end_ns
        self._write(spec.dump(Between(start_ns=start_ns, end_ns=end_ns)))

    def done(self) -> Done:
        """What was held, once it is over; raises `LoadError` when the helper does not say it."""
        if not self._end_ns:
            raise LoadError(self.process.with_log("was never told to begin: the load ended before its window opened"))
        left_s = max(0.0, (self._end_ns - time.monotonic_ns()) * 1e-9)
        line = self._line(left_s + END_S)
        try:
            return Done(held=spec.load(HeldLog, line))
        except ValidationError as error:
            raise LoadError(self.process.with_log("printed what is no log of what it held")) from error

    def greet(self, hold: Hold) -> None:
        """Tell the helper what to hold, and wait until it is ready; raises `LoadError` when it is not."""
        self._write(spec.dump(hold))
        self._line(READY_S)

    def _write(self, line: str) -> None:
        stdin = self.process.popen.stdin
        assert stdin is not None  # noqa: S101 - it was opened with PIPE
        try:
            stdin.write(f"{line}\n".encode())
            stdin.flush()
        except BrokenPipeError as error:
            raise LoadError(self.process.with_log("reads no more")) from error

    def _line(self, timeout_s: float) -> bytes:
        stdout = self.process.popen.stdout
        assert stdout is not None  # noqa: S101 - it was opened with PIPE
        text, deadline = b"", time.monotonic() + timeout_s
        with selectors.DefaultSelector() as selector:
            selector.register(stdout, selectors.EVENT_READ)
            while not text.endswith(b"\n"):
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    raise LoadError(self.process.with_log(f"is silent for {timeout_s:.0f} s"))
                chunk = os.read(stdout.fileno(), 1 << 20)
                if not chunk:
                    raise LoadError(self.process.with_log("has ended"))
                text += chunk
        return text


def neighbours(stage: Stage) -> AbstractContextManager[Holder]:
    """Hold as many requests of the group's neighbour as the strength says."""
    neighbour, bench = stage.group.neighbour, stage.bench
    assert neighbour is not None  # noqa: S101 - the plan has checked it
    log = bench.logs / "held.log"
    disturbance = stage.group.disturbance
    assert isinstance(disturbance, Held)  # noqa: S101 - chosen by its kind
    way = Way(disturbance.how, disturbance.every_s)
    return holding(stage.server, neighbour, stage.strength, way=way, cpus=bench.placement.generator, log=log)


@dataclass(frozen=True, slots=True)
class Way:
    """How those who hold send and read."""

    how: How = "whole"
    every_s: float = 1.0


@contextmanager
def holding(
    server: Launched, neighbour: Scenario, count: int, *, cpus: Sequence[int], log: Path, way: Way = Way()
) -> Iterator[Holder]:
    """A helper that is ready to hold `count` requests of `neighbour` on `server`; it is ended at the end."""
    (held,) = prepared(neighbour)
    asked = held.ask
    hold = Hold(
        host=server.host,
        port=server.port,
        request=spec.Request(
            method=asked.method,
            path=asked.path,
            headers=tuple(asked.headers.items()),
            body=asked.body,
            status=held.expect.status,
        ),
        count=count,
        how=way.how,
        every_s=way.every_s,
    )
    with running(
        [sys.executable, "-P", "-m", "loadtests.held"],
        name="held requests",
        log=log,
        cwd=BENCHMARKS.parent,
        env=clean_environment({"PYTHONPATH": str(BENCHMARKS.parent)}),
        cpus=cpus,
        pipes=("stdin", "stdout"),
    ) as process:
        holder = Holder(process)
        holder.greet(hold)
        yield holder
