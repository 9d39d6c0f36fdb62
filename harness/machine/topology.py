"""How the CPUs of a machine belong together: threads of one core, cores of one cache, caches of one memory node."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain, zip_longest
from pathlib import Path

CPUS = "sys/devices/system/cpu"


@dataclass(frozen=True, slots=True)
class Topology:
    """The cores of a machine, each with those of its threads that may be used."""

    cores: tuple[tuple[int, ...], ...]
    """Neighbours share a cache where they can, and a memory node where they can."""

    def spread(self, count: int) -> tuple[int, ...]:
        """So many CPUs of as many cores as there are: a second thread of a core only when every core has given one."""
        turns = zip_longest(*self.cores)
        return tuple(sorted([cpu for cpu in chain.from_iterable(turns) if cpu is not None][:count]))


def topology(cpus: Iterable[int], root: Path = Path("/")) -> Topology:
    """The cores of `cpus`, as the kernel tells (sysfs). What it does not tell is taken for a core of its own."""
    usable = sorted(cpus)
    cores = {frozenset(threads_beside(cpu, root)).intersection(usable) or frozenset({cpu}) for cpu in usable}
    return Topology(tuple(tuple(sorted(core)) for core in sorted(cores, key=lambda core: _near(min(core), root))))


def threads_beside(cpu: int, root: Path = Path("/")) -> set[int]:
    """The CPUs that are threads of the core of `cpu`, itself among them."""
    return _listed(root / CPUS / f"cpu{cpu}/topology/thread_siblings_list") or {cpu}


def _near(cpu: int, root: Path) -> tuple[int, int, int]:
    """By memory node, then by what shares the last cache, then by number."""
    folder = root / CPUS / f"cpu{cpu}"
    node = min((int(path.name.removeprefix("node")) for path in folder.glob("node[0-9]*")), default=0)
    caches = sorted(folder.glob("cache/index[0-9]*/shared_cpu_list"))
    return node, min(_listed(caches[-1]), default=0) if caches else 0, cpu


def _listed(path: Path) -> set[int]:
    """CPUs as the kernel writes them, `0,64` or `0-1`; none where it does not."""
    try:
        ranges = [part.partition("-") for part in path.read_text().strip().split(",")]
        return {each for low, _, high in ranges for each in range(int(low), int(high or low) + 1)}
    except (OSError, ValueError):
        return set()
