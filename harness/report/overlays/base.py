"""Several runs side by side: which of their curves are of the same thing, and what these show together."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from matplotlib.axes import Axes

from harness import units
from harness.judge.compare.runs import compared
from harness.report import style
from harness.report.charts.base import PAD, WIDTH, Row
from harness.report.charts.marks import Drawing, Point
from harness.report.figures import Study, Value
from harness.report.words import shorten, shown, text
from harness.suite import Arm

LINE, NAME = 0.21, 44
"""Inches of a line of the legend, and how many characters of a run's name stand there."""
IN_A_LINE = 2


@dataclass(frozen=True)
class Several:
    """Runs in the order in which they are compared, at most as many as there are colours."""

    studies: tuple[Study, ...]

    @cached_property
    def names(self) -> tuple[str, ...]:
        """What each is called: its run's name, numbered where two have the same."""
        names = [shown(study.run.info.run) for study in self.studies]
        return tuple(f"{name} ({number})" if names.count(name) > 1 else name for number, name in enumerate(names, 1))

    @cached_property
    def scenarios(self) -> tuple[str, ...]:
        """The names of all scenarios, in the order of the first run that has each."""
        return tuple(dict.fromkeys(name for study in self.studies for name in study.scenarios))

    def cell(self, study: Study, arm: Arm) -> Hashable:
        """What is equal for arms of several runs that measured the same cell, whatever the load."""
        known = set.intersection(*({factor.name for factor in each.factors} for each in self.studies))
        unknown = [factor for factor in study.factors if factor.name not in known]
        return compared(arm, unknown), arm.pair in study.pairs and study.pairs[arm.pair].null

    def same(self, study: Study, arm: Arm) -> Hashable:
        """What is equal for arms of several runs that measured the same cell under the same load."""
        return self.cell(study, arm), arm.connections, arm.rate_rps

    @property
    def legend_height(self) -> float:
        """Inches that the names of the runs take."""
        return LINE * math.ceil(len(self.studies) / IN_A_LINE) + 0.1

    def legend(self, drawing: Drawing, top: float) -> None:
        """The names of the runs with their markers, in lines downwards from `top` inches."""
        for number, name in enumerate(self.names):
            x = PAD + (number % IN_A_LINE) * (WIDTH - PAD) / IN_A_LINE
            y = top - LINE * (number // IN_A_LINE + 0.5)
            dot = drawing.axes(x, y - 0.07, 0.14, 0.14)
            dot.axis("off")
            dot.plot([0], [0], style.RUNS[number].marker, color=style.RUNS[number].light, ms=6)
            drawing.text(x + 0.2, y, shorten(name, NAME), va="center", fontsize=9)


@dataclass(frozen=True, kw_only=True)
class Scale:
    """An axis: its label, and what makes it hold values."""

    label: str
    hold: Callable[[Axes, Sequence[float]], None]


@dataclass(frozen=True, kw_only=True)
class Curve:
    """What one run shows of one thing; a single point may be all of it."""

    same: Hashable
    """Equal for the curves of several runs that are laid over one another."""
    title: str
    about: str = ""
    """What else its panel or row says."""
    points: tuple[Point, ...]
    path: tuple[tuple[float, float], ...] = ()
    """The line, where it is finer than one through the points."""
    y: Scale | None = None


@dataclass
class Panel:
    """Curves of the same thing by the number of their run."""

    curves: dict[int, Curve] = field(default_factory=dict)

    @property
    def first(self) -> Curve:
        """That of the first run that has it."""
        return next(iter(self.curves.values()))

    @property
    def places(self) -> list[float]:
        """Where any of them has a point."""
        return sorted({point.at for curve in self.curves.values() for point in curve.points})

    def at(self, place: float) -> dict[int, Point]:
        """The points there, by run."""
        return {n: point for n, curve in self.curves.items() for point in curve.points if point.at == place}


def panels(several: Several, curves: Callable[[Study], Iterable[Curve]], points: int = 1) -> list[Panel]:
    """The curves that at least two runs have, each run's with at least so many points, in the order of the first."""
    found: dict[Hashable, Panel] = {}
    for number, study in enumerate(several.studies):
        for curve in curves(study):
            if len(curve.points) >= points:
                found.setdefault(curve.same, Panel()).curves.setdefault(number, curve)
    return [panel for panel in found.values() if len(panel.curves) > 1]


def conclusion(shown_: Sequence[Panel]) -> str:
    """How many figures of the last run lie beyond the intervals of the first, and which the farthest."""
    both = [each for panel in shown_ for place in panel.places if (each := _ends(panel, place))]
    if not both:
        return "no figure in two runs"
    apart = [each for each in both if _apart(each[1], each[2])]
    if not apart:
        return f"of {units.plural(len(both), 'figure')} none differs beyond the 95 % intervals"
    label, before, after = max(apart, key=lambda each: _distance(each[1], each[2]))
    differ = f"{len(apart)} of {units.plural(len(both), 'figure')} differ beyond their 95 % intervals"
    return f"{differ}, the most {label}: {text(before)}, then {text(after)}"


def rows(several: Several, shown_: Iterable[Panel]) -> Iterator[Row]:
    """A row for each point: what it is of, and its value in each run."""
    for panel in shown_:
        for place in panel.places:
            there = panel.at(place)
            label = next(iter(there.values())).label
            values = (there[number].value if number in there else units.MISSING for number in range(len(several.names)))
            yield label, *values


def _ends(panel: Panel, place: float) -> tuple[str, Value, Value] | None:
    """What the point is of, and its value in the first run and in the last of those that have it."""
    there = [point for point in panel.at(place).values() if point.value.value]
    if len(there) < 2:  # noqa: PLR2004 - nothing to compare
        return None
    label = there[0].label if len(panel.places) > 1 else panel.first.title
    return label, there[0].value, there[-1].value


def _apart(before: Value, after: Value) -> bool:
    """Whether both have intervals, and these do not overlap."""
    if before.low is None or before.high is None or after.low is None or after.high is None:
        return False
    return before.high < after.low or after.high < before.low


def _distance(before: Value, after: Value) -> float:
    return abs(math.log((after.value or 1) / (before.value or 1)))
