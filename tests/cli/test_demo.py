"""`gatebench demo`: one run, its page in the browser, and how it ends."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from harness import record
from harness.cli import app, demo
from harness.suite import Options, build, load_suite, run_times
from tests import factories


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """What the browser is asked for, from a folder with an older run."""
    pages: list[str] = []

    def browser(url: str) -> bool:
        pages.append(url)
        return True

    monkeypatch.chdir(tmp_path)
    measured(1)
    monkeypatch.setattr("webbrowser.open", browser)
    return pages


def ending(code: int, *, with_a_page: bool = True) -> Callable[[list[str]], int]:
    """What the command does in place of a run: it leaves one, and ends with `code`."""

    def ended(command: list[str]) -> int:
        assert command[-3:] == ["harness", "run", "demo"]
        if with_a_page:
            measured(2)
        return code

    return ended


def measured(day: int) -> Path:
    """A run of the demo, as the command that it calls leaves it."""
    folder = Path("results") / f"2026010{day}T000000Z-demo"
    folder.mkdir(parents=True)
    with record.writing(folder, factories.run(started=f"2026-01-0{day}T00:00:00Z").info):
        (folder / "report.html").write_text("<html>")
    return folder


@pytest.mark.parametrize("code", [0, 3])
def test_it_opens_the_page_of_its_run_and_ends_as_that_did(
    opened: list[str], monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """A page says too why nothing valid came out."""
    monkeypatch.setattr(demo, "_ended", ending(code))
    assert CliRunner().invoke(app, ["demo"]).exit_code == code
    assert opened == [(Path.cwd() / "results/20260102T000000Z-demo/report.html").as_uri()]


@pytest.mark.parametrize(("options", "code"), [(["--no-open"], 0), ([], 130), ([], 2)])
def test_it_opens_nothing_where_that_is_not_wanted_or_nothing_came(
    opened: list[str], monkeypatch: pytest.MonkeyPatch, options: list[str], code: int
) -> None:
    """`--no-open`, an interruption, and a run that did not begin: never the page of an older run."""
    monkeypatch.setattr(demo, "_ended", ending(code, with_a_page=code != 2))
    assert CliRunner().invoke(app, ["demo", *options]).exit_code == code
    assert opened == []


def test_where_no_browser_is_found_the_page_is_named(opened: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a server."""
    monkeypatch.setattr(demo, "_ended", ending(0))
    monkeypatch.setattr("webbrowser.open", lambda _: False)
    done = CliRunner().invoke(app, ["demo"])
    assert "no browser is found here" in done.output
    assert "20260102T000000Z-demo" in done.output.replace("\n", "")
    assert opened == []


def test_it_takes_a_minute() -> None:
    """By the plan, with some seconds for the report."""
    plan = build(*load_suite(demo.SUITE), Options(seed=1))
    assert plan.blocks >= 3
    assert run_times(plan).total_s < 50


def test_what_would_end_it_ends_what_it_started() -> None:
    """Told by a signal, it waits for the run to clean up, and ends as that did."""
    child = (
        "import signal, sys, time\nsignal.signal(15, lambda *_: sys.exit(130))\n"
        "signal.signal(2, signal.SIG_IGN)\nprint('ready', flush=True)\nwhile True: time.sleep(0.05)"
    )
    script = f"import sys; from harness.cli import demo; sys.exit(demo._ended([sys.executable, '-c', {child!r}]))"
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)  # at a terminal the run has it too
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 130
