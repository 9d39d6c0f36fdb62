"""How many generators drive a run that does not say it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import typer

from harness.cli import app, driving
from harness.cli.driving import drivers, shared_out, wanted
from harness.errors import UsageError
from harness.machine.placement import place
from harness.record import calibration as calibrations
from harness.spec.machines import Machine
from harness.suite import Deploy, Plan
from tests import factories
from tests.calibration_support import calibration
from tests.machine.topologies import clusters, sockets, two_cores

SIXTEEN = tuple(range(16))


def plan_of(workers: int, rate_rps: float | None = None, **changes: object) -> Plan:
    """A pair whose arms have so many workers."""
    arms = [factories.arm(name, workers=workers, rate_rps=rate_rps) for name in ("p1a", "p1b")]
    return factories.plan(factories.group(*arms), **changes)


@pytest.mark.parametrize(
    ("workers", "rate_rps", "server_cpus", "count"),
    [
        (1, None, None, 1),
        (4, None, None, 1),
        (8, None, None, 2),  # 8/9 of what a core can send is more than it is trusted with
        (13, None, None, 2),
        (14, None, None, 1),  # no core is free
        (13, None, 7, 1),  # seven of them run at once
        (4, 84_000.0, None, 1),
        (4, 200_000.0, None, 3),
        (4, 2_000_000.0, None, 7),  # half of the cores beside the services
        (11, 2_000_000.0, None, 4),
        (11, 2_000_000.0, 13, 2),
    ],
)
def test_the_load_wants_as_many_generators_as_its_rate_by_what_one_is_trusted_with(
    workers: int, rate_rps: float | None, server_cpus: int | None, count: int
) -> None:
    """85,000 a second on a machine of sixteen cores, where cores are free."""
    assert wanted(plan_of(workers, rate_rps), calibration(), SIXTEEN, server_cpus) == count


def test_recorded_topologies_have_as_many_generators_as_they_have_cores_for(tmp_path: Path) -> None:
    """Threads are no cores."""
    fast, roots = plan_of(2, 2e6), [tmp_path / name for name in ("sockets", "clusters", "two")]
    machines = [sockets(roots[0]), clusters(roots[1]), two_cores(roots[2])]
    cpus = [tuple(range(count)) for count in (16, 8, 4)]
    assert [wanted(fast, calibration(), *each) for each in zip(cpus, (None,) * 3, machines, strict=True)] == [3, 3, 1]
    assert len(place(SIXTEEN, generators=3, root=machines[0]).generator) == 3


@pytest.mark.parametrize(
    ("count", "machines", "server", "says"),
    [
        (1, "", None, "1 generator on this machine"),
        (4, "", None, "4 generators on this machine"),
        (1, "a", None, "1 generator on a"),
        (3, "ab", None, "3 generators on a (2) and b (1)"),
        (4, "abc", "d", "4 generators on a (2), b (1) and c (1), servers on d"),
        (2, "aa", None, "2 generators on a (2)"),
        (1, "", "d", "1 generator on this machine, servers on d"),
    ],
)
def test_who_drives_is_said_with_where(count: int, machines: str, server: str | None, says: str) -> None:
    """How many each machine has."""
    there = tuple(Machine(host=name) for name in machines)
    its = Machine(host=server) if server else None
    plan = factories.plan(generators=count, machines=there, server=its)
    assert drivers(plan) == says


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Results with a calibration, on a machine of sixteen CPUs."""
    monkeypatch.setattr(driving, "usable_cpus", lambda: SIXTEEN)
    calibrations.store(calibration(), tmp_path)
    return tmp_path


def test_what_is_chosen_is_said(kept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With why, and how to say another number."""
    assert shared_out(plan_of(4, 200_000.0), kept, None, asked=False).generators == 3
    said = capsys.readouterr().err.replace("\u202f", " ")
    assert said.startswith("3 generators share the load, for one may be too slow: it is trusted up to 85,000/s; --gen")


@pytest.mark.parametrize("why", ["asked", "several", "elsewhere", "disturbed", "not calibrated", "slow"])
def test_who_says_it_or_needs_one_has_what_was_planned(
    why: str, kept: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Silently."""
    plan = plan_of(4, 20.0 if why == "slow" else 200_000.0)
    if why == "several":
        plan = replace(plan, generators=2)
    if why == "disturbed":
        plan = replace(plan, groups=(replace(plan.groups[0], disturbance=Deploy(kind="deploy", how="restart")),))
    if why == "not calibrated":
        (kept / calibrations.FILE).unlink()
    if why == "elsewhere":
        plan = replace(plan, machines=(Machine(host="ten"),))
    assert shared_out(plan, kept, None, asked=why == "asked") == plan
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("verb", ["run", "plan"])
@pytest.mark.parametrize(
    ("argv", "asked"),
    [((), False), (("--generators", "1"), True), (("--generator-cpus", "1"), True), (("--server-cpus", "1"), False)],
)
def test_it_is_decided_before_cpus_are_shared_out(
    argv: tuple[str, ...], verb: str, *, asked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unless its number, or that of its CPUs, is given."""
    told: list[tuple[int | None, bool]] = []

    def decided(_plan: Plan, _results: Path, server_cpus: int | None, *, asked: bool) -> Plan:
        told.append((server_cpus, asked))
        raise UsageError("far enough")

    monkeypatch.setattr("harness.cli.driving.shared_out", decided)
    with pytest.raises(UsageError, match="far enough"):
        typer.main.get_command(app).main([verb, "smoke", *argv], standalone_mode=False)
    assert told == [(1 if "--server-cpus" in argv else None, asked)]
