"""Two harnesses on one machine warn of one another."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import NoReturn

import pytest
from typer.testing import CliRunner

from harness.cli import app, calibrate, serve, verify
from harness.cli.beside import announced
from harness.errors import LoadError
from harness.machine import ledger, neighbours


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
        "warning: another gatebench is at work on this machine, and each disturbs the other: process"
    )
    assert warned.endswith(", `gatebench load`\n")
    with announced("run", Path("/x/results/a")), announced("load"):
        assert "`gatebench run 'my suite.toml'`, into /x/results/a\n" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("module", "edge", "call"),
    [
        (calibrate, "_measured", "calibrate"),
        (serve, "_serve", "serve --target fastapi --server uvicorn --port 0"),
        (verify, "check", "verify smoke"),
    ],
)
def test_whoever_launches_servers_is_seen(
    module: ModuleType, edge: str, call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where no run is measured: by its verb alone."""
    seen: list[str] = []

    def look(*_: object, **__: object) -> NoReturn:
        seen.extend(each.command for each in neighbours.seen())
        raise LoadError("far enough")

    monkeypatch.setattr(ledger, "folder", lambda: tmp_path)
    monkeypatch.setattr(module, edge, look)
    done = CliRunner().invoke(app, call.split())
    assert isinstance(done.exception, LoadError), done.output
    assert seen == [f"gatebench {call.split(maxsplit=1)[0]}"]
