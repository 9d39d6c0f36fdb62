"""A figure that is being drawn, and its marks: what answers with an exact value when it is pointed at."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from harness.report.figures import Value
from harness.report.style import Theme
from harness.report.words import interval
from harness.units import plural


@dataclass(frozen=True, slots=True)
class Mark:
    """What a part of a drawing says, and whose it is."""

    says: str
    arm: str = ""
    value: Value | None = None


@dataclass(frozen=True, slots=True)
class Point:
    """A value and where it is drawn, in data coordinates."""

    label: str
    value: Value
    at: float
    """Its place on the other axis than the one that the value lies on."""
    arm: str = ""


@dataclass
class Drawing:
    """A figure, its theme, and the height of its title in inches."""

    figure: Figure
    theme: Theme
    header: float
    marks: dict[str, tuple[Mark, ...]] = field(default_factory=dict)
    """By the id of their SVG group; where a group has several, they belong to its markers in order."""

    def axes(self, left: float, bottom: float, width: float, height: float) -> Axes:
        """Axes at a place in inches from the bottom left corner."""
        across, up = self.figure.get_size_inches()
        return self.figure.add_axes((left / across, bottom / up, width / across, height / up))

    def text(self, x: float, y: float, words: str, **how: Any) -> None:
        """Words at a place in inches from the bottom left corner."""
        across, up = self.figure.get_size_inches()
        self.figure.text(x / across, y / up, words, **how)

    def mark(self, artist: Artist, *marks: Mark) -> None:
        """Let `artist`, or each of its markers, answer."""
        name = f"mark-{len(self.marks)}"
        artist.set_gid(name)
        self.marks[name] = marks

    def mark_value(self, artist: Artist, label: str, value: Value, arm: str = "") -> None:
        """Let `artist` answer with a value."""
        self.mark(artist, value_mark(label, value, arm))

    def points(
        self, axes: Axes, points: Sequence[Point], colour: str, *, upright: bool = False, size: float = 5.5, **how: Any
    ) -> None:
        """Values as dots with their intervals behind them, along y when `upright`; each is a mark."""
        values = [point.value.value or 0.0 for point in points]
        places = [point.at for point in points]
        intervals(axes, ((point.value, point.at) for point in points), colour, upright=upright)
        xs, ys = (places, values) if upright else (values, places)
        look: dict[str, Any] = {"marker": "o", "ls": "none", "color": colour, "ms": size, "zorder": 4}
        (dots,) = axes.plot(xs, ys, **look | how)
        self.mark(dots, *(value_mark(point.label, point.value, point.arm) for point in points))


def intervals(
    axes: Axes,
    values: Iterable[tuple[Value, float]],
    colour: str,
    *,
    upright: bool = False,
    width: float = 7,
    **how: Any,
) -> None:
    """The intervals of values as soft bars along x, or along y when `upright`; of a value without one nothing."""
    ends = [(value.low, value.high, at) for value, at in values if value.low is not None and value.high is not None]
    lines = [((at, low), (at, high)) if upright else ((low, at), (high, at)) for low, high, at in ends]
    look: dict[str, Any] = {"linewidths": width, "alpha": 0.38, "capstyle": "butt", "zorder": 3}
    axes.add_collection(LineCollection(lines, colors=colour, **look | how), autolim=False)


def value_mark(label: str, value: Value, arm: str = "") -> Mark:
    """The mark of a value: with its interval and on how many blocks it rests."""
    blocks = f", {plural(value.blocks, 'block')}" if value.blocks else ""
    bare = "" if value.low is not None else ", no interval"
    return Mark(f"{label}: {interval(value)}{bare}{blocks}", arm, value)
