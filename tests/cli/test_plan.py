"""`gatebench plan` lays out what `run` would do with the same options, and asks no machine."""

from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from harness.cli import app

ON = ["--on", "generator=ssh://bench@10.0.0.2", "--on", "generator=ssh://10.0.0.3", "--bind", "10.0.0.1"]


def laid(*options: str) -> dict[str, Any]:
    """The answer of a plan."""
    done = CliRunner().invoke(app, ["plan", "smoke", "--seed", "1", "--json", *options])
    assert done.exception is None, done.exception
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_several_generators_take_longer_to_agree() -> None:
    """A quarter of a second a slice, which the estimate knows."""
    one, two = laid("--generators", "1"), laid("--generators", "2")
    assert (one["generators"], two["generators"]) == (1, 2)
    assert (one["machines"], one["server"], one["bind"]) == ([], None, "127.0.0.1")
    slices = sum(len(group["arms"]) * len(group["phases"]) for group in one["groups"]) * one["blocks"] * one["rounds"]
    assert two["seconds"] - one["seconds"] == pytest.approx(0.25 * slices)


def test_other_machines_are_planned_and_not_asked() -> None:
    """None of these is there."""
    planned = laid(*ON, "--on", "server=ssh://bench@10.0.0.4", "--bind", "10.0.0.4")
    assert planned["generators"] == 2
    assert planned["machines"] == ["bench@10.0.0.2", "10.0.0.3"]
    assert (planned["server"], planned["bind"]) == ("bench@10.0.0.4", "10.0.0.4")
    said = CliRunner().invoke(app, ["plan", "smoke", *ON, "--generators", "3"]).stdout
    assert "driven by 3 generators on bench@10.0.0.2 (2) and 10.0.0.3 (1)" in said


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["smoke", *ON, "--generators", "1"], "--generators 1: 2 machines are named"),
        (["smoke", *ON[:2]], "add --bind"),
        (["smoke", *ON, "--generator-cpus", "2"], "--generator-cpus 2 is of this machine"),
        (["smoke", "--generator-cpus", "2"], "add --generators 2"),
        (["smoke", "--server-cpus", "4000"], "--server-cpus 4000: of the"),
        (["neighbours", "--generators", "2"], "a disturbance is watched by one generator"),
        (["smoke", "--on", "ten"], "--on (the 1.): write generator=ssh://"),
    ],
)
@pytest.mark.parametrize("verb", ["plan", "run"])
def test_what_a_run_refuses_its_plan_refuses(verb: str, options: list[str], problem: str) -> None:
    """With the same words."""
    done = CliRunner().invoke(app, [verb, *options])
    assert done.exception is not None
    assert problem in str(done.exception) + done.output
