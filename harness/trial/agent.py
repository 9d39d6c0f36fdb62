"""The agent: on another machine it starts a generator for a harness that talks to it over SSH, and ends it.

What it starts does not outlive it, and it does not outlive the harness: it ends when its standard input does, and when
nothing came on it for five seconds, for a link that is cut does not close it. Whoever kills it has its PID namespace
end, or its reaper end what is left (`harness.machine.guard`).
"""

from __future__ import annotations

import os
import select
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from harness.errors import GatebenchError
from harness.machine import environment, logs
from harness.machine.placement import usable_cpus
from harness.machine.process import Process, running
from harness.machine.topology import topology
from harness.spec.agents import LOST_S, Beat, Begin, Ended, FromAgent, Hello, Reach, Reached, line, order, versions
from harness.spec.hosts import without_tls
from harness.suite import BENCHMARKS
from harness.trial.generator import drivers, drivers_environment

LOOK_S = 0.1
"""How often it looks whether the generator runs."""
REACH_S = 5.0
TOLD = ("cpu", "cpus", "usable_cpus", "memory_bytes", "kernel", "system", "machine")
"""What is said of the machine."""


def serve(stdin: int, stdout: int, folder: Path) -> None:
    """Do what comes on `stdin` until its end, or until nobody is there; logs lie in `folder`."""
    with ExitStack() as ends:
        agent = Agent(stdout, folder, ends)
        agent.say(Hello(versions=versions(), machine={name: environment.describe()[name] for name in TOLD}))
        for text in _lines(stdin):
            agent.look()
            if text is not None:
                agent.do(text)


class Agent:
    """Does one thing after the other, for one harness."""

    def __init__(self, stdout: int, folder: Path, ends: ExitStack) -> None:
        """`ends` ends what was started."""
        self._stdout = stdout
        self._log = folder / "generator.log"
        self._ends = ends
        self._process: Process | None = None

    def say(self, message: FromAgent) -> None:
        """Send a message; raises `BrokenPipeError` when nobody reads any more."""
        left = memoryview(line(message))
        while left:
            left = left[os.write(self._stdout, left) :]

    def do(self, text: bytes) -> None:
        """Do what a line says; raises `ValueError` where it says nothing that we know."""
        match order(text):
            case Begin() as begin:
                try:
                    self._begin(begin)
                except (GatebenchError, OSError) as error:
                    self.say(Ended(how=f"cannot be started: {error}"))
            case Reach(host=host, port=port):
                self.say(Reached(host=host, port=port, error=unreached(host, port)))
            case Beat():
                pass

    def look(self) -> None:
        """Tell when the generator has ended by itself."""
        process = self._process
        if process is not None and not process.alive():
            self._process = None
            self.say(Ended(how=_how(process)))

    def _begin(self, begin: Begin) -> None:
        process = self._ends.enter_context(
            running(
                [*drivers(), "generator"],
                name="generator",
                log=self._log,
                cwd=BENCHMARKS.parent,
                env=drivers_environment(),
                cpus=(seat(begin.seat),),
                pipes=("stdin",),
            )
        )
        self._ends.callback(process.kill)  # at once: nobody waits for what it might still say
        self._process = process
        assert process.popen.stdin is not None  # noqa: S101 - it was asked for
        process.popen.stdin.write(begin.join.encode() + b"\n")
        process.popen.stdin.flush()


def seat(number: int) -> int:
    """The CPU of a machine's generator with that number: from the last core on, for the first has most interrupts."""
    cores = topology(usable_cpus()).cores
    return cores[-1 - number % len(cores)][0]


def unreached(host: str, port: int) -> str | None:
    """Why nothing can connect from here to that address; None where it can."""
    try:
        with socket.create_connection((without_tls(host), port), REACH_S):
            return None
    except OSError as error:
        return error.strerror or str(error)


def _how(process: Process) -> str:
    code = process.popen.returncode
    if code < 0:
        return f"ended by {signal.Signals(-code).name}"
    why = logs.line_that_matters(logs.tail(process.log, process.log_start))
    return f"ended with exit code {code}{f': {why}' if why else ''}"


def _lines(stdin: int) -> Iterator[bytes | None]:
    """The lines that come, and None every LOOK_S in between; ends with them, or LOST_S after the last."""
    pending, heard = b"", time.monotonic()
    while time.monotonic() - heard < LOST_S:
        if not select.select([stdin], [], [], LOOK_S)[0]:
            yield None
            continue
        chunk, heard = os.read(stdin, 65536), time.monotonic()
        if not chunk:
            return
        *lines, pending = (pending + chunk).split(b"\n")
        yield from lines
