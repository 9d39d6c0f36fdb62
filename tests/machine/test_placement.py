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
