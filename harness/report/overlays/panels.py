"""Curves of several runs in panels, two side by side, each with a band for its intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from harness import units
from harness.report import style
from harness.report.charts.base import PAD, WIDTH, Chart, log_axis, span
from harness.report.charts.marks import Drawing, value_mark
from harness.report.overlays.base import Curve, Panel, Scale, Several, conclusion, rows
from harness.report.words import shorten

HEIGHT, GAP, RIGHT, HEAD, BELOW, BETWEEN = 2.2, 0.75, 0.25, 0.5, 0.5, 0.55
WIDEST = 5.6


def counts(axes: Axes, xs: Sequence[float]) -> None:
    """Whole numbers along x, each as far from its double."""
    places = sorted(set(xs))
    axes.set_xscale("log", base=2)
    axes.set_xlim(places[0] / 1.12, places[-1] * 1.12)
    axes.xaxis.set_major_locator(FixedLocator(places[:: max(1, math.ceil(len(places) / 9))]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))


def _rates(axes: Axes, ys: Sequence[float]) -> None:
    axes.set_ylim(0, max(ys, default=1) * 1.1)
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:,.0f}"))


def _durations(axes: Axes, ys: Sequence[float]) -> None:
    log_axis(axes.yaxis, span(ys, 1.15), lambda y: units.tick(units.duration_us(y)), 5)


THROUGHPUT = Scale(label="answers a second", hold=_rates)
LATENCY = Scale(label="response time", hold=_durations)


def chart(
    several: Several, found: Sequence[Panel], x: Scale, *, name: str, lead: str, note: str, scenario: str | None = None
) -> Chart | None:
    """The chart of these panels; None where there is none."""
    if not found:
        return None
    up = math.ceil(len(found) / 2)
    return Chart(
        name=name,
        title=f"{lead}: {conclusion(found)}",
        note=f"{note} A colour and a marker a run, bands: 95 % intervals.",
        body=several.legend_height + up * (HEIGHT + HEAD) + (up - 1) * BETWEEN + BELOW,
        scenario=scenario,
        paint=lambda drawing: _paint(drawing, several, found, x),
        columns=("figure", *several.names),
        rows=tuple(rows(several, found)),
    )


def _paint(drawing: Drawing, several: Several, found: Sequence[Panel], x: Scale) -> None:
    across, up = min(len(found), 2), math.ceil(len(found) / 2)
    width = min((WIDTH - across * (GAP + RIGHT)) / across, WIDEST)
    several.legend(drawing, BELOW + up * (HEIGHT + HEAD) + (up - 1) * BETWEEN + several.legend_height)
    for index, panel in enumerate(found):
        left = GAP + (index % across) * (width + GAP + RIGHT)
        bottom = BELOW + (up - 1 - index // across) * (HEIGHT + HEAD + BETWEEN)
        axes = drawing.axes(left, bottom, width, HEIGHT)
        head = left - GAP + PAD + (0.1 if index % across else 0)
        drawing.text(head, bottom + HEIGHT + 0.3, shorten(panel.first.title, 58), fontweight="bold", fontsize=9.5)
        about = " and ".join(dict.fromkeys(curve.about for curve in panel.curves.values() if curve.about))
        drawing.text(head, bottom + HEIGHT + 0.12, shorten(about, 66), fontsize=8.5, color=drawing.theme.muted)
        for number, curve in panel.curves.items():
            _curve(drawing, axes, several.names[number], number, curve)
        _axes(axes, panel, x)


def _axes(axes: Axes, panel: Panel, x: Scale) -> None:
    points = [point for curve in panel.curves.values() for point in curve.points]
    paths = [place for curve in panel.curves.values() for place in curve.path]
    x.hold(axes, [*(point.at for point in points), *(place for place, _ in paths)])
    axes.set_xlabel(x.label)
    if (y := panel.first.y) is not None:
        ends = [end for p in points for end in (p.value.value, p.value.low, p.value.high) if end]
        y.hold(axes, [*ends, *(height for _, height in paths)])
        axes.set_ylabel(y.label)
    axes.grid()


def _curve(drawing: Drawing, axes: Axes, name: str, number: int, curve: Curve) -> None:
    run = style.RUNS[number]
    known = [point for point in curve.points if point.value.low is not None]
    axes.fill_between(
        [point.at for point in known],
        [point.value.low or 0 for point in known],
        [point.value.high or 0 for point in known],
        color=run.light,
        alpha=0.18,
        lw=0,
    )
    path = curve.path or tuple((point.at, point.value.value or 0) for point in curve.points)
    how: Any = {"drawstyle": "steps-mid"} if curve.path else {}
    axes.plot([x for x, _ in path], [y for _, y in path], color=run.light, lw=1.6, zorder=3, **how)
    (dots,) = axes.plot(
        [point.at for point in curve.points],
        [point.value.value or 0 for point in curve.points],
        run.marker,
        color=run.light,
        mec=drawing.theme.paper,
        mew=0.6,
        ms=6,
        zorder=4,
    )
    drawing.mark(dots, *(value_mark(f"{name}: {point.label}", point.value) for point in curve.points))
