"""Throughput over workers, with the number of server cores beside it, the tie set and the analytic ceiling."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from harness import units
from harness.report.charts.base import PAD, WIDTH, Chart, Row, apart
from harness.report.charts.marks import Drawing, Point
from harness.report.charts.throughput import ceiling, colour_of
from harness.report.figures import Study, Value
from harness.report.words import condition, setup, shorten, shown
from harness.suite import Arm
from harness.units import plural

PANEL, GAP, HEAD, BELOW = 2.3, 0.75, 0.42, 0.5
RIGHT = 1.25
"""Room for the lines' own labels."""
WIDEST = 5.2


@dataclass(frozen=True)
class Curve:
    """One cell at several worker counts."""

    arms: tuple[Arm, ...]
    values: tuple[Value, ...]

    @property
    def gain(self) -> float:
        """Throughput at its best over that at the fewest workers."""
        return max(value.value or 0 for value in self.values) / (self.values[0].value or math.inf)

    def ties(self, margin: float) -> list[int]:
        """Worker counts whose throughput is within the margin of the best."""
        best = max(value.value or 0 for value in self.values)
        return [
            a.cell.workers for a, v in zip(self.arms, self.values, strict=True) if (v.value or 0) * (1 + margin) >= best
        ]


def workers(study: Study) -> Chart | None:
    """Throughput over the number of workers, for each cell that has at least two."""
    panels = _panels(study)
    if not panels:
        return None
    rows = math.ceil(len(panels) / 2)
    return Chart(
        name="workers",
        title=_title(study, [curve for curves in panels.values() for curve in curves]),
        note=f"Good answers a second under closed load by number of workers, with 95 % interval, on "
        f"{plural(study.cores, 'server core')}: more workers than cores bring nothing to work that computes. Ringed: "
        f"the fewest within {units.percent(study.run.info.plan.margin)} of the best. Dotted: the analytic ceiling. "
        "Beside each line: its best over its first.",
        body=rows * (PANEL + HEAD) + (rows - 1) * 0.45 + BELOW,
        paint=lambda drawing: _paint(drawing, study, panels),
        quotable=True,
        columns=("scenario", "condition", "arm", "throughput", "within the margin of the best"),
        rows=tuple(_rows(study, (curve for curves in panels.values() for curve in curves))),
        arms=tuple(arm.id for curves in panels.values() for curve in curves for arm in curve.arms),
    )


def _panels(study: Study) -> dict[str, list[Curve]]:
    """Curves by what they were measured under."""
    cells: dict[tuple[object, ...], dict[int, Arm]] = {}
    for arm in study.arms.values():
        if study.arm(arm.id, "throughput_rps"):
            key = (replace(arm.cell, workers=1), arm.connections, arm.rate_rps)
            cells.setdefault(key, {}).setdefault(arm.cell.workers, arm)
    panels: dict[str, list[Curve]] = {}
    for counts in cells.values():
        if len(counts) < 2:  # noqa: PLR2004 - a curve has two points
            continue
        arms = tuple(counts[count] for count in sorted(counts))
        values = tuple(value for arm in arms if (value := study.arm(arm.id, "throughput_rps")))
        panels.setdefault(_where(study, arms[0]), []).append(Curve(arms, values))
    return panels


def _where(study: Study, arm: Arm) -> str:
    parts = [shown(arm.cell.scenario), *condition(study, arm).split(", ")]
    return ", ".join(part for part in parts if not part.endswith(("worker", "workers")))


def _title(study: Study, curves: Sequence[Curve]) -> str:
    widest = max((curve.arms[-1].cell.workers for curve in curves), default=1)
    parts = []
    for curve in sorted(curves, key=lambda curve: -curve.gain)[:3]:
        arm = curve.arms[0]
        parts.append(f"{shown(arm.cell.target)} {units.ratio(curve.gain)} times ({_where(study, arm)})")
    return f"Up to {widest} workers on {plural(study.cores, 'server core')} bring " + ", ".join(parts)


def _rows(study: Study, curves: Iterable[Curve]) -> Iterable[Row]:
    margin = study.run.info.plan.margin
    for curve in curves:
        ties = curve.ties(margin)
        for arm, value in zip(curve.arms, curve.values, strict=True):
            tied = "yes" if arm.cell.workers in ties else "no"
            yield shown(arm.cell.scenario), condition(study, arm), setup(arm), value, tied


def _paint(drawing: Drawing, study: Study, panels: dict[str, list[Curve]]) -> None:
    across = min(len(panels), 2)
    width = min((WIDTH - across * (GAP + RIGHT)) / across, WIDEST)
    rows = math.ceil(len(panels) / across)
    for index, (where, curves) in enumerate(panels.items()):
        left = GAP + (index % across) * (width + GAP + RIGHT)
        bottom = BELOW + (rows - 1 - index // across) * (PANEL + HEAD + 0.45)
        axes = drawing.axes(left, bottom, width, PANEL)
        drawing.text(left - GAP + PAD, bottom + PANEL + 0.22, shorten(where, 56), fontweight="bold", fontsize=9.5)
        _panel(drawing, axes, study, curves)
        axes.set_xlabel("workers")


def _panel(drawing: Drawing, axes: Axes, study: Study, curves: Sequence[Curve]) -> None:
    counts = sorted({arm.cell.workers for curve in curves for arm in curve.arms})
    axes.set_xscale("log", base=2)
    axes.set_xlim(counts[0] / 1.12, counts[-1] * 1.12)
    axes.xaxis.set_major_locator(FixedLocator(counts))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    most = max(value.high or value.value or 0 for curve in curves for value in curve.values)
    axes.set_ylim(0, most * 1.15)
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:,.0f}"))
    axes.set_ylabel("answers a second")
    axes.grid(axis="y")
    if counts[0] <= study.cores <= counts[-1]:
        axes.axvline(study.cores, color=drawing.theme.line, lw=1, ls=(0, (4, 2)), zorder=0)
        words = f" {plural(study.cores, 'server core')}"
        axes.text(study.cores, most * 1.14, words, fontsize=8, color=drawing.theme.muted, va="top")
    for curve in curves:
        _curve(drawing, axes, study, curve)
    lasts = [curve.values[-1].value or 0 for curve in curves]
    for curve, y in zip(curves, apart(lasts, most * 0.085), strict=True):
        colour = colour_of(study, curve.arms[0], drawing)
        name = shorten(shown(curve.arms[0].cell.target), 20)
        axes.annotate(
            f"{name} {units.ratio(curve.gain)}{units.TIMES}",
            (counts[-1], y),
            (12, 0),
            textcoords="offset points",
            color=colour,
            fontsize=9,
            va="center",
            annotation_clip=False,
        )


def _curve(drawing: Drawing, axes: Axes, study: Study, curve: Curve) -> None:
    colour = colour_of(study, curve.arms[0], drawing)
    counts = [arm.cell.workers for arm in curve.arms]
    axes.plot(counts, [value.value or 0 for value in curve.values], color=colour, lw=1.8)
    tops = [ceiling(study, arm.id) for arm in curve.arms]
    axes.plot(counts, [top or math.nan for top in tops], color=colour, lw=1.2, ls=(0, (1, 2)))
    points = [
        Point(
            f"{_where(study, arm)}, {setup(arm)}, {plural(arm.cell.workers, 'worker')}",
            value,
            arm.cell.workers,
            arm.id,
        )
        for arm, value in zip(curve.arms, curve.values, strict=True)
    ]
    drawing.points(axes, points, colour, upright=True)
    fewest = curve.ties(study.run.info.plan.margin)[0]
    y = next(v.value or 0 for a, v in zip(curve.arms, curve.values, strict=True) if a.cell.workers == fewest)
    axes.plot([fewest], [y], "o", ms=11, mfc="none", mec=colour, mew=1.3, zorder=3)
