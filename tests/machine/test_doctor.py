"""Whether a machine is fit to measure on."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from itertools import chain, repeat
from pathlib import Path

import pytest

from harness.machine import doctor, usage
from harness.machine.doctor import Finding, examine
from harness.machine.guard import Swept
from harness.machine.identity import Identity
from harness.machine.usage import Machine, Usage


def finding(what: str) -> Finding:
    """The one about `what`, after as short a look at the noise as there can be."""
    return next(each for each in examine(seconds=0.002) if each.what == what)


def test_everything_is_looked_at_and_what_is_not_well_has_a_remedy():
    """On whatever machine this runs."""
    findings = list(examine(seconds=0.02))
    assert [each.what for each in findings] == [
        "CPUs",
        "file descriptors",
        "client ports",
        "Redis",
        "left behind",
        "frequency",
        "load of others",
        "steal",
        "evenness",
        "kernel",
    ]
    assert all(each.remedy for each in findings if each.grade != "ok")


@pytest.mark.parametrize(("cpus", "grade"), [((0,), "unfit"), ((0, 1), "ok"), (tuple(range(8)), "ok")])
def test_server_and_generator_need_a_cpu_each(
    cpus: tuple[int, ...], grade: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On one they would measure one another."""
    monkeypatch.setattr(doctor, "usable_cpus", lambda: cpus)
    assert finding("CPUs").grade == grade


@pytest.mark.parametrize(("limits", "grade"), [((1024, 1_000_000), "ok"), ((256, 512), "unfit"), ((256, 4096), "ok")])
def test_the_hard_limit_of_open_files_counts(
    limits: tuple[int, int], grade: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For the soft one is raised to it."""
    monkeypatch.setattr(resource, "getrlimit", lambda _which: limits)
    assert finding("file descriptors").grade == grade


@pytest.mark.parametrize(
    ("ports", "reuse", "grade"),
    [("32768\t60999", "2", "ok"), ("50000\t50999", "2", "ok"), ("50000\t50999", "0", "warning")],
)
def test_few_ports_matter_where_they_are_not_used_again(
    ports: str, reuse: str, grade: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that closes each connection leaves each port waiting for a minute."""
    files = {"ip_local_port_range": ports, "tcp_tw_reuse": reuse}
    monkeypatch.setattr(doctor, "_read", lambda path, otherwise: files.get(Path(path).name, otherwise))
    assert finding("client ports").grade == grade


def test_without_a_redis_it_is_said_how_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is no reason not to measure anything else."""
    monkeypatch.delenv("GATEBENCH_REDIS_URL", raising=False)
    monkeypatch.setattr(doctor, "find_redis", lambda: None)
    redis = finding("Redis")
    assert redis.grade == "warning"
    assert "apt install redis-server" in redis.remedy


@pytest.mark.parametrize(
    ("swept", "grade", "seen"),
    [
        ([], "ok", "nothing"),
        ([Swept(Identity(7, 1), ended=2, left=0)], "ok", "processes ended now: 2, started by gatebench"),
        ([Swept(Identity(7, 1), 1, 0), Swept(Identity(8, 1), 0, 1)], "warning", "processes that cannot be ended: 1"),
    ],
)
def test_what_earlier_runs_have_left_is_told(
    swept: list[Swept], grade: str, seen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is ended by the look itself."""
    monkeypatch.setattr(doctor, "sweep", lambda: swept)
    assert finding("left behind").grade == grade
    assert finding("left behind").seen.startswith(seen)


@pytest.mark.parametrize(("governor", "grade"), [("performance", "ok"), ("powersave", "warning")])
def test_a_frequency_that_is_saved_is_warned_of(governor: str, grade: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A CPU that first has to speed up is measured slow."""
    monkeypatch.setattr(doctor, "_read", lambda path, otherwise: governor if path.endswith("governor") else otherwise)
    assert finding("frequency").grade == grade


@pytest.mark.parametrize(("busy", "grade"), [(5.0, "ok"), (20.0, "warning"), (60.0, "unfit")])
def test_load_of_others_is_judged_by_its_share(busy: float, grade: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of all the time that there was."""
    readings(monkeypatch, Machine(0, 0, 0), Machine(100, busy, 0))
    assert finding("load of others").grade == grade


@pytest.mark.parametrize(("stolen", "grade"), [(1.0, "ok"), (8.0, "warning")])
def test_stolen_time_is_warned_of_whether_idle_or_at_work(
    stolen: float, grade: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hypervisor may take it only from a machine that works."""
    readings(monkeypatch, Machine(0, 0, 0), Machine(100, 0, 0), Machine(200, 100, stolen))
    assert finding("steal").grade == grade


@pytest.mark.parametrize(("pieces", "grade"), [((1.0, 1.0, 1.01), "ok"), ((1.0, 1.0, 2.0), "warning")])
def test_uneven_work_is_warned_of(pieces: tuple[float, ...], grade: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Equal pieces of it should take equally long."""
    monkeypatch.setattr(doctor, "_pieces", lambda _seconds: iter(pieces))
    assert finding("evenness").grade == grade


def readings(monkeypatch: pytest.MonkeyPatch, *machines: Machine) -> None:
    """Have the machine read so, one after the other, and ourselves use nothing."""
    rest: Iterator[Machine] = chain(machines, repeat(machines[-1]))
    monkeypatch.setattr(usage, "machine", lambda: next(rest))
    monkeypatch.setattr(usage, "usage", lambda _pids: Usage({}))
