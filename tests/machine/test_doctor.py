"""Whether a machine is fit to measure on."""

from __future__ import annotations

import importlib.metadata
import os
import socket
from pathlib import Path

import pytest

from harness.machine import doctor, ports
from harness.machine.doctor import examine
from harness.machine.guard import Swept
from harness.machine.identity import Identity
from harness.machine.look import Finding, Noise
from harness.machine.neighbours import announced

SYSTEM = "sys/devices/system"


def finding(what: str) -> Finding:
    """The one about `what`, without a look at the noise."""
    return next(each for each in examine() if each.what == what)


def machine(root: Path, **files: str) -> Path:
    """A machine whose kernel says so: path, with `__` for a slash, to text."""
    for name, text in files.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_everything_is_looked_at_and_what_is_not_well_has_effect_and_remedy():
    """On whatever machine this runs: first what disturbs a run, then the rest."""
    findings = list(examine(seconds=0.02))
    assert [each.what for each in findings] == [
        "CPUs",
        "CPU quota",
        "cores",
        "file descriptors",
        "memory",
        "load of others",
        "steal",
        "evenness",
        "frequency",
        "turbo",
        "swap",
        "clock",
        "client ports",
        "server ports",
        "port of serve",
        "Redis",
        "servers",
        "orphans",
        "left behind",
        "other harnesses",
        "kernel",
    ]
    assert all(each.remedy and each.effect for each in findings if each.grade != "ok")
    assert all(each.seen for each in findings)


@pytest.mark.parametrize(("cpus", "grade"), [((0,), "unfit"), ((0, 1), "ok"), (tuple(range(8)), "ok")])
def test_server_and_generator_need_a_cpu_each(
    cpus: tuple[int, ...], grade: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On one they would measure one another."""
    monkeypatch.setattr(doctor, "usable_cpus", lambda: cpus)
    assert finding("CPUs").grade == grade


@pytest.mark.parametrize(
    ("range_", "reuse", "waiting", "grade"),
    [
        ("32768\t60999", "2", 0, "ok"),
        ("50000\t50999", "2", 0, "ok"),
        ("50000\t50999", "0", 0, "warning"),
        ("32768\t60999", "2", 20_000, "warning"),
    ],
)
def test_few_ports_of_clients_and_many_that_wait_matter(
    tmp_path: Path, range_: str, reuse: str, waiting: int, grade: str
) -> None:
    """A server that closes each connection leaves each port waiting for a minute."""
    files = {"ip_local_port_range": range_, "tcp_tw_reuse": reuse}
    root = machine(tmp_path, **{f"proc__sys__net__ipv4__{name}": text for name, text in files.items()})
    machine(root, proc__net__sockstat=f"TCP: inuse 5 orphan 0 tw {waiting} alloc 7 mem 1\n")
    found = doctor.client_ports(root)
    assert found.grade == grade
    assert f"{waiting:,} sockets in TIME_WAIT" in found.seen


def test_a_taken_port_is_named_and_a_range_without_a_free_one_is_unfit(monkeypatch: pytest.MonkeyPatch) -> None:
    """A real listener."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        monkeypatch.setattr(ports, "PORTS", range(port, port + 1))
        found = doctor.server_ports()
        assert (found.grade, f"taken: {port}" in found.seen) == ("unfit", True)
        assert "no server can be launched" in found.effect
        monkeypatch.setattr(ports, "SERVE", port)
        assert finding("port of serve").seen == f"{port} is taken"
        assert "--port 0" in finding("port of serve").remedy
    assert port not in ports.listening()


def test_ports_of_servers_that_the_kernel_gives_to_clients_are_warned_of(tmp_path: Path) -> None:
    """A client may come first."""
    found = doctor.server_ports(machine(tmp_path, proc__sys__net__ipv4__ip_local_port_range="15000 60999"))
    assert found.grade == "warning"
    assert "clients get 15000 to 60999" in found.seen


def test_without_a_redis_it_is_said_how_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is no reason not to measure anything else."""
    monkeypatch.delenv("GATEBENCH_REDIS_URL", raising=False)
    monkeypatch.setattr(doctor, "find_redis", lambda: None)
    redis = finding("Redis")
    assert redis.grade == "warning"
    assert "apt install redis-server" in redis.remedy


def test_a_server_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside the versions of the others."""

    def version(name: str) -> str:
        if name == "granian":
            raise importlib.metadata.PackageNotFoundError
        return "1.2.3"

    monkeypatch.setattr(importlib.metadata, "version", version)
    servers = finding("servers")
    assert (servers.grade, servers.remedy) == ("warning", "pip install granian")
    assert "granian is missing, gunicorn 1.2.3" in servers.seen


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


@pytest.mark.parametrize(("name", "grade"), [("performance", "ok"), ("powersave", "warning")])
def test_a_frequency_that_is_saved_is_warned_of(tmp_path: Path, name: str, grade: str) -> None:
    """A CPU that first has to speed up is measured slow."""
    path = tmp_path / SYSTEM / "cpu/cpu0/cpufreq/scaling_governor"
    path.parent.mkdir(parents=True)
    path.write_text(name)
    assert (doctor.governor(tmp_path).grade, doctor.governor(tmp_path).seen) == (grade, name)


@pytest.mark.parametrize(
    ("file", "text", "grade", "remedy"),
    [
        ("intel_pstate/no_turbo", "0", "warning", "intel_pstate"),
        ("intel_pstate/no_turbo", "1", "ok", ""),
        ("cpufreq/boost", "1", "warning", "cpufreq/boost"),
        ("cpufreq/boost", "0", "ok", ""),
    ],
)
def test_turbo_is_warned_of(tmp_path: Path, file: str, text: str, grade: str, remedy: str) -> None:
    """With the switch that there is."""
    path = tmp_path / SYSTEM / "cpu" / file
    path.parent.mkdir(parents=True)
    path.write_text(text)
    assert doctor.turbo(tmp_path).grade == grade
    assert remedy in doctor.turbo(tmp_path).remedy
    assert doctor.turbo(tmp_path / "nothing").seen == "unknown"


def test_swap_in_use_and_a_slow_clock_are_warned_of(tmp_path: Path) -> None:
    """With their evidence."""
    machine(tmp_path, proc__meminfo="MemTotal: 9 kB\nSwapTotal:  2048 kB\nSwapFree:  1024 kB\n")
    assert (doctor.swap(tmp_path).grade, doctor.swap(tmp_path).seen[:4]) == ("warning", "1.00")
    machine(tmp_path, sys__devices__system__clocksource__clocksource0__current_clocksource="hpet\n")
    assert (doctor.clock_source(tmp_path).grade, doctor.clock_source(tmp_path).seen) == ("warning", "hpet")
    assert doctor.swap(tmp_path / "nothing").grade == doctor.clock_source(tmp_path / "nothing").grade == "ok"


@pytest.mark.parametrize(("spread", "grade"), [(None, "ok"), (0.01, "ok"), (0.5, "warning")])
def test_uneven_work_is_warned_of(spread: float | None, grade: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Equal pieces of it should take equally long."""
    monkeypatch.setattr(doctor, "watch", lambda _seconds: Noise(outside=0, steal=0, spread=spread))
    assert finding("evenness").grade == grade


def test_a_harness_that_is_at_work_is_listed(tmp_path: Path) -> None:
    """With process, command and folder, of those with a file in that folder."""
    assert doctor.other_harnesses(tmp_path).grade == "ok"
    with announced("gatebench run quick", Path("/x/results/a"), tmp_path):
        found = doctor.other_harnesses(tmp_path)
    assert found.grade == "warning"
    assert found.seen == f"process {os.getpid()}, `gatebench run quick`, into /x/results/a"
    assert "each disturbs the other" in found.effect
    assert doctor.other_harnesses(tmp_path / "gone").grade == "ok"
