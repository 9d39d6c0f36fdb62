"""What the cgroups of this process allow: CPU time and memory, in both versions of cgroups."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

UNLIMITED = 1 << 60
"""From so many bytes on a limit is none: version 1 writes the highest number that there is."""


@dataclass(frozen=True, slots=True)
class Memory:
    """A limit of memory, in bytes, and what is left of it."""

    limit: int
    left: int
    """What is used counts, but for pages of files that the kernel gives up when it needs them."""


def quota(root: Path = Path("/")) -> float | None:
    """CPUs that this process's cgroup and those above it allow, the fewest; None where there is no limit."""
    quotas = (_quota(folder) for folder in _folders(root, ("", "cpu", "cpu,cpuacct")))
    return min((each for each in quotas if each is not None), default=None)


def memory(root: Path = Path("/")) -> Memory | None:
    """Of this process's cgroup and those above it the limit of which least is left; None where there is no limit."""
    limits = (_memory(folder) for folder in _folders(root, ("", "memory")))
    return min((each for each in limits if each is not None), key=lambda each: each.left, default=None)


def _folders(root: Path, mounts: tuple[str, ...]) -> Iterator[Path]:
    """Folders that may be those of this process's cgroups, of version 2 and of the `mounts` of version 1.

    Inside of a container the path may be the host's, of which nothing is to be seen: the mounted folder is its own.
    """
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        lines = []
    paths = {PurePosixPath(line.split(":", 2)[2].lstrip("/")) for line in lines if line.count(":") > 1}
    above = {each for path in paths for each in (path, *path.parents)} | {PurePosixPath()}
    for mount in mounts:
        for path in sorted(above):
            yield root / "sys/fs/cgroup" / mount / path


def _quota(cgroup: Path) -> float | None:
    """Of one cgroup: v2 `cpu.max`, v1 `cpu.cfs_quota_us`; None where it has no limit, or is none."""
    try:
        if (cgroup / "cpu.max").is_file():
            allowed, _, period = (cgroup / "cpu.max").read_text().partition(" ")
        else:
            allowed, period = ((cgroup / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period"))
        return int(allowed) / int(period) if int(allowed) > 0 else None
    except (OSError, ValueError):  # no such file, or `max`
        return None


def _memory(cgroup: Path) -> Memory | None:
    """Of one cgroup: v2 `memory.max`, v1 `memory.limit_in_bytes`; None where it has no limit, or is none."""
    second = (cgroup / "memory.max").is_file()
    names = ("max", "current") if second else ("limit_in_bytes", "usage_in_bytes")
    try:
        limit, used = (int((cgroup / f"memory.{name}").read_text()) for name in names)
        pairs = dict(line.split(" ", 1) for line in (cgroup / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):  # no such file, or `max`
        return None
    given_up = int(pairs.get("inactive_file" if second else "total_inactive_file", 0))
    return None if limit >= UNLIMITED else Memory(limit, max(0, limit - max(0, used - given_up)))
