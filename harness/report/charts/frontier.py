"""What settings cost in memory, and how much of the rate that tune was asked for each answered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from harness import units
from harness.report.charts.base import WIDTH, Chart, Row
from harness.report.charts.candidates import OF_LAUNCHES
from harness.report.charts.marks import Drawing, Mark
from harness.report.figures import Study
from harness.report.figures.rows import HEADINGS, of_rate_row, shown_of
from harness.report.words import deployed, shorten, shown, text
from harness.tune.rate.answer import RateAnswer, RateRow
from harness.tune.recommendation import Recommendation

LEFT, RIGHT, BELOW, ABOVE, BODY = 0.95, 1.2, 0.5, 0.3, 3.6
STANDINGS = {
    "recommended": "recommended",
    "holds": "holds",
    "open": "not settled",
    "misses": "does not hold",
    "failed": "failed",
}
SAID = ("answered_rps", "latency_p99_us", "memory_bytes", "cpu_s_per_request")
"""What a mark tells of its setting."""
LABEL = 0.045
"""Share of the height within which settings of the same workers get one label."""


def frontier(study: Study) -> Chart | None:
    """Memory against the requests a second that were answered, of every setting that was offered the rate."""
    answer = study.tuned
    rate = answer.rate if answer else None
    if answer is None or rate is None:
        return None
    metrics = shown_of(rate.rows)
    return Chart(
        name="tune-frontier",
        title=_title(answer, rate),
        note=f"Every setting that was offered {units.rps(rate.offered_rps)} (open load, the same arrivals for all of a "
        "block): its memory, and how many requests a second it answered, in its middle block. A dot "
        "holds the objective, a cross does not, hollow is not settled. Ringed: recommended. Dashed: the rate that was "
        "asked for, and with its headroom.",
        table_note=OF_LAUNCHES,
        body=BODY,
        paint=lambda drawing: _paint(drawing, answer, rate),
        columns=(
            "workers",
            "threads",
            "standing",
            "blocks held",
            *(HEADINGS[metric] for metric in metrics),
            "limit",
            "why",
        ),
        rows=tuple(_row(row, metrics) for row in rate.rows),
        quotable=True,
    )


def _title(answer: Recommendation, rate: RateAnswer) -> str:
    asked = f"{shown(answer.slo or 'the objective')} at {units.rps(rate.rate_rps)}"
    if answer.recommended is None:
        return f"Nothing that was tried holds {asked} with {units.percent(rate.headroom)} headroom"
    holds = "holds" if rate.settled else "probably holds"
    return f"{deployed(answer)}: the cheapest that {holds} {asked} with {units.percent(rate.headroom)} headroom"


def _row(row: RateRow, metrics: Sequence[str]) -> Row:
    values = [of_rate_row(row, metric) for metric in metrics]
    return (
        f"{row.workers}",
        f"{row.threads}",
        STANDINGS[row.standing],
        f"{row.held} of {row.held + row.missed}",
        *(value if value.value is not None else units.MISSING for value in values),
        shown(row.limit or units.MISSING),
        shown(row.why or ""),
    )


def _paint(drawing: Drawing, answer: Recommendation, rate: RateAnswer) -> None:
    axes = drawing.axes(LEFT, BELOW, WIDTH - LEFT - RIGHT, BODY - BELOW - ABOVE)
    rows = [row for row in rate.rows if row.answered_rps is not None and row.memory_bytes]
    most = max((_mib(row) for row in rows), default=1.0)
    axes.set_xlim(0, most * 1.2)
    axes.set_ylim(0, rate.offered_rps * 1.2)
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}{units.THIN}MiB" if x else "0"))
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:,.0f}"))
    axes.set_xlabel("memory")
    axes.set_ylabel("answers a second")
    axes.grid()
    _asked(drawing, axes, rate)
    threads = answer.service is not None and answer.service.slots == "threads"
    _settings(drawing, axes, rows, threads=threads)


def _asked(drawing: Drawing, axes: Axes, rate: RateAnswer) -> None:
    """The rate, and what was offered."""
    words = {rate.rate_rps: "asked for", rate.offered_rps: f"with {units.percent(rate.headroom)} headroom"}
    for rps, says in words.items():
        axes.axhline(rps, color=drawing.theme.muted, lw=1.1, ls=(0, (5, 2)), zorder=1)
        axes.annotate(
            f"{units.rps(rps)}\n{says}",
            (1, rps),
            (6, 0),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            va="center",
            fontsize=8,
            color=drawing.theme.muted,
            annotation_clip=False,
        )


def _settings(drawing: Drawing, axes: Axes, rows: Sequence[RateRow], *, threads: bool) -> None:
    theme = drawing.theme
    for row in rows:
        x, y, missed = _mib(row), row.answered_rps or 0.0, row.standing == "misses"
        colour = theme.a if missed else theme.b
        fill = theme.paper if row.standing == "open" else colour
        front = 5 if row.standing == "recommended" else 4
        (dot,) = axes.plot([x], [y], "x" if missed else "o", color=colour, mfc=fill, ms=7, mew=1.8, zorder=front)
        says = ", ".join(text(of_rate_row(row, metric)) for metric in SAID)
        drawing.mark(dot, Mark(f"{_called(row, threads=threads)}, {STANDINGS[row.standing]}: {says}"))
        if row.standing == "recommended":
            axes.plot([x], [y], "o", ms=15, mfc="none", mec=theme.b, mew=1.6, zorder=3)
            _label(drawing, axes, (x, y), _called(row, threads=threads), above=True, strong=True)
    for place, words in _names(rows, axes.get_ylim()[1], threads=threads):
        _label(drawing, axes, place, words)


def _names(rows: Sequence[RateRow], height: float, *, threads: bool) -> Iterator[tuple[tuple[float, float], str]]:
    """One name for those of the same workers that lie in one place, beside what is recommended."""
    places: dict[tuple[int, int], list[RateRow]] = {}
    for row in rows:
        if row.standing != "recommended":
            places.setdefault((row.workers, round((row.answered_rps or 0.0) / height / LABEL)), []).append(row)
    for (workers, _), alike in places.items():
        counts = ", ".join(f"{row.threads}" for row in alike)
        words = f"{workers} {units.TIMES} {counts}" if threads else _called(alike[0], threads=False)
        thumb = f"\n2 {units.TIMES} cores + 1" if any(row.naive for row in alike) else ""
        yield (_mib(alike[0]), alike[0].answered_rps or 0.0), shorten(words, 34) + thumb


def _label(
    drawing: Drawing, axes: Axes, at: tuple[float, float], words: str, *, above: bool = False, strong: bool = False
) -> None:
    axes.annotate(
        words,
        at,
        (0, 12 if above else -9),
        textcoords="offset points",
        ha="center",
        va="bottom" if above else "top",
        fontsize=8.5,
        fontweight="bold" if strong else "normal",
        color=drawing.theme.ink if strong else drawing.theme.muted,
        bbox={"facecolor": drawing.theme.paper, "edgecolor": "none", "pad": 0.6},
        annotation_clip=False,
    )


def _mib(row: RateRow) -> float:
    return (row.memory_bytes or 0) / units.MIB


def _called(row: RateRow, *, threads: bool) -> str:
    return f"{row.workers} {units.TIMES} {row.threads}" if threads else units.plural(row.workers, "worker")
