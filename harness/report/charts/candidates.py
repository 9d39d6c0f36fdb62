"""What tune tried: throughput and memory of every candidate."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator

from harness import units
from harness.report.charts.base import WIDTH, Chart, Row
from harness.report.charts.marks import Drawing, Point
from harness.report.figures import Study
from harness.report.figures.axis import log_ticks
from harness.report.figures.rows import HEADINGS, of_candidate, shown_of
from harness.report.words import shown
from harness.tune.recommendation import CandidateRow, Recommendation
from harness.units import plural

LEFT, RIGHT, BELOW, ABOVE = 0.95, 0.3, 0.5, 0.3
THROUGHPUT, P99, MEMORY, BETWEEN = 2.4, 0.85, 0.85, 0.35
OF_LAUNCHES = (
    "Shared: memory that is not one process's alone, the most seen; of it lost: how much less that is after a launch's "
    "last slice than before its first load, median. First answer: from a launch's start, beside the others of its "
    "block, median and range."
)
"""Of the table below the chart."""
STANDINGS = {
    "recommended": "recommended",
    "tie": "within the margin",
    "below": "less",
    "behind": "not launched again",
    "failed": "failed",
}


def candidate(row: CandidateRow, *, threads: bool) -> str:
    """`4`, or `4 x 8` with a proper sign where threads differ."""
    return f"{row.workers} {units.TIMES} {row.threads}" if threads else f"{row.workers}"


def with_threads(answer: Recommendation) -> bool:
    """Whether the candidates differ in their threads."""
    return len({row.threads for row in answer.candidates}) > 1


def candidates(study: Study) -> Chart | None:
    """Throughput with interval, ties and ceiling, p99 and memory of every candidate that was launched."""
    answer = study.tuned
    rows = [row for row in answer.candidates if row.throughput_rps] if answer else []
    if answer is None or not rows:
        return None
    cores = answer.service.cores if answer.service else 1
    metrics = shown_of(answer.candidates)
    return Chart(
        name="tune-candidates",
        title=_title(answer, rows),
        note=f"Good answers a second by {_by(answer)}, on {plural(cores, 'server core')}, with 95 % interval; below it "
        f"the p99 under that load with its own, and the memory. Shaded: within {units.percent(answer.margin)} of the "
        "best. Ringed: recommended. Hollow: not launched again. Dotted: the analytic ceiling.",
        table_note=OF_LAUNCHES,
        body=THROUGHPUT + BETWEEN + P99 + BETWEEN + MEMORY + BELOW + ABOVE,
        paint=lambda drawing: _paint_candidates(drawing, answer, rows),
        columns=(
            "workers",
            "threads",
            "standing",
            *(HEADINGS[metric] for metric in metrics),
            "limit",
            "why",
        ),
        rows=tuple(_row(row, metrics) for row in answer.candidates),
        quotable=True,
    )


def _by(answer: Recommendation) -> str:
    return f"workers {units.TIMES} threads" if with_threads(answer) else "workers"


def _title(answer: Recommendation, rows: Sequence[CandidateRow]) -> str:
    chosen = next((row for row in rows if row.standing == "recommended"), None)
    if chosen is None:
        return "No candidate can be recommended"
    what = plural(chosen.workers, "worker")
    what += f" of {plural(chosen.threads, 'thread')}" if with_threads(answer) else ""
    ties = sum(row.standing == "tie" for row in rows)
    within = f"within {units.percent(answer.margin)} of the best"
    return f"{what}: the least {within}, {units.rps(chosen.throughput_rps)}" + (
        f", tied with {plural(ties, 'other')}" if ties else ""
    )


def _row(row: CandidateRow, metrics: Sequence[str]) -> Row:
    values = [of_candidate(row, metric) for metric in metrics]
    return (
        f"{row.workers}",
        f"{row.threads}",
        STANDINGS[row.standing],
        *(value if value.value is not None else units.MISSING for value in values),
        shown(row.limit or units.MISSING),
        shown(row.why or ""),
    )


def _paint_candidates(drawing: Drawing, answer: Recommendation, rows: Sequence[CandidateRow]) -> None:
    theme, width = drawing.theme, WIDTH - LEFT - RIGHT
    lower = drawing.axes(LEFT, BELOW, width, MEMORY)
    middle = drawing.axes(LEFT, BELOW + MEMORY + BETWEEN, width, P99)
    upper = drawing.axes(LEFT, BELOW + MEMORY + P99 + 2 * BETWEEN, width, THROUGHPUT)
    threads = with_threads(answer)
    for axes in (upper, middle, lower):
        axes.set_xlim(-0.6, len(rows) - 0.4)
        axes.xaxis.set_major_locator(FixedLocator(range(len(rows))))
        axes.grid(axis="y")
    upper.tick_params(labelbottom=False)
    middle.tick_params(labelbottom=False)
    labels = [candidate(row, threads=threads) for row in rows]
    lower.xaxis.set_major_formatter(FuncFormatter(lambda x, _: labels[round(x)]))
    lower.set_xlabel(_by(answer))
    best = max(row.throughput_rps or 0 for row in rows)
    most = max([row.high_rps or row.throughput_rps or 0 for row in rows])
    upper.set_ylim(0, most * 1.12)
    upper.axhspan(best / (1 + answer.margin), best, color=theme.band, lw=0, zorder=0)
    upper.yaxis.set_major_locator(MaxNLocator(5))
    upper.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:,.0f}"))
    upper.set_ylabel("answers a second")
    _levels(drawing, upper, rows, labels)
    _p99(drawing, middle, rows, labels)
    _memory(drawing, lower, rows, labels)
    _naive(drawing, upper, answer, rows)


def _runs(rows: Sequence[CandidateRow]) -> list[list[int]]:
    """The places that a line joins: in a grid those of one number of workers, else all."""
    grid = len({row.workers for row in rows}) < len(rows)
    return [list(run) for _, run in groupby(range(len(rows)), key=lambda place: rows[place].workers if grid else 0)]


def _levels(drawing: Drawing, axes: Axes, rows: Sequence[CandidateRow], labels: Sequence[str]) -> None:
    theme = drawing.theme
    for places in _runs(rows):
        ceilings = [rows[place].ceiling_rps or math.nan for place in places]
        levels = [rows[place].throughput_rps or math.nan for place in places]
        axes.plot(places, ceilings, color=theme.b, lw=1.2, ls=(0, (1, 2)))
        axes.plot(places, levels, color=theme.b, lw=1.2, alpha=0.5)
    for still in (True, False):
        alike = [(place, row) for place, row in enumerate(rows) if (row.standing == "behind") is not still]
        points = [
            Point(f"{labels[place]}, {STANDINGS[row.standing]}", of_candidate(row, "throughput_rps"), place)
            for place, row in alike
        ]
        drawing.points(axes, points, theme.b, upright=True, mfc=theme.b if still else theme.paper)
    for place, row in enumerate(rows):
        if row.standing == "recommended":
            axes.plot([place], [row.throughput_rps or 0], "o", ms=12, mfc="none", mec=theme.b, mew=1.4, zorder=3)
        axes.annotate(
            units.rps(row.throughput_rps),
            (place, row.low_rps or row.throughput_rps or 0),
            (0, -9),
            textcoords="offset points",
            ha="center",
            va="top",
            fontsize=8.5,
            fontweight="bold" if row.standing == "recommended" else "normal",
            annotation_clip=False,
        )


def _p99(drawing: Drawing, axes: Axes, rows: Sequence[CandidateRow], labels: Sequence[str]) -> None:
    values = [(place, of_candidate(row, "saturated_latency_p99_us")) for place, row in enumerate(rows)]
    points = [Point(f"{labels[place]}, p99", value, place) for place, value in values if value.value is not None]
    most = max((point.value.high or point.value.value or 0 for point in points), default=0) or 1
    axes.set_ylim(0, most * 1.2)
    axes.yaxis.set_major_locator(FixedLocator([0, *log_ticks(most / 2, most, 2)[-1:]]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: units.tick(units.duration_us(y)) if y else "0"))
    axes.set_ylabel("p99")
    drawing.points(axes, points, drawing.theme.b, upright=True)
    if not points:
        axes.text(0.5, 0.5, "too few answers for a p99", transform=axes.transAxes, ha="center", va="center")


def _memory(drawing: Drawing, axes: Axes, rows: Sequence[CandidateRow], labels: Sequence[str]) -> None:
    most = max((row.memory_bytes or 0 for row in rows), default=0) or 1
    axes.set_ylim(0, most * 1.1)
    ticks = [tick * units.MIB for tick in log_ticks(most / units.MIB / 2, most / units.MIB, 2)][-1:]
    axes.yaxis.set_major_locator(FixedLocator([0, *ticks]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: units.tick(units.bytes_(y)) if y else "0"))
    axes.set_ylabel("memory")
    for place, row in enumerate(rows):
        value = of_candidate(row, "memory_bytes")
        if value.value is not None:
            bars = axes.bar([place], [value.value], width=0.45, color=drawing.theme.third)
            drawing.mark_value(bars.patches[0], f"{labels[place]}, memory", value)


def _naive(drawing: Drawing, axes: Axes, answer: Recommendation, rows: Sequence[CandidateRow]) -> None:
    """Mark the rule of thumb: 2 x cores + 1 workers."""
    naive = answer.service.naive if answer.service else None
    for place, row in enumerate(rows):
        if row.workers == naive:
            axes.annotate(
                f"2 {units.TIMES} cores + 1",
                (place, 0),
                (0, 5),
                textcoords="offset points",
                ha="center",
                fontsize=8,
                color=drawing.theme.muted,
            )
            return
