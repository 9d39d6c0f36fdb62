"""Every cell is launched once and asked, and nothing is measured."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from harness.subject import services
from harness.subject.services import Services
from harness.subject.verify import Asked, Checked, every_arm, verify
from harness.suite import Arm, Ask, Expect, Scenario, Upstream, load_definitions
from tests import factories

FILES = ("{python}", "-m", "http.server", "{port}", "--bind", "{host}")
HELLO = factories.scenario(name="hello", request=Ask(path="/hello"), expect=Expect(contains="hello"))
GOODBYE = replace(HELLO, name="goodbye", expect=Expect(contains="goodbye"))


@pytest.fixture(autouse=True)
def _no_services(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing beside the targets, and temporary folders that the test can look into."""

    @contextlib.contextmanager
    def started(**_: object) -> Iterator[Services]:
        yield Services()

    monkeypatch.setattr(services, "started", started)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    (tmp_path / "hello").write_text("hello, world")


def files(folder: Path, name: str = "files", argv: tuple[str, ...] = FILES) -> Arm:
    """An arm that serves the files of `folder`."""
    target = factories.target(name=name, python=sys.executable, folder=str(folder))
    return factories.arm(name, target=target, server=factories.server(name="http.server", argv=argv))


def check(*arms: tuple[Arm, tuple[Scenario, ...]], missing: dict[str, str] | None = None) -> list[Checked]:
    """All that comes of it."""
    return list(verify([Asked(*each) for each in arms], (), missing or {}, Upstream()))


def test_a_right_answer_is_no_problem_and_leaves_nothing_behind(tmp_path: Path) -> None:
    """Not even its log."""
    (checked,) = check((files(tmp_path), (HELLO,)))
    assert (checked.scenario, checked.problem) == (HELLO, None)
    assert list((tmp_path / "temporary").glob("gatebench-verify-*")) == []


def test_a_wrong_answer_is_told_and_its_log_is_kept(tmp_path: Path) -> None:
    """The other scenarios of that arm are checked all the same."""
    wrong, right = check((files(tmp_path), (GOODBYE, HELLO)))
    assert wrong.problem is not None
    problem, _, log = wrong.problem.partition("; log: ")
    assert problem == "GET /hello: body lacks 'goodbye': hello, world"
    assert '"GET /hello HTTP/1.1" 200' in Path(log).read_text()
    assert right.problem is None


def test_what_is_held_beside_a_victim_is_asked_too(tmp_path: Path) -> None:
    """A request that is answered with an error at once holds nothing."""
    missing = replace(HELLO, name="report", request=Ask(path="/report"))
    asked = [Asked(files(tmp_path), (HELLO,), held=missing)]
    victim, held = verify(asked, (), {}, Upstream())
    assert (victim.scenario, victim.problem) == (HELLO, None)
    assert held.scenario == missing
    assert str(held.problem).startswith("GET /report: status 404, expected 200")


def test_an_arm_that_does_not_start_fails_in_each_of_its_scenarios(tmp_path: Path) -> None:
    """With the line that matters; the others start."""
    broken = files(tmp_path, "broken", ("{python}", "-c", "raise SystemExit('no database')  # {port} {app}"))
    nowhere = files(tmp_path, "nowhere", ("/no/such/server",))
    checked = check((broken, (HELLO, GOODBYE)), (nowhere, (HELLO,)), (files(tmp_path), (HELLO,)))
    problems = {(each.arm.id, each.scenario.name): each.problem for each in checked}
    said = "broken on http.server ended with exit code 1: no database; log: "
    assert str(problems["broken", "hello"]).startswith(said)
    assert str(problems["broken", "goodbye"]).startswith(said)
    assert "nowhere on http.server cannot be started" in str(problems["nowhere", "hello"])
    assert problems["files", "hello"] is None


def test_an_arm_that_lacks_its_packages_is_not_launched(tmp_path: Path) -> None:
    """Its problem is what it lacks."""
    checked = check((files(tmp_path), (HELLO, GOODBYE)), missing={"files": "lacks uvicorn"})
    assert [each.problem for each in checked] == ["lacks uvicorn", "lacks uvicorn"]


def test_more_arms_than_go_at_once_are_all_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A few after the others."""
    monkeypatch.setattr("harness.subject.verify.AT_ONCE", 2)
    arms = [files(tmp_path, f"files-{number}") for number in range(3)]
    assert [each.arm for each in check(*((arm, (HELLO,)) for arm in arms))] == arms


def test_every_target_meets_every_server_of_its_interface_in_every_scenario():
    """The scenarios of the middleware stack under each level of it that the target has, the others without."""
    known = load_definitions()
    asked = {
        (asked.arm.cell.target, asked.arm.cell.server, scenario.name)
        for asked in every_arm(known)
        for scenario in asked.scenarios
    }
    assert asked == {
        (target.name, server.name, scenario)
        for target in known.targets.values()
        for server in known.servers.values()
        for scenario in known.scenarios
        if server.interface == target.interface
    }
