"""Which CPUs the server, the generator and the supporting services get.

Only those count that this process may use by its affinity and its cgroup's quota: a container that is given two CPUs of
sixty-four has two. The sets are disjoint where there are enough CPUs; on two, the server has one and the rest share the
other. Two threads of one core slow each other down: a role gets whole cores, and servers share one with the generator
only where there is no other.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path

from harness.errors import UsageError
from harness.machine import cgroups
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
    quota = cgroups.quota(root)
    return cpus if quota is None else topology(cpus, root).spread(max(1, math.floor(quota + 1e-9)))


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
