"""The load generator: one Locust run for a whole run, told phase after phase, replaced when it dies or hangs.

It is a process of its own, because Locust monkey-patches at import and allows one runner a process. It gets a spec as a
line on its standard input, prints events while it drives the phase, and its result as the last of them. Of several
generators it is the master: they are its own processes, or those of its agents on other machines, and end with it.
"""

from __future__ import annotations

import os
import selectors
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TypeAlias

from pydantic import ValidationError

from harness import spec
from harness.errors import GatebenchError, LaunchError, LoadError
from harness.machine.logs import one_line
from harness.machine.process import Process, clean_environment, running
from harness.spec.machines import Machine, Taken
from harness.suite import BENCHMARKS

PATIENCE_S = 30.0
"""Silence beyond the longest slice and the read time-out that means it hangs; also how long it may take to start."""
END_S = 10.0
"""How long the generator may take to end, once it has closed its standard output."""

OnEvent: TypeAlias = Callable[[spec.Event, Process], None]
"""Is called for each event of a phase as it comes, with the generator's process."""


@contextmanager
def generating(
    *, cpus: Sequence[int], log: Path, count: int = 1, machines: Sequence[Machine] = (), taken: Taken | None = None
) -> Iterator[Generator]:
    """A generator on `cpus`, or `count` of them, ended at the end; it starts at once, beside whatever comes next.

    With `machines` all of them are there, in turns, off what is `taken`, and what is on `cpus` only leads them.
    """
    generator = Generator(cpus=cpus, log=log, count=count, machines=machines, taken=taken)
    try:
        generator.start()
        yield generator
    finally:
        generator.end()


def run(order: spec.Spec, *, cpus: Sequence[int], log: Path, on_event: OnEvent, count: int = 1) -> spec.Result:
    """What a single phase shows, driven by a generator of its own, or by `count`; raises as `Generator.run` does."""
    with generating(cpus=cpus, log=log, count=count) as generator:
        return generator.run(order, on_event)


def longest_silence_s(order: spec.Spec) -> float:
    """How long the generator may print no event under `order`; after that it hangs."""
    return PATIENCE_S + order.patience_s + order.slice_s + order.read_timeout_s


class Generator:
    """Drives phases, one at a time. A process that fails is replaced: its failure costs the phase, not the run."""

    def __init__(
        self,
        *,
        cpus: Sequence[int],
        log: Path,
        count: int = 1,
        machines: Sequence[Machine] = (),
        taken: Taken | None = None,
    ) -> None:
        """Use `generating`."""
        self._cpus = cpus
        self._count = count
        self._machines = machines
        self._taken = taken
        self._log = log
        self._lines: _Lines | None = None
        self._ends = ExitStack()

    def run(self, order: spec.Spec, on_event: OnEvent, check: Callable[[], None] = lambda: None) -> spec.Result:
        """Drive the phase that `order` describes and return what it showed.

        `check` is called each second at least, and raises where it is of no use to go on. Raises `LoadError` when the
        phase ended early or the generator died or hangs, and `LaunchError` when it cannot be started. Whatever is
        raised in between, by `on_event` too, the next phase gets a new process.
        """
        lines = self._ready()
        try:
            lines.write(spec.dump(order).encode() + b"\n", PATIENCE_S)
            result = _driven(lines, longest_silence_s(order), on_event, check)
            if result.error is not None:
                message = f"the load generator ended early: {result.error}"
                raise LoadError(message)  # noqa: TRY301
        except BaseException as error:
            self._kill()
            if isinstance(error, GatebenchError):
                with suppress(LaunchError):  # the next phase tries again, and says why it cannot be started
                    self.start()
            raise
        return result

    def absent(self) -> tuple[str, ...]:
        """Which of several generators the next phase is driven without, and why; waits until the others are ready.

        Raises `LaunchError` when none can be started.
        """
        return self._ready().absent

    def mend(self) -> None:
        """Start afresh where generators are absent, and do not wait: they may be back."""
        if self._lines is not None and self._lines.absent:
            self.end()
            with suppress(LaunchError):  # the next phase tries again, and says why it cannot be started
                self.start()

    def start(self) -> None:
        """Start the process, and do not wait until it is ready; raises `LaunchError` when it cannot be started."""
        argv = drivers()
        if self._count > 1 or self._machines:
            argv += ["--generators", str(self._count)]
        for machine in self._machines:
            argv += ["--on", spec.dump(machine)]
        if self._machines and self._taken is not None:
            argv += ["--taken", spec.dump(self._taken)]
        process = self._ends.enter_context(
            running(
                argv,
                name="load generator",
                log=self._log,
                cwd=BENCHMARKS.parent,
                env=drivers_environment(),
                cpus=self._cpus,
                pipes=("stdin", "stdout"),
            )
        )
        self._lines = _Lines(process)

    def end(self) -> None:
        """End the process, if there is one."""
        self._lines = None
        self._ends.close()

    def _ready(self) -> _Lines:
        """The lines to and from a process that awaits a phase."""
        if self._lines is None or not self._lines.process.alive():
            self._kill()
            self.start()
        assert self._lines is not None  # noqa: S101 - it was started
        lines = self._lines
        if not lines.greeted:
            try:
                _await_ready(lines)
            except LoadError as error:
                self._kill()
                raise LaunchError(str(error)) from error
        return lines

    def _kill(self) -> None:
        """End the process, if there is one, without asking first: it may hang."""
        if self._lines is not None:
            self._lines.process.kill()
        self.end()


class _Lines:
    """Lines to and from the generator; nothing here waits for ever."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.greeted = False
        """Whether it has said that it is ready."""
        self.absent: tuple[str, ...] = ()
        """Which of several did not come."""
        self._pending = b""
        stdin, stdout = process.popen.stdin, process.popen.stdout
        assert stdin is not None  # noqa: S101 - both were opened with PIPE
        assert stdout is not None  # noqa: S101
        self._in, self._out = stdin.fileno(), stdout.fileno()
        os.set_blocking(self._in, False)

    def write(self, line: bytes, timeout_s: float) -> None:
        """Send a line, a whole one; raises `LoadError` when it is not taken in time."""
        left, deadline = memoryview(line), time.monotonic() + timeout_s
        with selectors.DefaultSelector() as selector:
            selector.register(self._in, selectors.EVENT_WRITE)
            while left:
                if not selector.select(deadline - time.monotonic()):
                    raise LoadError(self.process.with_log(f"takes no order for {timeout_s:g} s"))
                try:
                    left = left[os.write(self._in, left) :]
                except BrokenPipeError as error:
                    raise self.ended() from error

    def events(self, silence_s: float, check: Callable[[], None] = lambda: None) -> Iterator[spec.Event]:
        """The events, as they come; raises `LoadError` when it is silent for so long, or has ended.

        `check` is called in between, and may raise.
        """
        with selectors.DefaultSelector() as selector:
            selector.register(self._out, selectors.EVENT_READ)
            heard = time.monotonic()
            while True:
                check()
                if not selector.select(1.0):
                    if time.monotonic() - heard > silence_s:
                        raise LoadError(self.process.with_log(f"is silent for {silence_s:g} s"))
                    continue
                heard = time.monotonic()
                chunk = os.read(self._out, 65536)
                if not chunk:
                    raise self.ended()
                *lines, self._pending = (self._pending + chunk).split(b"\n")
                for line in lines:
                    yield self._event(line)

    def ended(self) -> LoadError:
        """The error of a generator that reads or writes no more."""
        try:
            self.process.popen.wait(END_S)
        except subprocess.TimeoutExpired:
            return LoadError(self.process.with_log(f"does not end within {END_S:g} s"))
        return LoadError(str(self.process.died()))

    def _event(self, line: bytes) -> spec.Event:
        try:
            return spec.load(spec.Event, line)
        except ValidationError as error:
            printed = one_line(line[:1000].decode("utf-8", "replace"))
            raise LoadError(self.process.with_log(f"printed what is no event ({printed})")) from error


def _await_ready(lines: _Lines) -> None:
    for event in lines.events(PATIENCE_S):
        if event.event == "ready":
            lines.greeted, lines.absent = True, event.absent
            return


def _driven(lines: _Lines, silence_s: float, on_event: OnEvent, check: Callable[[], None]) -> spec.Result:
    """The result of the phase that was ordered."""
    for event in lines.events(silence_s, check):
        on_event(event, lines.process)
        if event.event == "done":
            return event.result or spec.Result(error="it gave no result")
    raise AssertionError  # `events` ends with an error only


def drivers() -> list[str]:
    """What drives a load. -P: the folder that gatebench is called in may hold a loadtests/ of the user's own."""
    return [sys.executable, "-P", "-m", "loadtests"]


def drivers_environment() -> dict[str, str]:
    """The environment of what drives a load, whose working folder is the one that holds benchmarks/."""
    # cwd is on the path only through PYTHONPATH, since -P takes it away together with the user's folder.
    return clean_environment({"PYTHONPATH": str(BENCHMARKS.parent)})
