"""Definitions, command lines and records that nobody would write end with a message: bench/fuzz.py, in small."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import fuzz
from bench.inputs import DATA, SUITE
from harness.cli import app


def test_no_input_ends_in_a_traceback_or_in_none_at_all(tmp_path: Path) -> None:
    """A third of them definitions, a third command lines, a third records."""
    tally = fuzz.fuzz(60, tmp_path)
    assert tally.inputs >= 60
    assert set(tally.codes) <= {0, 1, 2, 3}


def test_the_suite_that_is_changed_is_right_by_itself(tmp_path: Path) -> None:
    """Else all its changes would end at the same message."""
    own = tmp_path / "own.toml"
    own.write_text("\n".join(SUITE))
    own.with_suffix(".csv").write_text(DATA)
    tally = fuzz.Tally()
    fuzz.ends_well(["plan", str(own)], tally)
    assert tally.codes == {0: 1}


def test_a_traceback_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the call that ends in it."""

    def broken() -> None:
        raise ZeroDivisionError

    (command,) = [each for each in app.registered_commands if each.name == "doctor"]
    monkeypatch.setattr(command, "callback", broken)
    with pytest.raises(AssertionError, match=r"gatebench \['doctor'\] ended with ZeroDivisionError"):
        fuzz.ends_well(["doctor"], fuzz.Tally())
