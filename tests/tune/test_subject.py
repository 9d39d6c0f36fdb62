"""What is tuned, from a suite or by names."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.suite import Suite
from harness.tune.subject import of_names, of_suite


def test_a_suite_is_tuned_at_side_b_of_its_first_pair() -> None:
    """With its own plan, but for the groups and the rate, which the tuning decides."""
    subject = of_suite("quick", seed=7)
    assert (subject.arm.cell.target, subject.arm.rate_rps) == ("fastapi", None)
    assert (subject.plan.suite, subject.plan.seed, subject.plan.groups) == ("tune", 7, ())
    assert subject.plan.about.endswith("of suite quick")


def test_a_suite_of_other_machines_is_not_tuned(tmp_path: Path) -> None:
    """It would be tuned on this one in silence."""
    suite = tmp_path / "apart.toml"
    suite.write_text("[machines]\nserver = 'ssh://10.0.0.3'\n[[pair]]\nscenario = 'json'\n")
    with pytest.raises(UsageError, match="apart: machines: `tune` measures on this machine alone"):
        of_suite(str(suite), seed=1)


def test_a_side_in_several_pods_is_not_tuned(tmp_path: Path) -> None:
    """Other numbers of workers could not be shared by them."""
    suite = tmp_path / "spread.toml"
    suite.write_text("pod = { cpus = 1 }\n[[pair]]\nscenario = 'json'\nworkers = 2\n")
    assert of_suite(str(suite), seed=1).arm.cell.pods == 1
    with suite.open("a") as more:
        more.write("b = { target = 'fastapi', server = 'uvicorn', pods = 2 }\n")
    with pytest.raises(UsageError, match="spread: pods = 2: `tune` varies the workers of one pod"):
        of_suite(str(suite), seed=1)


def test_names_are_tuned_as_by_a_suite_that_says_nothing_more() -> None:
    """The scenario gives the connections, a suite's defaults the rest."""
    subject = of_names("flask", "gunicorn-gthread", "external-data", seed=7)
    assert (subject.arm.cell.target, subject.arm.cell.server) == ("flask", "gunicorn-gthread")
    assert subject.arm.connections == subject.arm.scenario.connections
    assert subject.plan.blocks == Suite(name="tune", pairs=()).blocks
    assert subject.plan.about == "flask on gunicorn-gthread in external-data"


@pytest.mark.parametrize(
    ("names", "why"),
    [
        (("flask", None, "json"), "tune what"),
        (("flask", "nginx", "json"), "--server nginx: unknown; one of "),
        (("flask", "uvicorn", "json"), "uvicorn serves asgi, flask is wsgi"),
    ],
)
def test_names_that_make_no_arm_are_refused(names: tuple[str | None, str | None, str | None], why: str) -> None:
    """With what to write instead."""
    with pytest.raises(UsageError, match=why):
        of_names(*names, seed=1)
