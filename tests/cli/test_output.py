"""What is printed, wherever it comes from."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from harness.cli import output

EVIL = "\x1b[2J\x1b]0;owned\x07\x9b31m"


@pytest.mark.parametrize("console", [output.answers, output.remarks])
def test_a_terminal_gets_nothing_to_obey(console: Callable[[], Console], capsys: pytest.CaptureFixture[str]) -> None:
    """From a suite's name or a record of others: as a string, in a table, as text with a style, beside a live table."""
    printer, table = console(), Table()
    table.add_row(EVIL, "corner")
    printer.print(f"suite {EVIL}", soft_wrap=True)
    printer.print(table)
    with Live(console=printer, transient=True) as live:
        live.console.print(Text(f"in red {EVIL}", style="red"))
    printed = "".join(capsys.readouterr())
    assert "suite  [2J ]0;owned" in printed
    assert "in red  [2J" in printed
    assert "corner" in printed
    assert not set("\x1b\x07\x9b") & set(printed)


def test_colours_are_still_ours(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the terminal has them."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    output.fail(f"odd {EVIL}")
    printed = capsys.readouterr().err
    assert printed.startswith("\x1b[1;31merror: ")
    assert "odd  [2J" in printed
