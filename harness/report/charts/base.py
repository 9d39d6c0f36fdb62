"""What every chart is made of: a title that concludes, a note that explains, a drawing with marks, a table."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from harness.report import style
from harness.report.study import Value
from harness.report.words import interval

if TYPE_CHECKING:
    from harness.report.style import Theme

WIDTH = 9.0
"""Inches of every chart: one width makes one size of type on the page."""
PAD = 0.16
CHARACTERS = 96
"""Of a title, in one line of that width."""

Cell = str | Value
"""What a table holds: words, or a value that is printed with its interval."""


@dataclass
class Drawing:
    """A figure, the height of its title in inches, and the marks that answer when pointed at."""

    figure: Figure
    header: float
    marks: dict[str, str] = field(default_factory=dict)
    """Id of the SVG group -> what it says."""

    def mark(self, artist: Artist, says: str) -> None:
        """Let `artist` say its exact value when it is pointed at or focused."""
        name = f"mark-{len(self.marks)}"
        artist.set_gid(name)
        self.marks[name] = says

    def axes(self, left: float, bottom: float, width: float, height: float) -> Axes:
        """Axes at a place in inches from the bottom left corner."""
        across, up = self.figure.get_size_inches()
        return self.figure.add_axes((left / across, bottom / up, width / across, height / up))


@dataclass(frozen=True, kw_only=True)
class Chart:
    """One chart, drawn when it is asked for."""

    name: str
    """Its file's stem and its anchor on the page."""
    title: str
    """Its conclusion."""
    note: str
    """What is drawn, in which unit, under which load."""
    draw: Callable[[Theme], Drawing]
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    scenario: str | None = None
    """The scenario whose section it belongs to; None: the run as a whole."""
    featured: bool = False
    """Whether a dark PNG of it is written too."""


def start(title: str, note: str, theme: Theme, body: float, width: float = WIDTH) -> Drawing:
    """A drawing with `body` inches below its title and note."""
    lines = textwrap.wrap(title, CHARACTERS) or [""]
    notes = textwrap.wrap(note, int(CHARACTERS * 1.32)) if note else []
    header = PAD + 0.235 * len(lines) + 0.185 * len(notes) + 0.08
    made = style.figure(width, body + header)
    height = body + header
    top = height - PAD
    for line in lines:
        made.text(PAD / width, top / height, line, fontsize=12, fontweight="bold", va="top")
        top -= 0.235
    for line in notes:
        made.text(PAD / width, (top - 0.02) / height, line, fontsize=9, color=theme.muted, va="top")
        top -= 0.185
    return Drawing(made, header)


def says(label: str, value: Value | None) -> str:
    """What a mark tells: its name, its value with interval, and on how many blocks it rests."""
    if value is None or value.value is None:
        return f"{label}: no valid result"
    blocks = f", {value.blocks} block{'s' if value.blocks != 1 else ''}" if value.blocks else ""
    bare = "" if value.low is not None else ", no interval"
    return f"{label}: {interval(value)}{bare}{blocks}"


def shorten(text: str, most: int) -> str:
    """`text` cut to `most` characters with an ellipsis."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"
