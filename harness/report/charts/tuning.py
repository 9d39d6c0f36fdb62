"""What tune found: throughput and memory over the candidates, and the search for the rate that holds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator

from harness import units
from harness.errors import UsageError
from harness.report.charts.base import WIDTH, Chart, Row, log_axis, log_ticks, span
from harness.report.charts.marks import Drawing, Mark, Point
from harness.report.study import Study
from harness.report.tuned import METRICS
from harness.report.values import of_candidate
from harness.report.words import plural, shorten, shown
from harness.slo import parse
from harness.tune.answer import Answer, CandidateRow, RatePoint

LEFT, RIGHT, BELOW, ABOVE = 0.95, 0.3, 0.5, 0.3
THROUGHPUT, MEMORY, BETWEEN = 2.4, 0.85, 0.35
SEARCH = 3.1
STANDINGS = {
    "recommended": "recommended",
    "tie": "within the margin",
    "below": "less",
    "behind": "not launched again",
    "failed": "failed",
}
TOP = 0.94
"""Where a rate without a response time stands, of the chart's height."""


def candidate(row: CandidateRow, *, threads: bool) -> str:
    """`4`, or `4 x 8` with a proper sign where threads differ."""
    return f"{row.workers} {units.TIMES} {row.threads}" if threads else f"{row.workers}"


def with_threads(answer: Answer) -> bool:
    """Whether the candidates differ in their threads."""
    return len({row.threads for row in answer.candidates}) > 1


def candidates(study: Study) -> Chart | None:
    """Throughput with interval, ties, ceiling and memory of every candidate that was launched."""
    answer = study.tuned
    rows = [row for row in answer.candidates if row.throughput_rps] if answer else []
    if answer is None or not rows:
        return None
    cores = answer.service.cores if answer.service else 1
    return Chart(
        name="tune-candidates",
        title=_title(answer, rows),
        note=f"Good answers a second by {_by(answer)}, on {plural(cores, 'server core')}, with 95 % interval; below it "
        f"the memory. Shaded: within {units.percent(answer.margin)} of the best. Ringed: recommended. Hollow: not "
        "launched again. Dotted: the analytic ceiling.",
        body=THROUGHPUT + BETWEEN + MEMORY + BELOW + ABOVE,
        paint=lambda drawing: _paint_candidates(drawing, answer, rows),
        columns=(
            "workers",
            "threads",
            "standing",
            "throughput",
            "of the best",
            "p99",
            "memory",
            "picked",
            "limit",
            "why",
        ),
        rows=tuple(_row(row) for row in answer.candidates),
        quotable=True,
    )


def _by(answer: Answer) -> str:
    return f"workers {units.TIMES} threads" if with_threads(answer) else "workers"


def _title(answer: Answer, rows: Sequence[CandidateRow]) -> str:
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


def _row(row: CandidateRow) -> Row:
    values = [of_candidate(row, metric) for metric in METRICS]
    return (
        f"{row.workers}",
        f"{row.threads}",
        STANDINGS[row.standing],
        *(value if value.value is not None else units.MISSING for value in values),
        shown(row.limit or units.MISSING),
        shown(row.why or ""),
    )


def _paint_candidates(drawing: Drawing, answer: Answer, rows: Sequence[CandidateRow]) -> None:
    theme, width = drawing.theme, WIDTH - LEFT - RIGHT
    upper = drawing.axes(LEFT, BELOW + MEMORY + BETWEEN, width, THROUGHPUT)
    lower = drawing.axes(LEFT, BELOW, width, MEMORY)
    threads = with_threads(answer)
    for axes in (upper, lower):
        axes.set_xlim(-0.6, len(rows) - 0.4)
        axes.xaxis.set_major_locator(FixedLocator(range(len(rows))))
        axes.grid(axis="y")
    upper.tick_params(labelbottom=False)
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
    _memory(drawing, lower, rows, labels)
    _naive(drawing, upper, answer, rows)


def _levels(drawing: Drawing, axes: Axes, rows: Sequence[CandidateRow], labels: Sequence[str]) -> None:
    theme = drawing.theme
    ceilings = [row.ceiling_rps or math.nan for row in rows]
    axes.plot(range(len(rows)), ceilings, color=theme.b, lw=1.2, ls=(0, (1, 2)))
    axes.plot(range(len(rows)), [row.throughput_rps or math.nan for row in rows], color=theme.b, lw=1.2, alpha=0.5)
    for still in (True, False):
        some = [(place, row) for place, row in enumerate(rows) if (row.standing == "behind") is not still]
        points = [
            Point(f"{labels[place]}, {STANDINGS[row.standing]}", of_candidate(row, "throughput_rps"), place)
            for place, row in some
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
            drawing.tell(bars.patches[0], f"{labels[place]}, memory", value)


def _naive(drawing: Drawing, axes: Axes, answer: Answer, rows: Sequence[CandidateRow]) -> None:
    """Where the rule of thumb lies."""
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


def search(study: Study) -> Chart | None:
    """Every rate that was tried, held or not, with the objective's line and the bracket of the capacity."""
    answer = study.tuned
    if answer is None or not answer.searched or answer.capacity_rps is None:
        return None
    return Chart(
        name="tune-search",
        title=_held(answer),
        note=f"Each rate that was offered (open load), with its p99: a dot where {shown(answer.slo or 'it')} held, a "
        "cross where it did not. Shaded: between the highest rate that holds and the lowest that does not. Grey: the "
        "trial may not be used.",
        body=SEARCH,
        paint=lambda drawing: _paint_search(drawing, answer),
        columns=("rate", "outcome", "p99", "what was missed", "by", "limit"),
        rows=tuple(_tried(point) for point in answer.searched),
        quotable=True,
    )


def _held(answer: Answer) -> str:
    found, slo = answer.capacity_rps, shown(answer.slo or "the objective")
    if found is None or found.low is None:
        return f"No rate holds {slo}"
    if found.high is None:
        return f"{slo} holds at {units.rps(found.low)}; no rate was found at which it does not"
    return f"{slo} holds up to {units.rps(found.low)} and not at {units.rps(found.high)}"


def _tried(point: RatePoint) -> Row:
    trial = point.trial
    missed = f"{trial.objective}: {units.percent(trial.loss_ratio)} lost" if trial.objective else units.MISSING
    outcome = {"held": "held", "exceeded": "not held", "invalid": "invalid"}[trial.outcome]
    return (
        units.rps(trial.rate_rps),
        outcome,
        units.duration_us(trial.p99_us),
        shown(missed),
        shown("; ".join(trial.reasons) or trial.cause or units.MISSING),
        shown(trial.limit or units.MISSING),
    )


def _paint_search(drawing: Drawing, answer: Answer) -> None:
    theme, points = drawing.theme, answer.searched
    axes = drawing.axes(LEFT, BELOW, WIDTH - LEFT - RIGHT, SEARCH - BELOW - ABOVE)
    limits = _limits(answer.slo)
    log_axis(axes.xaxis, span([point.trial.rate_rps for point in points], 1.15), lambda x: units.tick(units.rps(x)), 8)
    seen = [*(point.trial.p99_us for point in points), *limits.values()]
    log_axis(axes.yaxis, span(seen, 1.5), lambda y: units.tick(units.duration_us(y)), 5)
    axes.grid()
    axes.set_xlabel("rate offered (logarithmic)")
    axes.set_ylabel("p99 response time")
    for name, limit in limits.items():
        axes.axhline(limit, color=theme.a, lw=1.2, ls=(0, (5, 2)))
        axes.annotate(
            f" {name}", (axes.get_xlim()[0], limit), (2, 3), textcoords="offset points", color=theme.a, fontsize=8.5
        )
    _bracket(drawing, axes, answer)
    looks = {"held": ("o", theme.b), "exceeded": ("x", theme.a), "invalid": ("o", theme.line)}
    side = axes.get_xaxis_transform()
    for point in points:
        trial = point.trial
        marker, colour = looks[trial.outcome]
        look: dict[str, Any] = {"color": colour, "ms": 6, "mew": 1.8, "zorder": 4}
        look |= {"transform": side} if trial.p99_us is None else {}
        y = TOP if trial.p99_us is None else trial.p99_us
        (dot,) = axes.plot([trial.rate_rps], [y], marker, **look)
        rate, outcome, p99, missed, by, _ = map(str, _tried(point))
        drawing.mark(dot, Mark(f"{rate}: {outcome}, p99 {p99}, {missed}, {by}"))


def _limits(slo: str | None) -> dict[str, float]:
    """The objectives that are a p99, and their limits in microseconds."""
    try:
        objectives = parse(slo).objectives if slo else ()
    except UsageError:
        return {}
    return {one.text: float(one.limit_us) for one in objectives if one.limit_us and one.metric == "p99"}


def _bracket(drawing: Drawing, axes: Axes, answer: Answer) -> None:
    found, theme = answer.capacity_rps, drawing.theme
    if found is None or found.low is None:
        return
    high = found.high or axes.get_xlim()[1]
    axes.axvspan(found.low, high, color=theme.band, lw=0, zorder=0)
    words = f"holds at {units.rps(found.low)}"
    words += f", not at {units.rps(found.high)}" if found.high else ""
    axes.annotate(
        shorten(words, 60),
        (found.low, 1),
        (0, 5),
        xycoords=("data", "axes fraction"),
        textcoords="offset points",
        ha="right" if found.low > math.sqrt(math.prod(axes.get_xlim())) else "left",
        fontsize=8.5,
        color=theme.muted,
        annotation_clip=False,
    )
