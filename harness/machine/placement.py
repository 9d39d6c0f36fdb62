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


def place(
    cpus: tuple[int, ...],
    server_cpus: int | None = None,
    generator_cpus: int | None = None,
    *,
    generators: int = 1,
    root: Path = Path("/"),
) -> Placement:
    """Share out `cpus`, whole cores to a role (`topology`).

    One CPU: all on it. One core of several threads: the last is for generators and services, the rest for the server.
    Two or three cores: the services share the last one with a generator, each on a thread of its own if it has two.
    More: the services have it alone. Each of `generators` has a core before that, up to half of them all; or they have
    `generator_cpus`. The server has the rest, or the first `server_cpus` of it. Raises `UsageError` when there are not
    so many for a role.
    """
    cores = _cores(cpus, root)
    apart = _apart(cores)
    driving = _driving(len(cpus), len(cores) - apart, generator_cpus, generators)
    first = max(0, len(cores) - apart - driving)
    server = tuple(cpu for core in cores[: max(1, first)] for cpu in core)
    if server_cpus is not None:
        server = server[
            : _within("--server-cpus", server_cpus, len(server), f"of the {len(cpus)} usable CPUs the server")
        ]
    generator = tuple(core[0] for core in cores[first : first + driving])
    return Placement(tuple(sorted(server)), tuple(sorted(generator)), services=cores[-1][-1:])


def spare_cores(cpus: tuple[int, ...], workers: int, root: Path = Path("/")) -> int:
    """How many cores `place` can give to generators while each of so many workers keeps one; at least one."""
    cores = _cores(cpus, root)
    others = len(cores) - _apart(cores)
    return max(1, min(others - workers, others // 2))


def _cores(cpus: tuple[int, ...], root: Path) -> tuple[tuple[int, ...], ...]:
    """The cores; of a single one each thread stands for one."""
    cores = topology(cpus, root).cores
    return tuple((cpu,) for cpu in cores[0]) if len(cores) == 1 else cores


def _apart(cores: tuple[tuple[int, ...], ...]) -> bool:
    """Whether the services have a core of their own."""
    return len(cores) >= 4  # noqa: PLR2004 - the rule is that of `place`


def _driving(cpus: int, cores: int, asked: int | None, generators: int) -> int:
    """How many of the cores, of which the server has one at least, are the generators'."""
    if asked is None:
        return max(1, min(generators, cores // 2))
    if asked > generators:
        raise UsageError(f"--generator-cpus {asked}: a generator uses one CPU, so add --generators {asked}")
    return _within("--generator-cpus", asked, max(1, cores - 1), f"of the {cpus} usable CPUs the generators")


def _within(option: str, asked: int, most: int, whose: str) -> int:
    if not 1 <= asked <= most:
        raise UsageError(f"{option} {asked}: {whose} can have {'1' if most == 1 else f'1 to {most}'}")
    return asked
