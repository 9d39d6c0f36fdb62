"""Which CPUs belong together, and what a role gets of them: recorded topologies."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.machine.placement import Placement, place, spare_cores
from harness.machine.topology import topology
from tests.machine.topologies import clusters, halves, neighbours, one_core, plain, sockets, two_cores


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


@pytest.mark.parametrize(
    ("machine", "cpus", "workers", "cores"),
    [
        (plain, range(8), 1, 3),  # of seven beside the services up to half
        (plain, range(8), 5, 2),
        (plain, range(8), 7, 1),
        (plain, range(8), 9, 1),
        (plain, range(8), 0, 3),  # servers run already
        (halves, range(8), 1, 1),
        (neighbours, range(8), 1, 1),
        (sockets, range(16), 2, 3),
        (sockets, range(16), 5, 2),
        (clusters, range(8), 4, 3),
        (two_cores, range(4), 1, 1),
        (one_core, range(2), 1, 1),
        (Path, range(2), 1, 1),  # two CPUs: nothing changes
        (Path, range(1), 1, 1),
        (neighbours, (0, 2, 3, 4, 5, 6, 7), 1, 1),  # CPU 1 is offline
    ],
)
def test_generators_can_have_the_cores_that_no_worker_needs(
    machine: Callable[[Path], Path], cpus: range, workers: int, cores: int, tmp_path: Path
) -> None:
    """And `place` gives them just these, of which servers have none where there are two."""
    root = machine(tmp_path)
    assert spare_cores(tuple(cpus), workers, root) == cores
    where = place(tuple(cpus), generators=cores, root=root)
    assert len(where.generator) == cores
    assert len(topology(where.server, root).cores) >= min(workers, len(where.server)) or cores == 1
    assert where.shared == (len(cpus) == 1)


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
