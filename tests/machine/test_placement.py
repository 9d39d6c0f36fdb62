"""Which CPUs each role gets."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.machine import cgroups
from harness.machine.placement import place


@pytest.mark.parametrize("count", range(2, 17))
def test_server_and_generator_never_share_where_there_are_two_cpus(count: int) -> None:
    """Every CPU given is one of those usable, and no role is left without."""
    cpus = tuple(range(10, 10 + count))
    where = place(cpus)
    assert not where.shared
    assert {*where.server, *where.generator, *where.services} <= set(cpus)
    assert where.server
    assert len(where.generator) == len(where.services) == 1
    assert (where.generator == where.services) == (count < 4)


def test_one_cpu_is_shared_and_said_to_be() -> None:
    """Such figures are not to be trusted far."""
    assert place((3,)).shared


def test_the_servers_share_can_be_set() -> None:
    """Within what there is."""
    assert place(tuple(range(8)), 2).server == (0, 1)
    with pytest.raises(UsageError, match="--server-cpus 9"):
        place(tuple(range(8)), 9)


@pytest.mark.parametrize("server_cpus", [0, 2])
def test_the_servers_share_is_checked_on_one_cpu_too(server_cpus: int) -> None:
    """There it can have that one."""
    assert place((3,), 1).server == (3,)
    with pytest.raises(UsageError, match=f"--server-cpus {server_cpus}"):
        place((3,), server_cpus)


@pytest.mark.parametrize(
    ("files", "quota"),
    [
        ({"sys/fs/cgroup/cpu.max": "max 100000\n"}, None),
        ({"sys/fs/cgroup/cpu.max": "150000 100000\n"}, 1.5),
        ({"sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n"}, None),
        ({"sys/fs/cgroup/cpu/cpu.cfs_quota_us": "200000\n", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n"}, 2.0),
        ({}, None),
    ],
)
def test_the_cgroups_quota_is_read(tmp_path: Path, files: dict[str, str], quota: float | None) -> None:
    """Version 2 and version 1 of control groups."""
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert cgroups.quota(tmp_path) == quota


@pytest.mark.parametrize(
    ("count", "asked", "generators", "server", "generator"),
    [
        (1, None, 4, (0,), (0,)),
        (2, None, 2, (0,), (1,)),
        (3, None, 2, (0, 1), (2,)),
        (3, 2, 2, (0,), (1, 2)),
        (4, None, 2, (0, 1), (2,)),
        (8, None, 1, tuple(range(6)), (6,)),
        (8, None, 2, tuple(range(5)), (5, 6)),
        (8, None, 8, tuple(range(4)), (4, 5, 6)),
        (8, 5, 8, (0, 1), (2, 3, 4, 5, 6)),
        (8, 1, 8, tuple(range(6)), (6,)),
    ],
)
def test_several_generators_have_a_core_each_up_to_half_of_all(
    count: int, asked: int | None, generators: int, server: tuple[int, ...], generator: tuple[int, ...]
) -> None:
    """Or so many as are asked for."""
    where = place(tuple(range(count)), generator_cpus=asked, generators=generators)
    assert (where.server, where.generator) == (server, generator)
    assert where.shared == (count == 1)


@pytest.mark.parametrize(
    ("count", "asked", "generators", "says"),
    [
        (8, 7, 8, "--generator-cpus 7: of the 8 usable CPUs the generators can have 1 to 6"),
        (2, 2, 2, "--generator-cpus 2: of the 2 usable CPUs the generators can have 1"),
        (8, 2, 1, "--generator-cpus 2: a generator uses one CPU, so add --generators 2"),
    ],
)
def test_more_cpus_for_generators_than_there_are_or_are_of_use_are_refused(
    count: int, asked: int, generators: int, says: str
) -> None:
    """With what they can have."""
    with pytest.raises(UsageError) as caught:
        place(tuple(range(count)), generator_cpus=asked, generators=generators)
    assert str(caught.value) == says
