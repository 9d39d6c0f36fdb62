"""The faults of the machine that `chaos` injects: its disk, ports, descriptors, CPUs and clock, and being frozen."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import resource
import shutil
import socket
import subprocess
import time
from collections.abc import Collection
from pathlib import Path

from bench import cgroups
from bench.faults import FROZEN_S, Undo, fault
from bench.injection import Run, command, namespaced
from harness.machine.identity import PROC, Identity

SPARE = 4
"""File descriptors that a harness is left with."""
STEPS_S = (-86_400, -3600, -30, 30, 3600, 86_400)
"""How far a clock steps."""


def no_mount() -> str:
    """Why nothing can be mounted."""
    if os.geteuid() != 0:
        return "mounting needs root"
    argv = ["unshare", "--mount", "mount", "-t", "tmpfs", "chaos", "/mnt"]
    refused = not shutil.which("unshare") or subprocess.run(argv, capture_output=True, check=False).returncode
    return "mounting is not allowed" if refused else ""


@fault("results folder removed", anytime=True, codes={3}, says="cannot be written")
def folder_removed(run: Run) -> Undo:
    """It is put back before the run is gone on with, in the place of whatever was made anew."""
    away = run.place.results.with_name("away")
    run.place.results.rename(away)

    def put_back() -> None:
        shutil.rmtree(run.place.results, ignore_errors=True)
        away.rename(run.place.results)

    return put_back


@fault("disk full", anytime=True, own_disk=True, codes={3}, says="cannot be written")
def disk_full(run: Run) -> Undo:
    """A small disk, filled up; where none can be mounted, no file of the harness may grow any more (RLIMIT_FSIZE)."""
    if not run.place.own_disk:
        resource.prlimit(run.harness.pid, resource.RLIMIT_FSIZE, (len(run.rows()[0]), resource.RLIM_INFINITY))
        return None
    filler = run.place.results.with_name("filler")
    _fill(filler)
    return filler.unlink


@fault("results folder read-only", anytime=True, own_disk=True, codes={3}, says="cannot be written", absent=no_mount)
def read_only(run: Run) -> Undo:
    """A mount upon it: what is open stays open, nothing new can be made."""
    where = str(run.place.results)
    # The harness has mounts of its own in its namespace, which may show it none that comes later.
    inside = ["nsenter", f"--mount=/proc/{run.innermost()}/ns/mnt"]
    subprocess.run([*inside, "mount", "--bind", where, where], check=True)
    subprocess.run([*inside, "mount", "-o", "remount,bind,ro", where], check=True)
    # Where it had no namespace the mount is ours to undo; else it has gone with the harness.
    return None if namespaced() else lambda: subprocess.run(["umount", "-l", where], check=True)


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


@fault("clock steps", anytime=True, own_clock=True)
def clock_steps(run: Run) -> Undo:
    """That of the harness alone, back or forth; the monotonic one goes on, as it does under NTP."""
    run.place.clock.write_text(f"{run.rng.choice(STEPS_S):+d}")
    return None


def one_cpu() -> str:
    """Why no CPU can go away."""
    return "" if len(os.sched_getaffinity(0)) > 1 else "one CPU"


@fault("a CPU goes away", anytime=True, absent=one_cpu)
def cpu_gone(run: Run) -> Undo:
    """By a cpuset that holds all processes of the run; where none can be made, by their affinity."""
    cpus = sorted(os.sched_getaffinity(0))
    cpus.remove(run.rng.choice(cpus))
    try:
        group = cgroups.make("cpuset", ",".join(map(str, cpus)))
    except OSError:
        _bind(_pids(run), cpus)
        return None
    group.take(lambda: _pids(run))
    return group.remove


@fault("everything frozen", anytime=True, absent=lambda: cgroups.refused("freezer"))
def everything_frozen(run: Run) -> Undo:
    """All processes of the run by a cgroup, for FROZEN_S, as when a virtual machine is moved."""
    with cgroups.frozen(lambda: _pids(run)) as group:
        time.sleep(FROZEN_S)
    return group.remove


def _pids(run: Run) -> list[int]:
    return [process.pid for process in run.members()]


def _bind(pids: Collection[int], cpus: Collection[int]) -> None:
    for pid in pids:
        with contextlib.suppress(OSError):
            for thread in (PROC / str(pid) / "task").iterdir():
                os.sched_setaffinity(int(thread.name), cpus)


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
