"""What every chart is made of: a title that concludes, a note that explains, a drawing with marks, a table."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from matplotlib import rcParams
from matplotlib.font_manager import FontProperties
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from harness.report import style
from harness.report.charts.marks import Drawing
from harness.report.figures import Value
from harness.report.figures.axis import log_ticks
from harness.report.style import Theme

WIDTH = 9.0
"""Inches of every chart: with one width their type has one size on the page."""
PAD = 0.12
CHARACTERS = 86
"""So many of a title fit in a line of that width."""
LETTER = 0.6
"""How wide a digit, a comma and a letter are on the average, of the height of the type."""

Cell = str | Value
"""What a table holds: words, or a value that is printed with its interval."""
Row = tuple[Cell, ...]


@dataclass(frozen=True, kw_only=True)
class Chart:
    """One chart, drawn when it is asked for."""

    name: str
    """Its file's stem and its anchor on the page."""
    title: str
    """Its conclusion."""
    note: str
    """What is drawn, in which unit, under which load."""
    body: float
    """Its height in inches, without title and note."""
    paint: Callable[[Drawing], None]
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    scenario: str | None = None
    """The scenario whose section it belongs to; None: the run as a whole."""
    quotable: bool = False
    """Whether it is fit for a README, and so drawn as a dark PNG too."""
    table_note: str = ""
    """What must be known of its table."""
    arms: tuple[str, ...] = ()
    """Whose figures it shows, row by row of the table; empty: no row belongs to one arm or pair."""

    @property
    def numeric(self) -> tuple[int, ...]:
        """The columns of its table that hold values."""
        return tuple(i for i in range(len(self.columns)) if any(isinstance(row[i], Value) for row in self.rows))

    def draw(self, theme: Theme) -> Drawing:
        """The chart in a theme."""
        drawing = _start(self.title, self.note, theme, self.body)
        self.paint(drawing)
        return drawing


def _start(title: str, note: str, theme: Theme, body: float) -> Drawing:
    lines = textwrap.wrap(title, CHARACTERS, max_lines=3, placeholder=" …") or [""]
    notes = textwrap.wrap(note, int(CHARACTERS * 1.42)) if note else []
    header = PAD + 0.235 * len(lines) + 0.18 * len(notes) + 0.12
    height = body + header
    drawing = Drawing(style.figure(WIDTH, height), theme, header)
    top = height - PAD
    for line in lines:
        drawing.text(PAD, top, line, fontsize=12, fontweight="bold", va="top")
        top -= 0.235
    for line in notes:
        drawing.text(PAD, top - 0.02, line, fontsize=9, color=theme.muted, va="top")
        top -= 0.18
    return drawing


def log_axis(axis: Any, limits: tuple[float, float], label: Callable[[float], str], most: int = 6) -> None:
    """Make `axis` logarithmic between `limits`, with round ticks that `label` writes."""
    name = axis.axis_name
    getattr(axis.axes, f"set_{name}scale")("log")
    getattr(axis.axes, f"set_{name}lim")(*limits)
    axis.set_major_locator(FixedLocator(readable(axis, log_ticks(*limits, most), label)))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda x, _: label(x)))


def readable(axis: Any, ticks: list[float], label: Callable[[float], str]) -> list[float]:
    """Those of `ticks` whose labels stand apart on `axis`, which is logarithmic: all, every second, every fourth."""
    if axis.axis_name != "x" or len(ticks) <= 1:
        return ticks
    low, high = axis.axes.get_xlim()
    width = axis.axes.get_position().width * axis.axes.figure.get_figwidth()
    inch = math.log(high / low) / width
    letter = LETTER * FontProperties(size=rcParams["xtick.labelsize"]).get_size_in_points() / 72
    for left, right in pairwise(ticks):
        if math.log(right / left) / inch < letter * (1 + (len(label(left)) + len(label(right))) / 2):
            return readable(axis, ticks[::2], label)
    return ticks


def span(values: Iterable[float | None], around: float = 1.08) -> tuple[float, float]:
    """Limits of a logarithmic axis that holds all `values`."""
    positive = [value for value in values if value and value > 0] or [1.0]
    return min(positive) / around, max(positive) * around


def apart(places: Sequence[float], least: float) -> list[float]:
    """`places` of labels, moved so that none is nearer to another than `least`; their order stays."""
    order = sorted(range(len(places)), key=places.__getitem__)
    moved = list(places)
    for _ in range(50):
        for low, high in pairwise(order):
            overlap = least - (moved[high] - moved[low])
            if overlap > 0:
                moved[low] -= overlap / 2
                moved[high] += overlap / 2
    return moved
