"""Start a process, watch it, stop it: the only place that starts processes that run for longer than a question.

Every process runs in a session of its own. So the terminal's Ctrl-C reaches only the harness, and all descendants of a
process can be found and ended. Output goes to a file: a pipe that nobody drains stalls gunicorn.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO

from harness.errors import LaunchError
from harness.machine import logs, reaper

STOP_S = 5.0
"""How long a process may take to stop when asked, before it is killed."""
GONE_S = 10.0
"""How long the kernel may take to end what was killed."""

SETTINGS_OF_SERVERS = ("GATEBENCH_", "PYTHON", "GUNICORN_", "UVICORN_", "GRANIAN_", "UWSGI_")
"""Variables that begin so configure what is measured, and are in no record."""
DESCRIPTORS = 65_536
"""Open files that we let a process have. More are of no use, and uWSGI keeps a table with an entry for each."""


@dataclass(frozen=True, slots=True)
class Process:
    """A process that we started, and its session."""

    name: str
    popen: subprocess.Popen[bytes]
    log: Path
    log_start: int = 0
    """Where in the log its own lines begin: several launches may append to one."""

    @property
    def pid(self) -> int:
        """Its id, which is the id of its session too."""
        return self.popen.pid

    def alive(self) -> bool:
        """Whether the process itself (not only its children) still runs."""
        return self.popen.poll() is None

    def members(self) -> list[int]:
        """Ids of the living processes of its session: its own and those of its descendants."""
        return reaper.members({self.pid})

    def tail(self, lines: int = 15) -> str:
        """The last lines that it wrote to its log."""
        return "\n".join(logs.tail(self.log, self.log_start).splitlines()[-lines:])

    def with_log(self, what: str) -> str:
        """`NAME WHAT: the line of its log that matters; log: PATH`, on one line: for errors that stand in records."""
        line = logs.line_that_matters(logs.tail(self.log, self.log_start))
        return f"{self.name} {what}{f': {line}' if line else ''}; log: {self.log}"

    def died(self) -> LaunchError:
        """The error that says how it ended, once it has."""
        code = self.popen.returncode
        if code < 0:
            return LaunchError(self.with_log(f"ended by signal {-code} ({signal.strsignal(-code)})"))
        return LaunchError(self.with_log(f"ended with exit code {code}"))


@contextlib.contextmanager
def running(
    argv: Sequence[str],
    *,
    name: str,
    log: Path,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    cpus: Sequence[int] = (),
    stdout: int | None = None,
) -> Iterator[Process]:
    """Run `argv` on `cpus` until the block ends; its output is appended to `log` (standard output only if not given).

    Raises `LaunchError` when it cannot be started.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as sink:
        log_start = sink.tell()
        try:
            popen = _start(argv, sink, stdout, cwd, env, cpus)
        except (OSError, ValueError) as error:  # ValueError: an argument or a variable that no process can be given
            message = f"{name} cannot be started: {error}"
            raise LaunchError(message) from error
    process = Process(name, popen, log, log_start)
    _entrust(popen.pid)
    try:
        yield process
    finally:
        stop(process)


def stop(process: Process, timeout_s: float = STOP_S) -> None:
    """Ask the process to stop, then kill whatever is left of its session.

    Whatever the kernel has not ended after GONE_S is left to the reaper.
    """
    if process.alive():
        process.popen.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.popen.wait(timeout_s)
    deadline = time.monotonic() + GONE_S
    while (survivors := process.members()) and time.monotonic() < deadline:
        for pid in survivors:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.002)  # a killed process is there until the kernel has ended it
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.popen.wait(GONE_S)
    if process.popen.stdout is not None:
        process.popen.stdout.close()


def clean_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """Our environment without what would change a measured process by accident, and with `extra`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(SETTINGS_OF_SERVERS)}
    kept.pop("WEB_CONCURRENCY", None)  # gunicorn and uvicorn take their worker count from it
    return kept | {"PYTHONUNBUFFERED": "1"} | dict(extra)


def descriptor_limit(soft: int, hard: int) -> int:
    """How many files what we start may open: what the hard limit allows, up to DESCRIPTORS, and never less than now."""
    return max(soft, min(hard, DESCRIPTORS))


def _start(
    argv: Sequence[str],
    sink: IO[bytes],
    stdout: int | None,
    cwd: Path | None,
    env: Mapping[str, str] | None,
    cpus: Sequence[int],
) -> subprocess.Popen[bytes]:
    with _for_the_child(cpus):
        return subprocess.Popen(
            list(argv),
            cwd=cwd,
            env=dict(env) if env is not None else clean_environment({}),
            stdin=subprocess.DEVNULL,
            stdout=sink if stdout is None else stdout,
            stderr=sink,
            start_new_session=True,
        )


@contextlib.contextmanager
def _for_the_child(cpus: Sequence[int]) -> Iterator[None]:
    """Have the CPUs and the limits that a child is to inherit, and our own again afterwards.

    What is inherited holds from its first instruction. A `preexec_fn` would do the same in the child, but Python code
    between fork and exec can hang in a lock that another thread of ours held.
    """
    affinity, files = os.sched_getaffinity(0), resource.getrlimit(resource.RLIMIT_NOFILE)
    # Servers do not raise the soft limit of open files themselves, and a shell's is 1024: under as many connections a
    # server would refuse some, and the figures would show the shell's limit.
    resource.setrlimit(resource.RLIMIT_NOFILE, (descriptor_limit(*files), files[1]))
    if cpus:
        os.sched_setaffinity(0, cpus)
    try:
        yield
    finally:
        os.sched_setaffinity(0, affinity)
        resource.setrlimit(resource.RLIMIT_NOFILE, files)


def _entrust(session: int) -> None:
    """Tell the reaper of a session that must not outlive us."""
    pipe = _reaper().stdin
    assert pipe is not None  # noqa: S101 - it was opened with PIPE
    pipe.write(f"{session}\n".encode())
    pipe.flush()


@cache
def _reaper() -> subprocess.Popen[bytes]:
    popen = subprocess.Popen(
        [sys.executable, "-I", reaper.__file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )

    def dismiss() -> None:
        assert popen.stdin is not None  # noqa: S101 - it was opened with PIPE
        with contextlib.suppress(OSError):
            popen.stdin.close()
        popen.wait()

    atexit.register(dismiss)
    return popen
