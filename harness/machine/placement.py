"""Which CPUs the server, the generator and the supporting services get.

Only those count that this process may use by its affinity and its cgroup's quota: a container that is given two CPUs of
sixty-four has two. The sets are disjoint where there are enough CPUs; on two, the server has one and the rest share the
other. Two threads of one core slow each other down: a role gets whole cores, and servers share one with the generator
only where there is no other.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from harness.errors import UsageError
from harness.machine.topology import topology


@dataclass(frozen=True, slots=True)
class Placement:
    """CPU numbers for each role; two roles may share."""

    server: tuple[int, ...]
    generator: tuple[int, ...]
    services: tuple[int, ...]

    @property
    def shared(self) -> bool:
        """Whether the server shares a CPU with generator or services: then the figures cannot be trusted far."""
        return bool(set(self.server) & (set(self.generator) | set(self.services)))

    def as_dict(self) -> dict[str, tuple[int, ...]]:
        """As the records keep it."""
        return {"server": self.server, "generator": self.generator, "services": self.services}


def usable_cpus(root: Path = Path("/")) -> tuple[int, ...]:
    """CPUs that this process may use: its affinity, cut to the cgroup's quota rounded down, at least one.

    What a quota leaves is spread over as many cores as there are.
    """
    cpus = tuple(sorted(os.sched_getaffinity(0)))
    quota = cgroup_quota(root)
    return cpus if quota is None else topology(cpus, root).spread(max(1, math.floor(quota + 1e-9)))


def cgroup_quota(root: Path = Path("/")) -> float | None:
    """CPUs that this process's cgroup and those above it allow, the fewest; None where there is no limit."""
    quotas = (_quota(folder) for folder in _cgroups(root))
    return min((quota for quota in quotas if quota is not None), default=None)


def _cgroups(root: Path) -> Iterator[Path]:
    """Folders that may be those of this process's cgroups, of version 2 and of the CPU controller of version 1.

    Inside of a container the path may be the host's, of which nothing is to be seen: the mounted folder is its own.
    """
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        lines = []
    paths = {PurePosixPath(line.split(":", 2)[2].lstrip("/")) for line in lines if line.count(":") > 1}
    above = {each for path in paths for each in (path, *path.parents)} | {PurePosixPath()}
    for mount in ("", "cpu", "cpu,cpuacct"):
        for path in sorted(above):
            yield root / "sys/fs/cgroup" / mount / path


def _quota(cgroup: Path) -> float | None:
    """Of one cgroup: v2 `cpu.max`, v1 `cpu.cfs_quota_us`; None where it has no limit, or is none."""
    try:
        if (cgroup / "cpu.max").is_file():
            quota, _, period = (cgroup / "cpu.max").read_text().partition(" ")
        else:
            quota, period = ((cgroup / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period"))
        return int(quota) / int(period) if int(quota) > 0 else None
    except (OSError, ValueError):  # no such file, or `max`
        return None


def place(cpus: tuple[int, ...], server_cpus: int | None = None, root: Path = Path("/")) -> Placement:
    """Share out `cpus`, whole cores to a role (`topology`).

    One CPU: all on it. One core of several threads: the last is for generator and services, the rest for the server.
    Two or three cores: the last one is theirs, each on a thread of its own if it has two. More: the generator has one,
    the services another. The server has the rest, or the first `server_cpus` of it. Raises `UsageError` when there are
    not so many for the server.
    """
    cores = topology(cpus, root).cores
    if len(cores) == 1:
        cores = tuple((cpu,) for cpu in cores[0])
    spare = 1 if len(cores) < 4 else 2  # noqa: PLR2004 - the rule is the docstring's
    server = tuple(cpu for core in cores[: max(1, len(cores) - spare)] for cpu in core)
    if server_cpus is not None:
        if not 1 <= server_cpus <= len(server):
            most = "1" if len(server) == 1 else f"1 to {len(server)}"
            raise UsageError(f"--server-cpus {server_cpus}: of the {len(cpus)} usable CPUs the server can have {most}")
        server = server[:server_cpus]
    return Placement(tuple(sorted(server)), generator=cores[-spare][:1], services=cores[-1][-1:])
