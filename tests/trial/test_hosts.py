"""A run whose generators are on other hosts, with a network, processes, clocks and an sshd of their own."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from bench.hosts import hosts, missing
from tests.polling import until

pytestmark = [
    pytest.mark.live,
    pytest.mark.beside,
    pytest.mark.skipif(missing() is not None, reason=missing() or ""),
]
TINY = """
blocks = 1
rounds = 1
slice_s = 0.2
phases = ["closed"]

[[pair]]
scenario = "middleware"
connections = 6
b = { target = "fastapi", server = "uvicorn", middleware = "pure" }
"""
AHEAD_S = 100_000


def test_two_hosts_drive_a_run_and_keep_nothing_of_it(tmp_path: Path) -> None:
    """What they send goes straight to the servers; a monotonic clock that is a day ahead changes nothing."""
    (tmp_path / "tiny.toml").write_text(TINY)
    clients: set[str] = set()
    with hosts(tmp_path, ["harness", "one", "two"], {"two": AHEAD_S}) as made:
        here, *there = made.values()
        on = [f"--on=generator=ssh://root@{host.address}{tmp_path}/python" for host in there]
        argv = [str(tmp_path / "python"), "-m", "harness", "run", "tiny.toml", "--out=out", *on, "--bind", here.address]
        with (tmp_path / "log").open("wb") as log, here.start(argv, tmp_path, {}, stdout=log, stderr=log) as run:
            while run.poll() is None:
                clients |= here.clients()
                time.sleep(0.02)
            assert run.returncode in {0, 3}, (tmp_path / "log").read_text()  # 3: other tests have the CPUs
        assert until(lambda: not any(host.processes() for host in made.values()))
    assert clients - {here.address} == {host.address for host in there}, "none of it came through a tunnel"
    rows = [json.loads(line) for line in (tmp_path / "out/trials.jsonl").read_text().splitlines()]
    assert [row["error"] for row in rows] == [None, None]
    for row in rows:
        one, two = row["generators"]
        assert [one["machine"], two["machine"]] == [f"root@{host.address}" for host in there]
        assert row["round_trip_us"] > 0
        assert one["connections"] == two["connections"] == 3
        assert min(one["requests"], two["requests"]) > 0
        assert one["clock_offset_us"] == 0, "the network has no clock of its own"
        assert two["clock_offset_us"] == pytest.approx(AHEAD_S * 1e6, abs=two["clock_bound_us"])
    head = json.loads((tmp_path / "out/run.json").read_text())
    assert [machine["host"] for machine in head["plan"]["machines"]] == [host.address for host in there]
    assert head["plan"]["bind"] == here.address


def test_servers_are_measured_on_a_host_of_their_own_and_leave_nothing_there(tmp_path: Path) -> None:
    """With the slow API beside them; the load comes straight from here, and CPU and memory are read there."""
    (tmp_path / "tiny.toml").write_text(TINY.replace('"middleware"', '"external-data"').partition("b =")[0])
    served: set[str] = set()
    with hosts(tmp_path, ["harness", "server"], {"server": AHEAD_S}) as made:
        here, there = made.values()
        on = f"--on=server=ssh://root@{there.address}{tmp_path}/python"
        argv = [str(tmp_path / "python"), "-m", "harness", "run", "tiny.toml", "--out=out", on]
        with (tmp_path / "log").open("wb") as log, here.start(argv, tmp_path, {}, stdout=log, stderr=log) as run:
            while run.poll() is None:
                served |= set(there.processes().values())
                time.sleep(0.1)
            assert run.returncode in {0, 3}, (tmp_path / "log").read_text()  # 3: other tests have the CPUs
        assert until(lambda: not any(host.processes() for host in made.values()))
    assert any("targets.upstream" in words for words in served)
    rows = [json.loads(line) for line in (tmp_path / "out/trials.jsonl").read_text().splitlines()]
    assert [row["error"] for row in rows] == [None, None]
    for row in rows:
        assert row["memory_bytes"] > 1 << 20
        assert row["round_trip_us"] > 0
        assert row["slices"][0]["cpu_s"] > 0
        assert row["services_cpu_s"]["upstream"] > 0
    head = json.loads((tmp_path / "out/run.json").read_text())
    assert (head["plan"]["server"]["host"], head["plan"]["bind"]) == (there.address, there.address)
    machine = head["environment"]["server_machine"]
    assert machine["name"] == f"root@{there.address}"
    assert machine["round_trip_us"] > 0
