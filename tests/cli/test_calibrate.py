"""`gatebench calibrate`, without measuring."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from harness import calibrate
from harness.cli import app
from harness.cli.output import quoted
from harness.errors import NothingValidError
from harness.machine import look
from harness.machine.look import Busy, Noise
from harness.record import calibration as calibrations
from tests.calibration_support import calibration

EQUAL_PAIR = {"ratio": 1.01, "low": 0.98, "high": 1.04, "blocks": 5}


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pieces have been measured, and the equal pair too, on a machine where something disturbs."""
    monkeypatch.setattr(look, "watch", lambda: Noise(outside=0.3, steal=0.0, busy=(Busy("backup", 7, 0.6),)))
    monkeypatch.setattr(calibrate, "calibrate", lambda *_: calibration())
    monkeypatch.setattr(calibrate, "equal_pair", lambda *_: EQUAL_PAIR)


def invoke(results: Path, *options: str) -> Any:
    """Call the verb with that folder for results."""
    return CliRunner().invoke(app, ["calibrate", "--results", str(results), *options])


@pytest.mark.usefixtures("measured")
@pytest.mark.parametrize(("option", "null"), [("--null", EQUAL_PAIR), ("--no-null", None)])
def test_the_answer_is_what_is_kept(tmp_path: Path, option: str, null: dict[str, float] | None) -> None:
    """With or without the comparison of equals."""
    done = invoke(tmp_path, option, "--json")
    answer = json.loads(done.stdout)
    assert answer == json.loads((tmp_path / calibrations.FILE).read_text())
    assert answer["null"] == null


@pytest.mark.usefixtures("measured")
def test_the_table_says_what_each_figure_is(tmp_path: Path) -> None:
    """And where the calibration is kept."""
    done = invoke(tmp_path)
    for text in ("100,000/s a generator core", "wrk", "missing: apt-get install wrk", "1.01 (0.98 to 1.04) over 5"):
        assert text in done.stdout
    assert str(tmp_path / calibrations.FILE) in done.stdout


@pytest.mark.usefixtures("measured")
def test_what_disturbs_is_said_before_anything_is_measured(tmp_path: Path) -> None:
    """As before a run; it refuses nothing."""
    done = invoke(tmp_path, "--no-null")
    assert done.exit_code == 0
    assert "disturbs: load of others: backup (pid 7)" in done.stderr


@pytest.mark.usefixtures("measured")
def test_a_comparison_that_fails_costs_only_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was measured before is kept."""

    def equal_pair(*_: object) -> dict[str, float]:
        raise NothingValidError("the comparison of equals has no verdict")

    monkeypatch.setattr(calibrate, "equal_pair", equal_pair)
    assert isinstance(invoke(tmp_path).exception, NothingValidError)
    assert calibrations.stored(tmp_path) is not None


def test_a_torn_calibration_costs_a_run_a_warning_and_no_more(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is not quoted, and the warning says how it is made anew."""
    calibrations.store(calibration(), tmp_path)
    assert quoted(tmp_path) is not None
    path = tmp_path / calibrations.FILE
    path.write_bytes(path.read_bytes()[:100])
    assert quoted(tmp_path) is None
    warning = capsys.readouterr().err
    assert "caveat: no calibration is quoted" in warning
    assert "gatebench calibrate" in warning
