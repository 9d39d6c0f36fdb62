"""Where output goes: answers to standard output, everything else to standard error; colour only on a terminal."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from harness.errors import RecordError
from harness.record.calibration import Calibration, stored


def answers() -> Console:
    """The console for what was asked for; where it is no terminal, it is so wide that no table is cut."""
    return _console(stderr=False)


def remarks() -> Console:
    """The console for progress, warnings and errors."""
    return _console(stderr=True)


def print_json(value: Any) -> None:
    """Print `value` as JSON: with `--json` it is the only thing on standard output."""
    sys.stdout.write(json.dumps(value, indent=2, allow_nan=False) + "\n")


def fail(message: str) -> None:
    """Print an error; of several problems each has a line."""
    remarks().print(Text("error: ", style="bold red") + Text(message), soft_wrap=True)


def quoted(results: Path) -> Calibration | None:
    """The calibration that a run under `results` quotes; one that cannot be read costs a warning, not the run."""
    try:
        return stored(results)
    except RecordError as error:
        remarks().print(f"caveat: no calibration is quoted: {error}", soft_wrap=True)
        return None


def _console(*, stderr: bool) -> Console:
    console = Console(stderr=stderr, highlight=False, emoji=False, markup=False)
    if not console.is_terminal:
        return Console(stderr=stderr, highlight=False, emoji=False, markup=False, no_color=True, width=200)
    return console
