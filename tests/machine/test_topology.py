"""Which CPUs belong together, and what a role gets of them: recorded topologies."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.machine.placement import Placement, place
from harness.machine.topology import topology


def laid_out(
    root: Path,
    cpus: range,
    *,
    core: Callable[[int], list[int]],
    cache: Callable[[int], list[int]] | None = None,
    node: Callable[[int], int] = lambda _: 0,
) -> Path:
    """Files as the kernel has them: for each CPU the threads of its core, those of its last cache, and its node."""
    for cpu in cpus:
        folder = root / f"sys/devices/system/cpu/cpu{cpu}"
        (folder / "topology").mkdir(parents=True)
        (folder / "topology/thread_siblings_list").write_text(",".join(map(str, core(cpu))) + "\n")
        (folder / f"node{node(cpu)}").mkdir()
        for index, shared in enumerate((core(cpu), cache(cpu) if cache else list(cpus))):
            (folder / f"cache/index{index}").mkdir(parents=True)
            (folder / f"cache/index{index}/shared_cpu_list").write_text(",".join(map(str, shared)) + "\n")
    return root


def plain(root: Path) -> Path:
    """Eight cores of one thread."""
    return laid_out(root, range(8), core=lambda cpu: [cpu])


def halves(root: Path) -> Path:
    """Four cores of two threads, numbered as Intel's: 0 and 4 are one core."""
    return laid_out(root, range(8), core=lambda cpu: [cpu % 4, cpu % 4 + 4])


def neighbours(root: Path) -> Path:
    """Four cores of two threads, numbered as in many virtual machines: 0 and 1 are one core."""
    return laid_out(root, range(8), core=lambda cpu: [cpu // 2 * 2, cpu // 2 * 2 + 1])


def sockets(root: Path) -> Path:
    """Two sockets of four cores of two threads; the kernel numbers first threads first, and sockets in turn."""
    return laid_out(root, range(16), core=lambda cpu: [cpu % 8, cpu % 8 + 8], node=lambda cpu: cpu % 2)


def clusters(root: Path) -> Path:
    """Four clusters of two cores, each with a cache of its own; numbered across the clusters."""
    return laid_out(root, range(8), core=lambda cpu: [cpu], cache=lambda cpu: [cpu % 4, cpu % 4 + 4])


def one_core(root: Path) -> Path:
    """One core of two threads."""
    return laid_out(root, range(2), core=lambda _: [0, 1])


def two_cores(root: Path) -> Path:
    """Two cores of two threads."""
    return laid_out(root, range(4), core=lambda cpu: [cpu // 2 * 2, cpu // 2 * 2 + 1])


@pytest.mark.parametrize(
    ("machine", "cpus", "server", "generator", "services"),
    [
        (plain, range(8), (0, 1, 2, 3, 4, 5), (6,), (7,)),
        (halves, range(8), (0, 1, 4, 5), (2,), (7,)),
        (neighbours, range(8), (0, 1, 2, 3), (4,), (7,)),
        (sockets, range(16), (0, 1, 2, 3, 4, 6, 8, 9, 10, 11, 12, 14), (5,), (15,)),
        (clusters, range(8), (0, 1, 2, 4, 5, 6), (3,), (7,)),
        (two_cores, range(4), (0, 1), (2,), (3,)),
        (one_core, range(2), (0,), (1,), (1,)),
        (neighbours, (0, 2, 3, 4, 5, 6, 7), (0, 2, 3), (4,), (7,)),  # CPU 1 is offline
        (neighbours, (0, 1, 2), (0, 1), (2,), (2,)),  # a container's CPUs
        (Path, range(4), (0, 1), (2,), (3,)),  # a machine that tells nothing
    ],
)
def test_a_role_gets_whole_cores(
    machine: Callable[[Path], Path],
    cpus: range,
    server: tuple[int, ...],
    generator: tuple[int, ...],
    services: tuple[int, ...],
    tmp_path: Path,
) -> None:
    """Servers are near one another, and share no core with the generator where there is another."""
    assert place(tuple(cpus), root=machine(tmp_path)) == Placement(server, generator, services)


@pytest.mark.parametrize(("count", "spread"), [(1, (0,)), (2, (0, 2)), (4, (0, 2, 4, 6)), (5, (0, 1, 2, 4, 6))])
def test_what_a_quota_leaves_is_spread_over_the_cores(count: int, spread: tuple[int, ...], tmp_path: Path) -> None:
    """Two CPUs of a quota are two cores, not two threads of one."""
    assert topology(range(8), neighbours(tmp_path)).spread(count) == spread


def test_a_stated_number_of_server_cpus_are_whole_cores_first(tmp_path: Path) -> None:
    """And no more than the servers can have."""
    root = halves(tmp_path)
    assert place(tuple(range(8)), 2, root=root).server == (0, 4)
    with pytest.raises(UsageError, match="the server can have 1 to 4"):
        place(tuple(range(8)), 5, root=root)
