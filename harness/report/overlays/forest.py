"""Ratios of several runs in rows: in each row a point with its interval a run."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes

from harness.report import style
from harness.report.charts.base import PAD, WIDTH, Chart, log_axis, span
from harness.report.charts.marks import Drawing, Point
from harness.report.overlays.base import Panel, Several, conclusion, rows
from harness.report.words import interval, shorten, times

LEFT, RIGHT, BELOW, ABOVE = 3.6, 1.5, 0.5, 0.08
ROW, EACH = 0.24, 0.2
"""Inches of a row, and more for each run."""


def chart(several: Several, found: Sequence[Panel], *, name: str, lead: str, note: str, label: str) -> Chart | None:
    """The chart of these rows, each curve of which is a single point; None where there is none."""
    if not found:
        return None
    height = ROW + EACH * len(several.studies)
    return Chart(
        name=name,
        title=f"{lead}: {conclusion(found)}",
        note=f"{note} A colour and a marker a run, with 95 % intervals.",
        body=several.legend_height + ABOVE + height * len(found) + BELOW,
        paint=lambda drawing: _paint(drawing, several, found, label),
        columns=("figure", *several.names),
        rows=tuple(rows(several, found)),
    )


def _paint(drawing: Drawing, several: Several, found: Sequence[Panel], label: str) -> None:
    height = ROW + EACH * len(several.studies)
    several.legend(drawing, BELOW + height * len(found) + ABOVE + several.legend_height)
    axes = drawing.axes(LEFT, BELOW, WIDTH - LEFT - RIGHT, height * len(found))
    values = [point.value for panel in found for curve in panel.curves.values() for point in curve.points]
    log_axis(axes.xaxis, span([1.0, *(end for v in values for end in (v.value, v.low, v.high))], 1.12), times)
    axes.set_ylim(0, len(found))
    axes.yaxis.set_visible(False)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")
    axes.axvline(1, color=drawing.theme.line, lw=1, zorder=1)
    axes.set_xlabel(label)
    for index, panel in enumerate(found):
        _row(drawing, axes, several, panel, len(found) - index)


def _row(drawing: Drawing, axes: Axes, several: Several, panel: Panel, top: int) -> None:
    """A row from `top` to one below it: heading, and its runs from above to below."""
    theme, side = drawing.theme, axes.get_yaxis_transform()
    left, right = (PAD - LEFT) / (WIDTH - LEFT - RIGHT), 1 + 0.1 / (WIDTH - LEFT - RIGHT)
    height = ROW + EACH * len(several.studies)
    middle = top - 0.5
    axes.axhline(top - 1, color=theme.grid, lw=0.8, zorder=0)
    axes.text(
        left,
        middle + 0.085 / height,
        shorten(panel.first.title, 46),
        fontweight="bold",
        va="center",
        fontsize=9,
        transform=side,
    )
    axes.text(
        left,
        middle - 0.085 / height,
        shorten(panel.first.about, 62),
        color=theme.muted,
        va="center",
        fontsize=8,
        transform=side,
    )
    for number, curve in panel.curves.items():
        y = top - (ROW / 2 + EACH * (number + 0.5)) / height
        run, point = style.RUNS[number], curve.points[0]
        named = Point(f"{several.names[number]}: {point.label}", point.value, y)
        drawing.points(axes, [named], run.light, marker=run.marker)
        axes.text(right, y, interval(point.value), color=run.light, va="center", fontsize=8, transform=side)
