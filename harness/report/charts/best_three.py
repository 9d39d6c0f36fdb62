"""Response times against the rate offered, of the three settings that tune found to hold most."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes

from harness import units
from harness.report.charts.base import WIDTH, Chart, Row, log_axis, span
from harness.report.charts.candidates import candidate, with_threads
from harness.report.charts.marks import Drawing, Mark
from harness.report.charts.search import limits_us
from harness.report.figures import Study
from harness.report.words import shown
from harness.tune.most.verdict import AtRate
from harness.tune.recommendation import CandidateRow, Recommendation

LEFT, RIGHT, BELOW, ABOVE, BODY = 0.95, 1.2, 0.5, 0.2, 3.0
MOST = 3
OUTCOMES = {True: "held", False: "not held"}


def best_three(study: Study) -> Chart | None:
    """The p99 in every round, by the rate of the round: what is recommended, and the two others that hold most."""
    answer = study.tuned
    rows = _best(answer) if answer else []
    if answer is None or not rows:
        return None
    return Chart(
        name="tune-rates",
        title=_title(answer, rows),
        note="Open load: the p99 of each round at the rate that all candidates were offered in it, with the same "
        f"arrivals. A dot where {shown(answer.slo or 'it')} held, a cross where it did not; lines join what a setting "
        "showed from rate to rate. Dashed: the objective.",
        body=BODY,
        paint=lambda drawing: _paint(drawing, answer, rows),
        columns=("setting", "rate", "outcome", "p99"),
        rows=tuple(_row(answer, row, seen) for row in rows for seen in _seen(row)),
    )


def _best(answer: Recommendation) -> list[CandidateRow]:
    """The recommended first, then those that hold most; only those with a p99 somewhere."""
    known = [row for row in answer.candidates if _seen(row)]
    return sorted(known, key=lambda row: (row.standing != "recommended", -(row.held.rps if row.held else 0.0)))[:MOST]


def _seen(row: CandidateRow) -> list[AtRate]:
    """Its rounds that have a p99, by rising rate."""
    seen = [each for each in (row.held.rounds if row.held else ()) if each.p99_us is not None]
    return sorted(seen, key=lambda each: each.rate_rps)


def _called(answer: Recommendation, row: CandidateRow) -> str:
    if with_threads(answer):
        return candidate(row, threads=True)
    return units.plural(row.workers, "worker")


def _title(answer: Recommendation, rows: Sequence[CandidateRow]) -> str:
    first = rows[0]
    name, slo = _called(answer, first), shown(answer.slo or "the objective")
    others = f", beside {' and '.join(_called(answer, row) for row in rows[1:])}" if len(rows) > 1 else ""
    if first.held is None or not (first.held.held and first.held.missed):
        return f"{name}: p99 by the rate offered, under {slo}{others}"
    verb = "holds" if with_threads(answer) or first.workers == 1 else "hold"
    return f"{name} {verb} about {units.rps(first.held.rps)} under {slo}{others}"


def _row(answer: Recommendation, row: CandidateRow, seen: AtRate) -> Row:
    return _called(answer, row), units.rps(seen.rate_rps), OUTCOMES[seen.held], units.duration_us(seen.p99_us)


def _paint(drawing: Drawing, answer: Recommendation, rows: Sequence[CandidateRow]) -> None:
    theme = drawing.theme
    axes = drawing.axes(LEFT, BELOW, WIDTH - LEFT - RIGHT, BODY - BELOW - ABOVE)
    every = [seen for row in rows for seen in _seen(row)]
    limits = limits_us(answer.slo)
    log_axis(axes.xaxis, span([seen.rate_rps for seen in every], 1.05), lambda x: units.tick(units.rps(x)), 8)
    levels = [*(seen.p99_us for seen in every), *limits.values()]
    log_axis(axes.yaxis, span(levels, 1.3), lambda y: units.tick(units.duration_us(y)), 5)
    axes.grid()
    axes.set_xlabel("rate offered (logarithmic)")
    axes.set_ylabel("p99 response time")
    for limit in limits.values():
        axes.axhline(limit, color=theme.muted, lw=1.2, ls=(0, (5, 2)))
    for place, (row, colour) in enumerate(zip(rows, (theme.b, theme.a, theme.third), strict=False)):
        _line(drawing, axes, _called(answer, row), row, colour)
        axes.annotate(
            _called(answer, row),
            (1, 0.95 - 0.09 * place),
            (8, 0),
            xycoords="axes fraction",
            textcoords="offset points",
            va="top",
            fontsize=9,
            fontweight="bold" if row.standing == "recommended" else "normal",
            color=colour,
            annotation_clip=False,
        )


def _line(drawing: Drawing, axes: Axes, name: str, row: CandidateRow, colour: str) -> None:
    seen = _seen(row)
    axes.plot([each.rate_rps for each in seen], [each.p99_us or 0.0 for each in seen], color=colour, lw=1.3, alpha=0.5)
    for each in seen:
        marker = "o" if each.held else "x"
        (dot,) = axes.plot([each.rate_rps], [each.p99_us or 0.0], marker, color=colour, ms=6, mew=1.8, zorder=4)
        rate, p99 = units.rps(each.rate_rps), units.duration_us(each.p99_us)
        drawing.mark(dot, Mark(f"{name} at {rate}: {OUTCOMES[each.held]}, p99 {p99}"))
