"""The faults that `chaos` injects: a function each, which strikes and may return what undoes it after the run's end.

To add one, write a function with `@fault("name")` above it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.injection import Run, command
from harness.machine.environment import find_redis
from harness.machine.identity import PROC, Identity, lives

FROZEN_S = 3.0
SPARE = 4
"""File descriptors that a harness is left with."""
Undo = Callable[[], object] | None
Strike = Callable[[Run], Undo]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A fault, and how a run should end that has met it."""

    name: str
    strike: Strike
    services: bool = False
    """Whether the run needs the slow API and Redis."""
    crash_after: int = -1
    """Requests after which an app of the run crashes; -1: never."""
    own_disk: bool = False
    codes: Collection[int] = ()
    """Exit codes that FORMAT.md has for it; empty: 0 with a valid row, 3 without."""
    says: str = ""
    """What the run says of it on standard error."""
    swept_later: bool = False
    """Whether nobody is left to clean up before the next start."""
    absent: Callable[[], str] = str
    """Why it cannot be injected here; empty where it can."""


FAULTS: dict[str, Fault] = {}


def fault(name: str, **columns: Any) -> Callable[[Strike], Strike]:
    """Put the function below into the table, with these columns of `Fault`."""

    def enter(strike: Strike) -> Strike:
        FAULTS[name] = Fault(name=name, strike=strike, **columns)
        return strike

    return enter


def send(processes: Iterable[Identity], number: signal.Signals) -> None:
    """Send a signal to those very processes."""
    for process in processes:
        if lives(process):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, number)


def no_redis() -> str:
    """Why there is no Redis."""
    return "" if find_redis() else "no redis-server"


def no_mount() -> str:
    """Why nothing can be mounted."""
    if os.geteuid() != 0:
        return "mounting needs root"
    argv = ["unshare", "--mount", "mount", "-t", "tmpfs", "chaos", "/mnt"]
    refused = not shutil.which("unshare") or subprocess.run(argv, capture_output=True, check=False).returncode
    return "mounting is not allowed" if refused else ""


@fault("none")
def none(_run: Run) -> Undo:
    """Nothing: how long a run takes, and that it passes."""
    return None


@fault("none, with services", services=True, absent=no_redis)
def none_with_services(_run: Run) -> Undo:
    """As above."""
    return None


@fault("harness killed", codes={-signal.SIGKILL})
def harness_killed(run: Run) -> Undo:
    """SIGKILL."""
    send([run.harness], signal.SIGKILL)
    return None


@fault("helper killed")
def helper_killed(run: Run) -> Undo:
    """The reaper, which ends what a killed harness leaves."""
    send([run.reaper()], signal.SIGKILL)
    return None


@fault("harness and helper killed", codes={-signal.SIGKILL}, swept_later=True)
def both_killed(run: Run) -> Undo:
    """The helper first: it would be faster than we are."""
    send([run.reaper(), run.harness], signal.SIGKILL)
    return None


@fault("SIGINT", codes={130})
def interrupted(run: Run) -> Undo:
    """Ctrl-C."""
    send([run.harness], signal.SIGINT)
    return None


@fault("SIGTERM", codes={130})
def terminated(run: Run) -> Undo:
    """As a scheduler ends a job."""
    send([run.harness], signal.SIGTERM)
    return None


@fault("harness frozen")
def harness_frozen(run: Run) -> Undo:
    """For FROZEN_S, as when a laptop is shut."""
    send([run.harness], signal.SIGSTOP)
    time.sleep(FROZEN_S)
    send([run.harness], signal.SIGCONT)
    return None


@fault("server killed")
def server_killed(run: Run) -> Undo:
    """All its processes."""
    send(run.family("server"), signal.SIGKILL)
    return None


@fault("a worker killed")
def worker_killed(run: Run) -> Undo:
    """One of several; its master lives."""
    _leader, *workers = run.wait_for(lambda: family if len(family := run.family("server")) > 1 else None)
    send(workers[-1:], signal.SIGKILL)
    return None


@fault("server frozen")
def server_frozen(run: Run) -> Undo:
    """All its processes."""
    send(run.family("server"), signal.SIGSTOP)
    return None


@fault("generator killed")
def generator_killed(run: Run) -> Undo:
    """The load generator."""
    send(run.family("generator"), signal.SIGKILL)
    return None


@fault("generator frozen")
def generator_frozen(run: Run) -> Undo:
    """It is silent until the harness has no more patience."""
    send(run.family("generator"), signal.SIGSTOP)
    return None


@fault("upstream killed", services=True, absent=no_redis)
def upstream_killed(run: Run) -> Undo:
    """The slow API."""
    send(run.family("upstream"), signal.SIGKILL)
    return None


@fault("upstream frozen", services=True, absent=no_redis)
def upstream_frozen(run: Run) -> Undo:
    """It takes connections and does not answer."""
    send(run.family("upstream"), signal.SIGSTOP)
    return None


@fault("redis killed", services=True, absent=no_redis)
def redis_killed(run: Run) -> Undo:
    """Targets go on without their cache."""
    send(run.family("redis"), signal.SIGKILL)
    return None


@fault("target crashes at start", crash_after=0)
def crashes_at_start(_run: Run) -> Undo:
    """One arm never comes up."""
    return None


@fault("target crashes under load", crash_after=200)
def crashes_under_load(_run: Run) -> Undo:
    """Each of its workers, after some requests."""
    return None


@fault("results folder removed", codes={3}, says="cannot be written")
def folder_removed(run: Run) -> Undo:
    """It is put back before the run is gone on with, in the place of whatever was made anew."""
    away = run.results.with_name("away")
    run.results.rename(away)

    def put_back() -> None:
        shutil.rmtree(run.results, ignore_errors=True)
        away.rename(run.results)

    return put_back


@fault("disk full", own_disk=True, codes={3}, says="cannot be written")
def disk_full(run: Run) -> Undo:
    """A small disk, filled up; where none can be mounted, no file of the harness may grow any more (RLIMIT_FSIZE)."""
    if not run.own_disk:
        resource.prlimit(run.harness.pid, resource.RLIMIT_FSIZE, (len(run.rows()), resource.RLIM_INFINITY))
        return None
    filler = run.results.with_name("filler")
    _fill(filler)
    return filler.unlink


@fault("results folder read-only", own_disk=True, codes={3}, says="cannot be written", absent=no_mount)
def read_only(run: Run) -> Undo:
    """A mount upon it: what is open stays open, nothing new can be made."""
    where = str(run.results)
    subprocess.run(["mount", "--bind", where, where], check=True)
    subprocess.run(["mount", "-o", "remount,bind,ro", where], check=True)
    return lambda: subprocess.run(["umount", "-l", where], check=True)


@fault("port taken")
def port_taken(run: Run) -> Undo:
    """A stranger listens on a server's port before it does."""
    stranger = run.wait_for(lambda: _squatted(run.family("server")[0]))
    return stranger.close


@fault("few descriptors", codes={0, 3})
def few_descriptors(run: Run) -> Undo:
    """The harness may open a few more files than it has open."""
    used = max(int(each.name) for each in (PROC / str(run.harness.pid) / "fd").iterdir()) + 1
    limit = used + run.rng.randint(1, SPARE)
    resource.prlimit(run.harness.pid, resource.RLIMIT_NOFILE, (limit, limit))
    return None


def _fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(65536))
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise


def _squatted(server: Identity) -> socket.socket | None:
    """A listener on the port of a server that is not there yet; None where the server was first."""
    port = re.search(r"(?:127\.0\.0\.1:|--port )(\d+)", command(server.pid))
    if port is None:
        return None
    stranger = socket.socket()
    try:
        stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        stranger.bind(("127.0.0.1", int(port[1])))
        stranger.listen()
    except OSError:
        stranger.close()
        return None
    return stranger
