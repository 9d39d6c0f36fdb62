"""Cgroups for `chaos`, of version 1 or 2: those of a process, and ones of our own that hold a run."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

PREFIX = "gatebench-chaos-"
ROUNDS = 50
"""How often we look for processes that were started while the others were moved."""
EMPTY_S = 5.0
"""How long a group may take to be empty."""
_serial = count()


def mounts() -> dict[str, Path]:
    """Controller of version 1 -> where its groups are; version 2 is under `""`."""
    found: dict[str, Path] = {}
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, folder, kind, options, *_ = line.split()
        if kind == "cgroup2":
            found[""] = Path(folder)
        elif kind == "cgroup":
            found |= dict.fromkeys(options.split(","), Path(folder))
    return found


def of(pid: int) -> set[Path]:
    """The folders of the groups that a process is in, as far as we see them; none when it is gone.

    Without the topmost ones, which nobody makes, and to which the kernel gives what has ended.
    """
    with contextlib.suppress(OSError):
        lines = [line.split(":", 2) for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines()]
        where = mounts()
        folders = {
            where[name] / path.lstrip("/") for _, names, path in lines for name in names.split(",") if name in where
        }
        return {each for each in folders if not each.name.startswith(PREFIX)} - set(where.values())
    return set()


@dataclass(frozen=True, slots=True)
class Group:
    """A cgroup that we have made, for a controller."""

    folder: Path
    version: int

    def take(self, members: Callable[[], Collection[int]]) -> None:
        """Move all those processes into it, also what they start meanwhile; one that ends meanwhile is let go."""
        for _ in range(ROUNDS):
            inside = {int(pid) for pid in (self.folder / "cgroup.procs").read_text().split()}
            missing = set(members()) - inside
            if not missing:
                return
            for pid in missing:
                with contextlib.suppress(ProcessLookupError):
                    (self.folder / "cgroup.procs").write_text(str(pid))

    def freeze(self, *, frozen: bool) -> None:
        """Stop all its processes, or let them go on."""
        if self.version == 1:
            (self.folder / "freezer.state").write_text("FROZEN" if frozen else "THAWED")
        else:
            (self.folder / "cgroup.freeze").write_text(str(int(frozen)))

    def remove(self) -> None:
        """Give its processes back to the group above, and remove it; raises `OSError` when that fails."""
        deadline = time.monotonic() + EMPTY_S
        while True:
            for pid in (self.folder / "cgroup.procs").read_text().split():
                with contextlib.suppress(OSError):
                    (self.folder.parent / "cgroup.procs").write_text(pid)
            try:
                return self.folder.rmdir()
            except OSError:
                if time.monotonic() > deadline:
                    raise
            time.sleep(0.01)


def make(controller: str, cpus: str = "") -> Group:
    """A cgroup for `freezer`, or for `cpuset` with these `cpus` alone; raises `OSError` where none can be had."""
    where = mounts()
    if controller not in where and "" not in where:
        raise FileNotFoundError(f"no cgroups with {controller} are mounted")
    above = where.get(controller) or where[""]
    group = Group(above / f"{PREFIX}{os.getpid()}-{next(_serial)}", 1 if controller in where else 2)
    if group.version == 2 and cpus:  # noqa: PLR2004 - of cgroups
        (above / "cgroup.subtree_control").write_text("+cpuset")
    group.folder.mkdir()
    try:
        if cpus:
            (group.folder / "cpuset.cpus").write_text(cpus)
            (group.folder / "cpuset.mems").write_text((above / "cpuset.mems").read_text() if group.version == 1 else "")
        elif not any((group.folder / name).exists() for name in ("freezer.state", "cgroup.freeze")):
            raise FileNotFoundError(f"{group.folder} cannot be frozen")
    except OSError:
        group.folder.rmdir()
        raise
    return group


def refused(controller: str, cpus: str = "") -> str:
    """Why no such cgroup can be made here; empty where it can."""
    try:
        make(controller, cpus).remove()
    except OSError as error:
        return f"no cgroup of our own ({error.strerror or error})"
    return ""


@contextlib.contextmanager
def frozen(members: Callable[[], Collection[int]]) -> Iterator[Group]:
    """A group in which those processes are frozen until the end of the block, and which stays then."""
    group = make("freezer")
    group.take(members)
    group.freeze(frozen=True)
    try:
        yield group
    finally:
        group.freeze(frozen=False)
