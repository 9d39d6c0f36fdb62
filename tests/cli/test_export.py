"""`gatebench export` as a person calls it."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from typer.testing import CliRunner

from harness import record
from harness.cli import app
from harness.errors import GatebenchError, UsageError
from harness.record import Run
from tests import factories


def written(folder: Path, run: Run) -> str:
    """The run's records in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    with record.writing(folder, run.info) as writer:
        for trial in run.trials:
            writer.append(trial)
    return str(folder)


def test_it_prints_to_be_piped_or_writes_a_file(tmp_path: Path) -> None:
    """And ends with 0 though the candidate is worse: the gate is another verb's."""
    run = written(tmp_path / "slow", factories.simulated_run(rps={"p1b": 800.0}))
    printed = CliRunner().invoke(app, ["export", run, "--format", "junit"])
    assert printed.exit_code == 0
    assert ET.fromstring(printed.stdout)[0].attrib["failures"] == "1"  # noqa: S314 - our own
    out = tmp_path / "deep" / "bmf.json"
    done = CliRunner().invoke(app, ["export", run, "--format", "bmf", "--out", str(out)])
    assert (done.exit_code, done.stdout) == (0, "")
    assert len(json.loads(out.read_text())) == 1


def test_the_margin_of_the_run_is_the_threshold_unless_another_is_given(tmp_path: Path) -> None:
    """A quarter more is not reached."""
    run = written(tmp_path / "slow", factories.simulated_run(rps={"p1b": 850.0}))
    done = CliRunner().invoke(app, ["export", run, "--format", "junit", "--threshold", "25%"])
    assert ET.fromstring(done.stdout)[0].attrib["failures"] == "0"  # noqa: S314 - our own


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--format", "csv"], "it must be one of junit, bmf, github-bigger, github-smaller"),
        (["--format", "junit", "--threshold", "5"], "'5' is no share"),
        (["--format", "junit", "--metric", "p98"], "--metric 'p98'"),
    ],
)
def test_bad_usage_is_one_clear_message(tmp_path: Path, options: list[str], said: str) -> None:
    """An error that the command line ends with 2 for."""
    run = written(tmp_path / "run", factories.simulated_run())
    done = CliRunner().invoke(app, ["export", run, *options])
    assert isinstance(done.exception, UsageError)
    assert said in str(done.exception)


def test_a_tuning_has_nothing_to_export(tmp_path: Path) -> None:
    """It compares no pairs."""
    run = written(tmp_path / "tuned", factories.simulated_run(kind="tune"))
    done = CliRunner().invoke(app, ["export", run, "--format", "junit"])
    assert isinstance(done.exception, GatebenchError)
    assert "a tuning compares no pairs" in str(done.exception)
