"""Two harnesses on one machine warn of one another."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.cli.beside import announced
from harness.machine import ledger


def test_the_later_one_is_warned_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the command of a run as a whole, and of a load without what it was given."""
    monkeypatch.setattr(ledger, "folder", lambda: tmp_path)
    monkeypatch.setattr("sys.argv", ["gatebench", "load", "--header", "Authorization: secret"])
    with announced("load"):
        assert capsys.readouterr().err == ""
        monkeypatch.setattr("sys.argv", ["gatebench", "run", "my suite.toml"])
        with announced("run", Path("/x/results/a")):
            warned = capsys.readouterr().err
    assert warned.startswith(
        "warning: another gatebench measures on this machine, and each disturbs the other: process"
    )
    assert warned.endswith(", `gatebench load`\n")
    with announced("run", Path("/x/results/a")), announced("load"):
        assert "`gatebench run 'my suite.toml'`, into /x/results/a\n" in capsys.readouterr().err
