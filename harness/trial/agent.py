"""The agent: on another machine it starts a generator or servers for a harness that talks to it over SSH.

What it starts does not outlive it, and it does not outlive the harness: it ends when its standard input does, and when
nothing came on it for five seconds, for a link that is cut does not close it. Whoever kills it has its PID namespace
end, or its reaper end what is left (`harness.machine.guard`).
"""

from __future__ import annotations

import os
import queue
import select
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

from harness.errors import GatebenchError
from harness.machine import environment, logs
from harness.machine.identity import boot
from harness.machine.placement import usable_cpus
from harness.machine.process import Process, running
from harness.machine.topology import topology
from harness.spec.agents import BEAT_S, LOST_S, Beat, Begin, Call, Ended, FromAgent, Hello, Reach, line, order, versions
from harness.spec.machines import Taken
from harness.suite import BENCHMARKS
from harness.trial.generator import drivers, drivers_environment
from harness.trial.machines import reached
from harness.trial.office import Office

LOOK_S = 0.1
"""How often it looks whether the generator runs."""
CLOSE_S = 6.0
"""How long it may take to end what serves."""
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
        self._office = Office(folder)
        self._work: queue.SimpleQueue[Call | None] = queue.SimpleQueue()
        self._worker: threading.Thread | None = None
        self._saying = threading.Lock()
        self._said = 0.0

    def say(self, message: FromAgent) -> None:
        """Send a message; raises `BrokenPipeError` when nobody reads any more."""
        left = memoryview(line(message))
        with self._saying:
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
                self.say(reached(host, port))
            case Call() as call:
                self._work.put(call)
                if self._worker is None:
                    self._open()
            case Beat():
                pass

    def look(self) -> None:
        """Tell when the generator has ended by itself; once there was a call, tell each second that we are here."""
        process = self._process
        if self._worker is not None and time.monotonic() - self._said > BEAT_S:
            self._said = time.monotonic()
            self.say(Beat())
        if process is not None and not process.alive():
            self._process = None
            self.say(Ended(how=_how(process)))

    def _open(self) -> None:
        """Do calls in a thread of their own: a call may take long, and who waits for it may be gone meanwhile."""
        self._worker = threading.Thread(target=self._answer, daemon=True)
        self._worker.start()
        self._ends.callback(self._close, self._worker)

    def _answer(self) -> None:
        try:
            while (call := self._work.get()) is not None:
                answer = self._office.do(call)
                with suppress(OSError):  # nobody is there any more: our input ends too
                    self.say(answer)
        finally:
            self._office.end()

    def _close(self, worker: threading.Thread) -> None:
        """End all that serves, whatever is being done with it; what cannot be ended so ends with our namespace."""
        self._work.put(None)
        deadline = time.monotonic() + CLOSE_S
        while worker.is_alive():
            if time.monotonic() > deadline:
                os._exit(1)
            self._office.kill()
            worker.join(LOOK_S)

    def _begin(self, begin: Begin) -> None:
        process = self._ends.enter_context(
            running(
                [*drivers(), "generator"],
                name="generator",
                log=self._log,
                cwd=BENCHMARKS.parent,
                env=drivers_environment(),
                cpus=(seat(begin.seat, begin.taken),),
                pipes=("stdin",),
            )
        )
        self._ends.callback(process.kill)  # at once: nobody waits for what it might still say
        self._process = process
        assert process.popen.stdin is not None  # noqa: S101 - it was asked for
        process.popen.stdin.write(begin.join.encode() + b"\n")
        process.popen.stdin.flush()


def seat(number: int, taken: Taken | None = None) -> int:
    """The CPU of a machine's generator with that number: from the last core on, for the first has most interrupts.

    Where the servers of the run are on the same machine, generators have the cores that these and the services leave,
    or at the least those that the servers leave; they share with servers only where there is no other.
    """
    cores = topology(usable_cpus()).cores
    if taken is not None and taken.boot == boot():
        cores = _left(cores, taken.server + taken.services) or _left(cores, taken.server) or cores
    return cores[-1 - number % len(cores)][0]


def _left(cores: tuple[tuple[int, ...], ...], taken: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
    return tuple(core for core in cores if not {*core} & {*taken})


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
