"""Which process is which, read from /proc: by id and start time, since an id alone is given again to a stranger."""

from __future__ import annotations

import contextlib
import os
import select
import signal
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
ENDED = frozenset("ZX")
"""States of processes that have ended and wait for their parent to take note."""
MARK = "GATEBENCH_FAMILY"
"""The environment variable that all descendants of what we start inherit; its value is the family's mark."""


@dataclass(frozen=True, slots=True, order=True)
class Identity:
    """A process: its id, and its start in clock ticks since the machine's start (field 22 of /proc/PID/stat)."""

    pid: int
    start: int


@dataclass(frozen=True, slots=True)
class Entry:
    """A process as the kernel lists it."""

    identity: Identity
    parent: int
    session: int
    ended: bool


@dataclass(frozen=True, slots=True)
class Family:
    """A process that we started, and by what its descendants are known."""

    leader: Identity
    """It leads a session of its own."""
    mark: str
    """Value of the variable MARK in its environment; no two families have the same."""


def boot() -> str:
    """The start of this machine, by the kernel's random id: all its containers and namespaces have the same."""
    return (PROC / "sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()


def entry(pid: int, proc: Path = PROC) -> Entry | None:
    """What the kernel says of process `pid` now; None when there is no such process."""
    try:
        stat = (proc / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # The command name may hold spaces and brackets: what follows its last bracket is field 3, the state, and so on.
    fields = stat[stat.rindex(")") + 2 :].split()
    state, parent, _, session = fields[:4]
    return Entry(Identity(pid, int(fields[19])), int(parent), int(session), state in ENDED)


def identity(pid: int) -> Identity | None:
    """The process that has the id `pid` now, ended or not; None when there is none."""
    now = entry(pid)
    return now.identity if now else None


def table(proc: Path = PROC) -> dict[int, Entry]:
    """All processes that are seen there, by id; with /proc those of our PID namespace."""
    pids = (int(folder.name) for folder in proc.iterdir() if folder.name.isdigit())
    return {pid: now for pid in pids if (now := entry(pid, proc)) is not None}


def lives(process: Identity) -> bool:
    """Whether that very process runs; one that has ended and waits for its parent does not."""
    now = entry(process.pid)
    return now is not None and now.identity == process and not now.ended


def kin(
    family: Family, processes: Mapping[int, Entry], known: Iterable[Identity] = (), adopter: int | None = None
) -> set[Identity]:
    """All processes of `family`, also those that have ended and wait for their parent.

    They are its session, all descendants, and what has left both: a process that called setsid and lost its parent is
    known by the mark in its environment. With an `adopter` only that process's children are searched for the mark: it
    is a subreaper, whose children such processes become. `known` are processes that were of the family before.
    """
    leader = processes.get(family.leader.pid)
    led = leader is not None and leader.identity == family.leader
    was_known = set(known) | {family.leader}
    relatives = {each.identity for each in processes.values() if each.identity in was_known}
    for each in processes.values():
        in_session = each.session == family.leader.pid
        # Its number alone proves nothing once the leader is gone: the session may be a stranger's by now.
        doubtful = adopter is None or each.parent == adopter or in_session
        if (in_session and led) or (doubtful and marked(each.identity.pid, family.mark)):
            relatives.add(each.identity)
    return relatives | descendants(relatives, processes)


def marked(pid: int, mark: str) -> bool:
    """Whether process `pid` has that mark in its environment; False where it may not be read."""
    return f"{MARK}={mark}".encode() in _environment(pid)


def _environment(pid: int) -> list[bytes]:
    try:
        return (PROC / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:
        return []


def started_by(harness: Identity, processes: Mapping[int, Entry]) -> set[Identity]:
    """All processes that have a mark of that harness: also those that it had no time to note."""
    beginning = f"{MARK}={mark_of(harness, '')}".encode()
    return {
        each.identity
        for each in processes.values()
        if any(variable.startswith(beginning) for variable in _environment(each.identity.pid))
    }


def mark_of(harness: Identity, serial: object) -> str:
    """The mark of a family that `harness` starts; `serial` tells its families apart."""
    return f"{harness.pid}-{harness.start}-{serial}"


def kill(process: Identity) -> None:
    """End that very process, and no other that may have its id by now."""
    with contextlib.suppress(OSError):
        handle = os.pidfd_open(process.pid)
        try:
            if lives(process):  # the handle is of whoever had the id when it was opened
                signal.pidfd_send_signal(handle, signal.SIGKILL)
        finally:
            os.close(handle)


def descendants(roots: set[Identity], processes: Mapping[int, Entry]) -> set[Identity]:
    """Children of `roots`, their children, and so on; without the roots themselves."""
    children: dict[int, list[Identity]] = {}
    for each in processes.values():
        children.setdefault(each.parent, []).append(each.identity)
    descendants: set[Identity] = set()
    ahead = list(roots)
    while ahead:
        for child in children.get(ahead.pop().pid, ()):
            if child not in roots and child not in descendants:
                descendants.add(child)
                ahead.append(child)
    return descendants


def await_end(pid: int, timeout_s: float) -> None:
    """Return as soon as that child of ours has ended: `Popen.wait` looks only every 50 ms. Raises `OSError`."""
    handle = os.pidfd_open(pid)
    try:
        poller = select.poll()
        poller.register(handle, select.POLLIN)
        poller.poll(timeout_s * 1000)
    finally:
        os.close(handle)
