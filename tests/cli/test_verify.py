"""`gatebench verify` says which cells answer rightly, to people and to programs."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from harness.cli import verify as verb
from harness.errors import AnswerError, GateError, UsageError
from harness.subject import receipts as receipt
from harness.subject import verify as verifying
from harness.subject.asking import check
from harness.subject.receipts import Receipts
from harness.subject.verify import Asked, Checked
from harness.suite import Arm, Factor, Scenario, Upstream, load_definitions
from tests.trial.machine_support import without_network

SUITE = """
[upstream]
delay_ms = 7.0

[[pair]]
scenario = "json"

[[pair]]
scenario = "external-data"
"""


@pytest.fixture(name="problems", autouse=True)
def _answers(monkeypatch: pytest.MonkeyPatch) -> dict[tuple[str, str], str]:
    """Have every cell answer rightly but those (target, scenario) that are put in here."""
    problems: dict[tuple[str, str], str] = {}

    def check(
        arms: Iterable[Asked], factors: Iterable[Factor], missing: dict[str, str], upstream: Upstream
    ) -> Iterator[Checked]:
        assert "gc" in [factor.name for factor in factors]
        assert upstream.delay_ms in {7.0, Upstream().delay_ms}
        for asked in arms:
            for scenario in asked.every:
                problem = missing.get(asked.arm.id) or problems.get((asked.arm.cell.target, scenario.name))
                yield Checked(asked.arm, scenario, problem)

    def receipts(arms: Iterable[Arm]) -> Receipts:
        return Receipts({}, {arm.id: "lacks granian" for arm in arms if arm.cell.server == "granian-asgi"})

    monkeypatch.setattr(verb, "check", check)
    monkeypatch.setattr(receipt, "receipts", receipts)
    return problems


@pytest.fixture
def suite(tmp_path: Path) -> str:
    """A suite of two pairs."""
    path = tmp_path / "shop.toml"
    path.write_text(SUITE)
    return str(path)


def test_a_suite_that_answers_rightly_is_a_table(suite: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Right and wrong by target and server."""
    verb.verify(suite)
    out, err = capsys.readouterr()
    assert [line.split() for line in out.splitlines()] == [
        ["target", "server", "right", "wrong"],
        ["flask", "gunicorn-gthread", "2", "-"],
        ["fastapi", "uvicorn", "2", "-"],
        ["4", "answers", "checked,", "0", "wrong"],
    ]
    assert err == ""


def test_a_wrong_answer_fails_and_is_told_at_once(
    suite: str, problems: dict[tuple[str, str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    """On standard error, where the table is on standard output."""
    problems["fastapi", "json"] = "GET /json: status 500, expected 200"
    with pytest.raises(GateError, match="1 of 4 answers are wrong") as caught:
        verb.verify(suite)
    assert caught.value.exit_code == 1
    out, err = capsys.readouterr()
    assert err == "fastapi on uvicorn, json: GET /json: status 500, expected 200\n"
    assert ["fastapi", "uvicorn", "1", "json"] in [line.split() for line in out.splitlines()]


def test_only_what_is_asked_for_is_checked(suite: str, capsys: pytest.CaptureFixture[str]) -> None:
    """By the same filter as a run."""
    verb.verify(suite, wanted="scenario=json")
    assert capsys.readouterr().out.endswith("2 answers checked, 0 wrong\n")


def test_what_a_suite_holds_beside_its_victims_is_checked(
    problems: dict[tuple[str, str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    """On each side, and a wrong answer is told like any other."""
    problems["flask", "report"] = "GET /slow?ms=3500: status 404, expected 200"
    with pytest.raises(GateError, match="1 of 8 answers are wrong"):
        verb.verify("neighbours")
    assert "flask on gunicorn-gthread, report: GET /slow?ms=3500: status 404" in capsys.readouterr().err


def test_without_a_suite_everything_is_checked(capsys: pytest.CaptureFixture[str]) -> None:
    """A server that is not installed is a wrong answer in each of its scenarios, as JSON too."""
    with pytest.raises(GateError):
        verb.verify(as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert told["checked"] > len(told["failed"])
    of_asgi = {target.name for target in load_definitions().targets.values() if target.interface == "asgi"}
    assert {failed["target"] for failed in told["failed"]} == of_asgi
    first = {"target": "fastapi", "server": "granian-asgi", "scenario": "cached-data", "problem": "lacks granian"}
    assert first in told["failed"]


@pytest.mark.parametrize("options", [{"on": ["server=ssh://ten"]}, {"bind": "10.0.0.1"}, {"generators": 2}])
def test_machines_are_of_a_suite(options: dict[str, Any]) -> None:
    """What there is otherwise, is of this machine."""
    with pytest.raises(UsageError, match=rf"which suite\? --{next(iter(options))} is of a suite"):
        verb.verify(**options)


@pytest.fixture
def ten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Another machine, which an `ssh` of the test's own stands in for."""
    monkeypatch.setenv("PATH", str(without_network(tmp_path)), prepend=os.pathsep)
    return f"ssh://ten{sys.executable}"


@pytest.mark.live
@pytest.mark.beside
def test_servers_are_asked_on_their_machine(
    suite: str, ten: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """At the address that the load will go to; the generators' machine has to reach it."""
    asked: list[str] = []

    def right(host: str, port: int, scenario: Scenario, further: Sequence[int] = ()) -> None:
        asked.append(host)
        check(host, port, scenario, further)
        if scenario.name == "external-data":
            raise AnswerError("body lacks 'goodbye'")

    monkeypatch.setattr(verifying, "check", right)
    with pytest.raises(GateError, match="2 of 4 answers are wrong"):
        verb.verify(suite, on=[f"server={ten}", f"generator={ten}"], bind="127.0.0.2", as_json=True)
    assert asked == ["127.0.0.2"] * 4
    told = json.loads(capsys.readouterr().out)
    assert [(each["role"], each["name"]) for each in told["machines"]] == [("generator", "ten"), ("server", "ten")]
    assert all(each["round_trip_us"] > 0 for each in told["machines"])
    for each in told["failed"]:
        problem, _, log = each["problem"].partition("; log: ")
        assert problem == "body lacks 'goodbye'"
        assert Path(log).is_file(), "what was logged there is here"


@pytest.mark.live
@pytest.mark.beside
def test_servers_of_this_machine_are_asked_where_generators_of_others_reach_them(
    suite: str, ten: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not on loopback; the machine is named with the way to it."""
    asked: list[str] = []

    def right(host: str, port: int, scenario: Scenario, further: Sequence[int] = ()) -> None:
        asked.append(host)
        check(host, port, scenario, further)

    monkeypatch.setattr(verifying, "check", right)
    verb.verify(suite, on=[f"generator={ten}"], bind="127.0.0.2", wanted="scenario=json")
    assert asked == ["127.0.0.2"] * 2
    fit, *_, last = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"generator on ten: fit, .+s away", fit)
    assert last == "2 answers checked, 0 wrong"


def test_a_machine_that_is_not_fit_is_said_before_anything_is_launched(
    suite: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a run says it."""
    (without_network(tmp_path) / "ssh").write_text("#!/bin/sh\necho 'No route to host' >&2\nexit 255\n")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    with pytest.raises(UsageError, match="ten: No route to host: `ssh"):
        verb.verify(suite, on=["generator=ssh://ten"], bind="127.0.0.2")
