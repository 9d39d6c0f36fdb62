"""Deploys of real servers: one that drops as many requests as it is told to, and gunicorn, stopped and started."""

from __future__ import annotations

import dataclasses
import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness import measure, record
from harness.errors import LaunchError
from harness.machine.placement import Placement
from harness.machine.process import running
from harness.record import Episode
from harness.record.sitting import begin
from harness.subject.served import counting
from harness.suite import Arm, Ask, Deploy, Expect, Group, Open, Scenario, Thresholds, load_definitions
from harness.suite.choice import arm_of
from harness.suite.disturbances.deploy import How
from harness.suite.subjects import Reload
from harness.trial.episodes.deploys import Deployer, refused
from harness.trial.progress import Silent
from tests import factories
from tests.polling import until

ROOT = Path(__file__).parents[2]
ANY_MACHINE = Thresholds(outside_load=1, steal=1, generator_waiting=1, generator_cpu_percent=400, lateness_p99_us=1e6)
"""The order of events is what is tested, whatever else the machine does."""
DROPPED = 7
RELOAD = Deploy(how="reload", deadline_ms=500, late_share=0.5, before_s=0.5, during_s=1.0, after_s=5.0)


def dropping(count: int) -> Arm:
    """A server that drops so many requests at its reload."""
    program = str(ROOT / "bench" / "apps" / "dropping.py")
    return factories.arm(
        "t1",
        pair=None,
        target=factories.target(
            name="toy", python=sys.executable, folder=str(ROOT), packages=(), env={"PYTHONPATH": str(ROOT)}
        ),
        server=factories.server(
            name="toy",
            argv=("{python}", program, "{host}", "{port}", f"{count}"),
            packages=(),
            reload=Reload(signal="HUP"),
        ),
        scenario=Scenario(name="json", about="", request=Ask(path="/"), expect=Expect(contains="hello")),
        loads=factories.loads("open", connections=4, rate_rps=100.0),
    )


def measured(folder: Path, arm: Arm, deploy: Deploy) -> list[Episode]:
    """The episodes of one block."""
    group = Group(id="g1", scenario=arm.cell.scenario, arms=(arm,), pairs=(), disturbance=deploy)
    plan = factories.plan(group, blocks=1, open_slice_s=0.5, thresholds=ANY_MACHINE)
    placement = Placement(server=(0,), generator=(0,), services=(0,))
    folder.mkdir()
    measure.measure(begin(folder, plan, placement, None), Silent())
    return list(record.read(folder).episodes)


def lost(row: Episode) -> dict[str, int]:
    """What was lost by kind."""
    parts = [part for part in (row.before, row.during, row.after) if part is not None]
    return dict(sum((Counter(part.lost) for part in parts), Counter()))


@pytest.mark.live
def test_what_a_server_drops_at_its_reload_is_counted_to_the_one(tmp_path: Path) -> None:
    """None more, none less, and the server's own count says the same."""
    (row,) = measured(tmp_path / "dropping", dropping(DROPPED), RELOAD)
    assert (row.error, row.reasons) == (None, ())
    assert lost(row) == {"reset": DROPPED}
    assert row.server_begun is not None
    assert row.server_finished == row.server_begun - DROPPED == row.good
    assert row.deployed is not None
    assert row.deployed.new_from_s is not None
    assert row.deployed.old_until_s is not None


def gunicorn() -> Arm:
    """Flask on two of gunicorn's threaded workers, asked for what waits for nothing."""
    known = load_definitions()
    target, server = known.targets["flask"], known.servers["gunicorn-gthread"]
    loads = (Open(connections=4, rate_rps=50.0),)
    scenario = known.scenarios["json"]
    return arm_of(known, "t1", target, server, scenario, levels={"workers": 2, "threads": 2}, loads=loads)


@pytest.mark.live
def test_a_server_is_stopped_and_started_again_and_serves_on(tmp_path: Path) -> None:
    """New workers answer, and the old ones answer no more; the counts of both sides meet, and nothing is left."""
    (row,) = measured(tmp_path / "run", gunicorn(), dataclasses.replace(RELOAD, how="restart", during_s=2.5))
    assert (row.error, row.reasons) == (None, ())
    assert row.well_s is not None
    assert row.deployed is not None
    assert row.deployed.new_from_s is not None
    assert row.deployed.old_until_s is not None
    assert row.deployed.old_until_s < row.deployed.new_from_s
    assert row.good is not None
    assert row.server_finished is not None
    assert row.good <= row.server_finished


@pytest.mark.live
def test_a_new_version_is_told_by_the_files_that_its_workers_have_imported(tmp_path: Path) -> None:
    """First the old version answers, then the new one."""
    (row,) = measured(tmp_path / "run", gunicorn(), dataclasses.replace(RELOAD, how="version", during_s=2.5))
    assert (row.error, row.reasons) == (None, ())
    assert row.deployed is not None
    assert row.deployed.renewed
    assert row.deployed.workers >= 1
    assert row.deployed.new_from_s is not None
    assert row.deployed.new_from_s > 0


@pytest.mark.live
def test_workers_that_have_had_their_requests_are_recycled_in_the_middle_of_it(tmp_path: Path) -> None:
    """By the server itself, and nobody's requests are miscounted for that."""
    (row,) = measured(tmp_path / "run", gunicorn(), dataclasses.replace(RELOAD, how="recycle", during_s=2.5))
    assert (row.error, row.reasons) == (None, ())
    assert row.deployed is not None
    assert not row.deployed.renewed
    assert row.deployed.workers >= 1
    assert row.deployed.new_from_s is not None
    assert row.deployed.new_from_s > 0
    assert row.deployed.old_until_s is None


@pytest.mark.parametrize(
    ("how", "server", "workers", "said"),
    [
        ("recycle", "waitress", 1, "waitress replaces no worker for the number of its requests"),
        ("recycle", "granian-asgi", 2, "granian-asgi replaces no worker for the number of its requests"),
        ("recycle", "uvicorn", 1, "uvicorn replaces such workers where it has 2 or more"),
        ("version", "uwsgi", 2, "uwsgi has no reload of its own"),
        ("version", "uvicorn", 1, "uvicorn reloads with 2 workers or more"),
        ("recycle", "uvicorn", 2, ""),
        ("version", "granian-wsgi", 1, ""),
        ("restart", "waitress", 1, ""),
    ],
)
def test_what_a_server_cannot_do_is_said(how: How, server: str, workers: int, said: str) -> None:
    """By its definition, before anything is sent to it."""
    served = load_definitions().servers[server]
    arm = factories.arm("t1", pair=None, server=served, workers=workers)
    why = refused(Deploy(how=how), arm)
    assert why.startswith(said)
    assert bool(why) == bool(said)


@pytest.mark.live
def test_a_server_without_a_reload_is_a_row_that_says_so(tmp_path: Path) -> None:
    """And nothing is sent to it."""
    arm = dropping(0)
    (row,) = measured(
        tmp_path / "run", dataclasses.replace(arm, server=dataclasses.replace(arm.server, reload=None)), RELOAD
    )
    assert row.error == "toy has no reload of its own (servers.toml says none)"
    assert row.during is None


def test_a_server_that_has_ended_is_sent_nothing_and_its_end_is_said(tmp_path: Path) -> None:
    """Its id may be a stranger's by now."""
    stage: Any = SimpleNamespace(server=SimpleNamespace(arm=dropping(0)))
    with running([sys.executable, "-c", ""], name="toy", log=tmp_path / "log") as process, counting() as served:
        process.popen.wait(20)
        deployer = Deployer(stage, RELOAD, process, served)
        deployer.begin(1, 2)
        assert until(lambda: not deployer.busy)
        with pytest.raises(LaunchError, match="toy ended with exit code 0"):
            deployer.done()
