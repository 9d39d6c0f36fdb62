"""Start a process, watch it, stop it: the only place that starts processes that run for longer than a question.

Every process runs in a session of its own, so that the terminal's Ctrl-C reaches only the harness. Its descendants are
found by session, by ancestry, and by a mark in their environment, and are ended with it. Output goes to a file: a pipe
that nobody drains stalls gunicorn.
"""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from harness.errors import LaunchError, ServiceError, StorageError
from harness.machine import logs
from harness.machine.guard import guard, next_mark
from harness.machine.identity import MARK, Family, Identity, await_end, identity, kill, kin, table
from harness.machine.reaper import GONE_S
from harness.machine.undisturbed import undisturbed

STOP_S = 5.0
"""How long a process may take to stop when asked, before it is killed."""

SETTINGS_OF_SERVERS = ("GATEBENCH_", "PYTHON", "GUNICORN_", "UVICORN_", "GRANIAN_", "UWSGI_", "HYPERCORN_")
"""Variables that begin so configure what is measured, and are in no record."""
_OF_THE_MACHINE = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN}
DESCRIPTORS = 65_536
"""Open files that we let a process have. More are of no use, and uWSGI keeps a table with an entry for each."""


@dataclass(slots=True)
class Process:
    """A process that we started, and its descendants."""

    name: str
    popen: subprocess.Popen[bytes]
    log: Path
    family: Family
    log_start: int = 0
    """Where in the log its own lines begin: several launches may append to one."""
    started_s: float = field(default_factory=time.monotonic)
    """When it was started, on the monotonic clock."""
    known: set[Identity] = field(default_factory=set)
    """Processes that were of its family when it was last looked at."""
    _asked_at: float | None = None
    """When it was asked to stop, on the monotonic clock."""
    _start: Callable[[Sequence[str]], subprocess.Popen[bytes]] | None = None
    """Starts the same once more, with these arguments behind its own."""
    _lock: threading.RLock = field(default_factory=threading.RLock)
    """Whoever disturbs a server asks for its processes in a thread of its own."""

    @property
    def pid(self) -> int:
        """Its id, which is the id of its session too."""
        return self.popen.pid

    def alive(self) -> bool:
        """Whether the process itself (not only its children) still runs."""
        return self.popen.poll() is None

    def members(self) -> list[int]:
        """Ids of the living processes of its family: its own and those of its descendants, whatever their session."""
        return sorted(process.pid for process in self._living())

    def ask_to_stop(self) -> None:
        """Ask it to stop, unless it was asked before: a second request means something else to some servers."""
        self.members()  # while it lives its descendants can be told by ancestry; afterwards they are known
        if self._asked_at is None and self.alive():
            self._asked_at = time.monotonic()
            self.popen.terminate()

    def wait_stopped(self, timeout_s: float) -> None:
        """Wait until it has ended, for so long after it was asked to stop; returns in any case."""
        left_s = 0.0 if self._asked_at is None else self._asked_at + timeout_s - time.monotonic()
        deadline = time.monotonic() + max(0.0, left_s)
        if self.alive():
            with contextlib.suppress(OSError):  # it has ended meanwhile, or we have too many files open
                await_end(self.pid, max(0.0, left_s))
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.popen.wait(max(0.0, deadline - time.monotonic()))

    def restart(self, more: Sequence[str] = ()) -> None:
        """Stop it, with all its descendants, and start the same again; raises as `running` does.

        `more` stands behind its arguments, until it is started again.
        """
        assert self._start is not None  # noqa: S101 - only `running` makes one
        stop(self)
        with self._lock, undisturbed():
            self.started_s, self._asked_at = time.monotonic(), None
            self.popen = self._start(more)
            self.known.clear()
            self.family = _family(self.popen.pid, self.family.mark)
            guard().entrust(self.family)

    def kill(self) -> None:
        """End it and all its descendants at once."""
        for process in self._living():
            kill(process)

    def _living(self) -> set[Identity]:
        with self._lock:
            return self._looked_at()

    def _looked_at(self) -> set[Identity]:
        processes, us = table(), os.getpid()
        relatives = kin(self.family, processes, self.known, adopter=us)
        ended = {process for process in relatives if processes[process.pid].ended}
        self.known.clear()
        self.known.update(relatives - ended)
        for process in ended:
            # We have adopted it as a subreaper, and nobody else takes note of its end.
            if processes[process.pid].parent == us and process != self.family.leader:
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(process.pid, os.WNOHANG)
        return relatives - ended

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


class _CpuGoneError(OSError):
    """None of the CPUs that a child should have is ours to give."""


@contextlib.contextmanager
def running(
    argv: Sequence[str],
    *,
    name: str,
    log: Path,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    cpus: Sequence[int] = (),
    pipes: Collection[str] = (),
) -> Iterator[Process]:
    """Run `argv` on `cpus` until the block ends.

    `pipes` names those of its streams, `stdin` and `stdout`, that the caller talks over. Otherwise standard input is
    empty, and its output is appended to `log`.

    Raises `LaunchError` when it cannot be started, `ServiceError` where that is the machine's fault, `StorageError`
    when its log cannot be written.
    """
    mark = next_mark()
    environment = (clean_environment({}) if env is None else dict(env)) | {MARK: mark}

    def start(more: Sequence[str] = ()) -> subprocess.Popen[bytes]:
        with _opened(log) as sink:
            try:
                return _start([*argv, *more], sink, pipes, cwd, environment, cpus)
            except (OSError, ValueError) as error:  # ValueError: an argument or variable that no process can be given
                of_machine = isinstance(error, _CpuGoneError) or getattr(error, "errno", None) in _OF_THE_MACHINE
                kind = ServiceError if of_machine else LaunchError
                raise kind(f"{name} cannot be started: {error}") from error

    log_start = log.stat().st_size if log.exists() else 0
    with contextlib.ExitStack() as starting:
        starting.enter_context(undisturbed())
        started_s = time.monotonic()
        popen = start()
        process = Process(name, popen, log, _family(popen.pid, mark), log_start, started_s, _start=start)
        yield from _until_stopped(process, starting)


def _until_stopped(process: Process, starting: contextlib.ExitStack) -> Iterator[Process]:
    try:
        starting.close()  # a signal that came meanwhile comes now
        guard().entrust(process.family)
        yield process
    finally:
        try:
            stop(process)
        finally:  # a second Ctrl-C may end the wait
            logs.scrub(process.log, process.log_start)
            logs.bound(process.log, process.log_start)


def stop(process: Process, timeout_s: float = STOP_S) -> None:
    """Ask the process to stop, then kill whatever is left of its family.

    Whatever the kernel has not ended after GONE_S is left to the reaper.
    """
    process.ask_to_stop()
    process.wait_stopped(timeout_s)
    deadline = time.monotonic() + GONE_S
    while (survivors := process.members()) and time.monotonic() < deadline:
        process.kill()
        time.sleep(0.002)  # a killed process is there until the kernel has ended it
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.popen.wait(GONE_S)
    if not survivors:
        guard().withdraw(process.family)
    for pipe in (process.popen.stdin, process.popen.stdout):
        if pipe is not None:
            pipe.close()


def _family(pid: int, mark: str) -> Family:
    return Family(identity(pid) or Identity(pid, 0), mark)


def clean_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """Our environment without what would change a measured process by accident, and with `extra`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(SETTINGS_OF_SERVERS)}
    kept.pop("WEB_CONCURRENCY", None)  # gunicorn and uvicorn take their worker count from it
    return kept | {"PYTHONUNBUFFERED": "1"} | dict(extra)


def descriptor_limit(soft: int, hard: int) -> int:
    """How many files what we start may open: what the hard limit allows, up to DESCRIPTORS, and never less than now."""
    return max(soft, min(hard, DESCRIPTORS))


def _opened(log: Path) -> IO[bytes]:
    try:
        log.parent.mkdir(exist_ok=True)  # without its parents: a run's folder that was removed is not made anew
        return log.open("ab")
    except OSError as error:  # the disk is full or read-only: that is no fault of what was to be started
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise StorageError(f"{log} cannot be written: {reason}; what was measured before is kept") from error


def _start(
    argv: Sequence[str],
    sink: IO[bytes],
    pipes: Collection[str],
    cwd: Path | None,
    env: Mapping[str, str],
    cpus: Sequence[int],
) -> subprocess.Popen[bytes]:
    with _for_the_child(cpus):
        return subprocess.Popen(
            list(argv),
            cwd=cwd,
            env=env,
            stdin=subprocess.PIPE if "stdin" in pipes else subprocess.DEVNULL,
            stdout=subprocess.PIPE if "stdout" in pipes else sink,
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
    try:
        _take_on(cpus, files)
        yield
    finally:
        with contextlib.suppress(OSError):  # all these CPUs have gone meanwhile, and the kernel has given us others
            os.sched_setaffinity(0, affinity)
        resource.setrlimit(resource.RLIMIT_NOFILE, files)


def _take_on(cpus: Sequence[int], files: tuple[int, int]) -> None:
    # Servers do not raise the soft limit of open files themselves, and a shell's is 1024: under as many connections a
    # server would refuse some, and the figures would show the shell's limit.
    resource.setrlimit(resource.RLIMIT_NOFILE, (descriptor_limit(*files), files[1]))
    if cpus:
        try:
            os.sched_setaffinity(0, cpus)
        except OSError as error:
            raise _CpuGoneError(f"CPU {', '.join(map(str, cpus))} has gone since the run began") from error
