"""Servers and their services on another machine, through its agent; an `ssh` of the test's own stands in for it."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from harness.errors import AnswerError, MemoryLimitError, ServiceError, UsageError
from harness.machine.identity import table
from harness.machine.placement import Placement
from harness.machine.process import Process, running
from harness.machine.topology import Topology
from harness.spec.agents import Call, Failure, Hello, line, versions
from harness.strict import adapter
from harness.subject.services import Services
from harness.suite import BENCHMARKS, Options, Plan, build, load_suite
from harness.trial import link, office
from harness.trial.link import linked, raised
from harness.trial.machines import greeted
from harness.trial.office import Office, place_servers
from harness.trial.there import There, sited
from tests.polling import until
from tests.trial.machine_support import machine, without_network

TEN = machine("ten")
BIND = "127.0.0.2"
PLACED = Placement(server=(0,), generator=(), services=(0,))


def plan(wanted: str = "scenario=external-data") -> Plan:
    """A plan whose servers are on that machine, and call the slow API."""
    definitions, suite = load_suite("quick")
    return build(definitions, suite, Options(seed=1, wanted=wanted, server=TEN, bind=BIND))


@pytest.fixture
def ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The `ssh` that is called."""
    binaries = without_network(tmp_path)
    monkeypatch.setenv("PATH", str(binaries), prepend=os.pathsep)
    return binaries / "ssh"


@contextmanager
def there(planned: Plan, logs: Path) -> Iterator[tuple[There, Services]]:
    """The machine with the services of a plan."""
    logs.mkdir()
    with sited(planned, logs) as site, site.beside(planned, [], PLACED, logs, {}) as (services, missing):
        assert missing == {}
        yield site, services


@pytest.mark.live
@pytest.mark.usefixtures("ssh")
def test_an_arm_is_launched_watched_and_stopped_there(tmp_path: Path) -> None:
    """As one of this machine is; its log is here at the end. A machine that is lost is talked to anew."""
    planned, logs = plan(), tmp_path / "logs"
    arm = planned.groups[0].arms[0]
    with there(planned, logs) as (site, services):
        assert site.receipts([]).missing == {}
        with ExitStack() as stack:
            server = stack.enter_context(
                site.launch(arm, planned, services, cpus=(), log=logs / f"{arm.id}.log", key="/0", disturbance=None)
            )
            server.wait_ready()
            assert server.host == BIND
            before = services.hits().get(arm.id, 0)
            server.verify()
            assert services.hits()[arm.id] == before + arm.scenario.upstream_calls
            site.settle([server])
            members = server.process.members()
            assert server.process.alive()
            with running([sys.executable, "-c", "input()"], name="generator", log=logs / "g", pipes=("stdin",)) as ours:
                readings = site.readings()
                readings.begin(server, ours)
                readings.opened()
                server.verify()
                seen = readings.closed()
            assert seen is not None
            assert set(seen.cpu_s) == set(members)
            assert sum(seen.cpu_s.values()) > 0
            assert set(seen.services_cpu_s) == {"upstream"}
            memory = readings.drained()
            assert memory is not None
            assert memory.pss > 1 << 20
            assert server.process.with_log("is so").endswith(f"log: {logs}/{arm.id}.log")
            assert server.killed() is None
            for pid in below(ssh_of(site).pid, f":{server.port}"):  # members are called so in the agent's namespace
                os.kill(pid, signal.SIGKILL)
            assert until(lambda: not server.process.alive())
            assert "ended by signal 9" in str(server.process.died())
        assert (logs / f"{arm.id}.log").exists()
        assert services.problem("upstream") == ""
        ssh_of(site).kill()
        assert until(lambda: site.lost() is not None)
        assert "the servers' machine ten is lost: ssh ended with exit code -9" in services.problem("upstream")
        with pytest.raises(ServiceError, match="ten is lost"):
            services.hits()
        services.heal()
        assert site.lost() is None
        assert services.problem("upstream") == ""


def below(ancestor: int, word: str) -> list[int]:
    """The descendants of a process whose command line holds `word`, as they are called here."""
    parents = {pid: each.parent for pid, each in table().items() if not each.ended}
    found = {ancestor}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return [pid for pid in found if word in command(pid)]


def command(pid: int) -> str:
    """Its command line; empty where it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


def ssh_of(site: There) -> Process:
    """The ssh of a talk, and here what it has started."""
    return site._link._process


def test_a_machine_that_cannot_be_talked_to_says_why(ssh: Path) -> None:
    """As one of a generator does."""
    ssh.write_text("#!/bin/sh\necho 'connect to host ten port 22: No route to host' >&2\nexit 255\n")
    with pytest.raises(UsageError, match="ten: connect to host ten port 22: No route to host: `ssh ten true`"):
        greeted(plan())


def test_an_agent_that_is_silent_is_lost(tmp_path: Path, ssh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though its link does not close; whoever waits for an answer is told."""
    monkeypatch.setattr(link, "LOST_S", 0.2)
    hello = ssh.with_name("hello")
    hello.write_bytes(line(Hello(versions=versions(), machine={})))
    ssh.write_text(f"#!/bin/sh\ncat {hello}\nexec sleep 60\n")
    with linked(TEN, tmp_path / "log") as talk:
        talk.hello(30)
        with pytest.raises(ServiceError, match="the servers' machine ten is lost: no heartbeat from it"):
            talk.call("heal", 30)


def test_other_code_there_is_refused(ssh: Path) -> None:
    """Servers are launched and read by it."""
    hello = ssh.with_name("hello")
    hello.write_bytes(line(Hello(versions=versions() | {"code of servers": "0"}, machine={})))
    ssh.write_text(f"#!/bin/sh\ncat {hello}\ncat\n")
    with pytest.raises(UsageError, match=r"ten: code of servers 0 there and .* here: install the same with"):
        greeted(plan())


def test_what_is_of_the_harness_is_found_where_the_agent_has_it() -> None:
    """Its interpreter and its checkout; an app of the user's own lies at the same place on both."""
    planned = plan()
    arms = planned.groups[0].arms
    moved = replace(arms[0].target, folder="/opt/gatebench/targets/x", python="/opt/gatebench/python")
    own = replace(arms[1].target, folder="/srv/shop", python="/srv/shop/python")
    there_ = [replace(arms[0], target=moved), replace(arms[1], target=own)]
    found = [office._here(arm, "/opt/gatebench", "/opt/gatebench/python").target for arm in there_]
    assert (found[0].folder, found[0].python) == (f"{BENCHMARKS.parent}/targets/x", sys.executable)
    assert (found[1].folder, found[1].python) == (own.folder, own.python)


def test_a_call_that_fails_says_why_and_ends_nothing(tmp_path: Path) -> None:
    """Whatever is wrong with it."""
    desk = Office(tmp_path)
    told = adapter(Plan).dump_json(plan()).decode()
    for call, kind, text in (
        (Call(number=1, what="_stop", told={"arm": "p1a"}), "ServiceError", "an agent does no such thing"),
        (Call(number=1, what="start", told={"placement": PLACED.as_dict()}), "ServiceError", "there is no plan yet"),
        (Call(number=1, what="consider", told={"plan": told[:-1], "root": "/", "python": "p"}), "ServiceError", "JSON"),
        (Call(number=1, what="members", told={"arm": "p1a"}), "ServiceError", "members: KeyError"),
    ):
        answer = desk.do(call)
        assert answer.number == 1
        assert answer.failure is not None
        assert answer.failure.kind == kind
        assert text in answer.failure.text
    assert desk.do(Call(number=2, what="finish")).value == {}


def test_an_error_comes_as_what_it_was() -> None:
    """Of those that a block knows; any other is the machine's."""
    assert isinstance(raised(Failure(kind="AnswerError", text="x")), AnswerError)
    assert isinstance(raised(Failure(kind="SystemExit", text="x")), ServiceError)
    assert isinstance(raised(Failure(kind="DefinitionError", text="x")), ServiceError)
    killed = raised(Failure(kind="MemoryLimitError", text="x", oom_kills=2, peak_bytes=9))
    assert isinstance(killed, MemoryLimitError)
    assert (killed.oom_kills, killed.peak_bytes) == (2, 9)


def test_servers_have_all_cores_but_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which the services have; of a single one both."""
    monkeypatch.setattr(office, "topology", lambda cpus: Topology(tuple((cpu, cpu + 4) for cpu in cpus)))
    assert place_servers((0, 1, 2)) == Placement(server=(0, 1, 4, 5), generator=(), services=(6,))
    monkeypatch.setattr(office, "topology", lambda cpus: Topology(tuple((cpu,) for cpu in cpus)))
    assert place_servers((3,)) == Placement(server=(3,), generator=(), services=(3,))
