"""The slices of a group's blocks over time: how the machine drifted, what was dropped, where blocks were started."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import stdev

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator

from harness import units
from harness.record import SliceRow, Trial
from harness.report.charts.base import WIDTH, Chart, Row
from harness.report.charts.marks import Drawing, Mark
from harness.report.charts.throughput import colour_of
from harness.report.figures import Study
from harness.report.words import called, condition, shorten, sides, title
from harness.suite import Arm

BODY, LEFT, RIGHT, BELOW, ABOVE = 2.5, 0.8, 0.25, 0.45, 0.3
GAP = 0.025
"""Between two blocks, of the chart's width."""
MOST_LABELS = 10


@dataclass(frozen=True, slots=True)
class Span:
    """Where a block lies across the chart, and when it began."""

    left: float
    right: float
    begin: float
    scale: float

    def at(self, moment: float) -> float:
        """Where a moment of the block lies across the chart."""
        return self.left + (moment - self.begin) * self.scale


@dataclass(frozen=True)
class SlicePoint:
    """One slice, relative to what its arm did on average."""

    arm: Arm
    trial: Trial
    slice: SliceRow
    level: float
    """Logarithm of its throughput over the arm's mean."""

    @property
    def kept(self) -> bool:
        """Whether the slice counts."""
        return self.trial.valid and self.slice.round not in self.trial.dropped_rounds


def series(study: Study, scenario: str) -> Chart | None:
    """Every closed slice of a scenario's arms, in the order of time."""
    points = list(_points(study, scenario))
    if not points:
        return None
    blocks = sorted({point.trial.block for point in points})
    return Chart(
        name=f"series-{scenario}",
        title=_title(study, scenario, points),
        note="Each dot is a slice under closed load: its throughput relative to its arm's mean, in the order of time. "
        "Shaded: whatever was between (other groups, open load, the next block's start). Crosses: not counted.",
        body=BODY,
        scenario=scenario,
        paint=lambda drawing: _paint(drawing, study, scenario, points),
        columns=("block", "began", "slices", "mean level", "not counted"),
        rows=tuple(_row(points, block) for block in blocks),
    )


def _points(study: Study, scenario: str) -> Iterator[SlicePoint]:
    for arm in study.arms.values():
        if arm.cell.scenario != scenario:
            continue
        trials = study.trials(arm.id, "closed")
        logs = [math.log(t.throughput_rps) for t in study.used(arm.id, "closed") if t.throughput_rps]
        if not logs:
            continue
        mean = math.fsum(logs) / len(logs)
        for trial in trials:
            for row in trial.slices:
                if row.throughput_rps > 0:
                    yield SlicePoint(arm, trial, row, math.log(row.throughput_rps) - mean)


def _levels(points: Sequence[SlicePoint]) -> dict[int, float]:
    """Mean level of each block."""
    by_block: dict[int, list[float]] = {}
    for point in points:
        if point.kept:
            by_block.setdefault(point.trial.block, []).append(point.level)
    return {block: math.fsum(levels) / len(levels) for block, levels in by_block.items()}


def _title(study: Study, scenario: str, points: Sequence[SlicePoint]) -> str:
    levels = list(_levels(points).values())
    lead = f"{title(scenario)}: "
    spreads = [
        verdict.standard_error * math.sqrt(verdict.blocks)
        for pair in study.pairs_of(scenario)
        if (verdict := study.verdict(pair)) and verdict.standard_error is not None
    ]
    lost = sum(not point.kept for point in points)
    dropped = f", {lost} slices not counted" if lost else ""
    if len(levels) < 2 or not spreads:  # noqa: PLR2004 - a spread needs two
        return f"{lead}one block, so nothing can be said of drift{dropped}"
    drift, ratio = (units.percent(math.expm1(spread)) for spread in (stdev(levels), max(spreads)))
    return f"{lead}blocks differ by {drift} (SD), the ratios within them by {ratio} at most{dropped}"


def _row(points: Sequence[SlicePoint], block: int) -> Row:
    mine = [point for point in points if point.trial.block == block]
    level = _levels(mine).get(block)
    return (
        f"{block + 1}",
        units.clock(min(point.slice.start_s for point in mine)),
        f"{len(mine)}",
        units.MISSING if level is None else units.percent(math.exp(level)),
        f"{sum(not point.kept for point in mine)}",
    )


def _paint(drawing: Drawing, study: Study, scenario: str, points: Sequence[SlicePoint]) -> None:
    theme = drawing.theme
    axes = drawing.axes(LEFT, BELOW, WIDTH - LEFT - RIGHT, BODY - BELOW - ABOVE)
    spans = _spans(points)
    axes.set_xlim(-0.02, 1.02)
    reach = max(0.04, *(abs(point.level) for point in points)) * 1.1
    axes.set_ylim(math.exp(-reach), math.exp(reach))
    for before, after in pairwise(spans.values()):
        axes.axvspan(before.right, after.left, color=theme.band, lw=0, zorder=0)
    axes.axhline(1, color=theme.line, lw=0.9, zorder=1)
    axes.grid(axis="y")
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: units.percent(y)))
    axes.set_ylabel("of the arm's mean")
    begins = {
        (span.left + span.right) / 2: f"block {block + 1}\n{units.clock(span.begin)}" for block, span in spans.items()
    }
    axes.xaxis.set_major_locator(FixedLocator(list(begins)[:: math.ceil(len(begins) / MOST_LABELS)]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: begins.get(x, "")))
    axes.tick_params(axis="x", length=0)
    _dots(drawing, axes, study, points, spans)
    names = sides(study, study.pairs_of(scenario)) or ("named second", "named first")
    for x, words, colour in ((0.0, names[0], theme.a), (0.3, names[1], theme.b)):
        axes.annotate(
            f"\u25cf {shorten(words, 34)}",
            (x, 1),
            (0, 6),
            xycoords="axes fraction",
            textcoords="offset points",
            color=colour,
            fontsize=8.5,
            annotation_clip=False,
        )


def _spans(points: Sequence[SlicePoint]) -> dict[int, Span]:
    """Where each block lies across the chart: as wide as it was long, with room between."""
    times: dict[int, list[float]] = {}
    for point in points:
        times.setdefault(point.trial.block, []).extend(
            (point.slice.start_s, point.slice.start_s + point.slice.length_s)
        )
    ordered = sorted(times.items(), key=lambda item: min(item[1]))
    total = sum(max(each) - min(each) for _, each in ordered) or 1.0
    scale = (1 - GAP * (len(ordered) - 1)) / total
    spans, left = {}, 0.0
    for block, each in ordered:
        right = left + (max(each) - min(each)) * scale
        spans[block] = Span(left, right, min(each), scale)
        left = right + GAP
    return spans


def _dots(drawing: Drawing, axes: Axes, study: Study, points: Sequence[SlicePoint], spans: dict[int, Span]) -> None:
    for block, span in spans.items():
        mine = [point for point in points if point.trial.block == block]
        for arm in dict.fromkeys(point.arm.id for point in mine):
            for kept, marker in ((True, "o"), (False, "x")):
                alike = [point for point in mine if point.arm.id == arm and point.kept is kept]
                if not alike:
                    continue
                colour = colour_of(study, alike[0].arm, drawing) if kept else drawing.theme.muted
                xs = [span.at(point.slice.start_s + point.slice.length_s / 2) for point in alike]
                ys = [math.exp(point.level) for point in alike]
                (dots,) = axes.plot(xs, ys, marker, color=colour, ms=4, alpha=0.85, ls="none", zorder=3)
                rates = ", ".join(units.rps(point.slice.throughput_rps) for point in alike)
                lost = "" if kept else " (not counted)"
                drawing.mark(dots, Mark(f"block {block + 1}, {_named(study, alike[0].arm)}{lost}: {rates}", arm))


def _named(study: Study, arm: Arm) -> str:
    return f"{condition(study, arm)}, {called(study, arm)}"
