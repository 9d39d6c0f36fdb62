"""Where output goes: answers to standard output, everything else to standard error; colour only on a terminal."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderHook, RenderResult
from rich.segment import Segment
from rich.text import Text

from harness.errors import RecordError
from harness.record.calibration import Calibration, stored

OBEYED = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")
"""What a terminal obeys, a line break aside."""


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
        console = Console(stderr=stderr, highlight=False, emoji=False, markup=False, no_color=True, width=200)
    console.push_render_hook(_Harmless())
    return console


class _Harmless(RenderHook):
    """Has everything printed as `_Printed`: a suite or a record that is shown may be of others."""

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        return [_Printed(renderable) for renderable in renderables]


@dataclass(frozen=True, slots=True)
class _Printed:
    """A piece of output without what a terminal would obey in its text; its colours are Rich's own, and stay."""

    of: ConsoleRenderable

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for segment in console.render(self.of, options):
            text = segment.text if segment.control else OBEYED.sub(" ", segment.text)
            yield Segment(text, segment.style, segment.control)
