"""What held neighbours do to a victim: its response times by how many are held, for both arms of a pair."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from harness import units
from harness.judge.episodes import Break
from harness.report.charts.base import WIDTH, Chart, Row, log_axis, span
from harness.report.charts.marks import Drawing, Point
from harness.report.charts.throughput import colour_of
from harness.report.figures import Study
from harness.report.figures.episodes import AtStrength, highest_resolved
from harness.report.words import bearing, called, held_words, kind_of, taken_words, title
from harness.suite import Arm

LEFT, RIGHT, BELOW, ABOVE, LATENCY, LATE, BETWEEN = 0.95, 0.3, 0.5, 0.45, 2.5, 1.0, 0.25
LINEAR_BELOW = 4
"""Up to so many held the axis is linear, so that it has a place for none; above it is logarithmic."""


def neighbours(study: Study, pair: str) -> Chart | None:
    """The victim's response times and late share against how many are held."""
    arms = [arm for arm in study.sides(pair) if study.strengths(arm.id)]
    if not arms or kind_of(study, pair) != "held":
        return None
    points = {arm.id: study.strengths(arm.id) for arm in arms}
    quantile = highest_resolved([point for each in points.values() for point in each])
    scenario = arms[0].cell.scenario
    what = held_words(study, pair)
    deadline = units.duration_us(points[arms[0].id][0].episodes[0].disturbance.deadline_us)
    share = units.percent(points[arms[0].id][0].episodes[0].disturbance.late_share)
    return Chart(
        name=f"neighbours-{pair}",
        title=f"{title(scenario)} beside {what}: {bearing(study, pair)}",
        note=f"Above: {quantile} of the victim's response time while requests are held, with 95 % interval where every "
        f"block has the samples. Below: share of its requests that were late or lost. Dashed: later than {deadline} is "
        f"late, and a share above {share} is a break. Shaded: the break, from the lowest to the highest of the blocks.",
        body=LATENCY + LATE + BETWEEN + BELOW + ABOVE,
        scenario=scenario,
        paint=lambda drawing: _paint(drawing, study, arms, quantile, what),
        columns=("arm", "held", quantile, "late or lost", "well again after", "blocks"),
        rows=tuple(_row(study, arm, point, quantile) for arm in arms for point in points[arm.id]),
        arms=tuple(arm.id for arm in arms for _ in points[arm.id]),
        quotable=True,
    )


def _row(study: Study, arm: Arm, point: AtStrength, quantile: str) -> Row:
    latency, well = point.percentile(quantile), point.well_s
    return (
        called(study, arm),
        f"{point.strength}",
        latency if latency.value is not None else units.MISSING,
        point.late_share,
        well if well.value is not None else units.MISSING,
        f"{len(point.episodes)}",
    )


def _paint(drawing: Drawing, study: Study, arms: Sequence[Arm], quantile: str, what: str) -> None:
    width = WIDTH - LEFT - RIGHT
    lower = drawing.axes(LEFT, BELOW, width, LATE)
    upper = drawing.axes(LEFT, BELOW + LATE + BETWEEN, width, LATENCY)
    strengths = sorted({point.strength for arm in arms for point in study.strengths(arm.id)})
    values = [(arm, point, point.percentile(quantile)) for arm in arms for point in study.strengths(arm.id)]
    first = values[0][1].episodes[0].disturbance
    log_axis(upper.yaxis, span([first.deadline_us, *(v.value for _, _, v in values)], 1.3), _duration, 5)
    lower.set_ylim(-0.06, 1.06)
    lower.yaxis.set_major_locator(FixedLocator([0, 0.5, 1]))
    lower.yaxis.set_major_formatter(FuncFormatter(lambda y, _: units.percent(y)))
    upper.axhline(first.deadline_us, color=drawing.theme.muted, lw=1, ls=(0, (4, 3)))
    lower.axhline(first.late_share, color=drawing.theme.muted, lw=1, ls=(0, (4, 3)))
    for axes in (upper, lower):
        _strengths_axis(axes, strengths)
    upper.tick_params(labelbottom=False)
    upper.set_ylabel(f"{quantile} response time")
    lower.set_ylabel("late or lost")
    lower.set_xlabel(what)
    for number, arm in enumerate(arms):
        colour = colour_of(study, arm, drawing)
        if found := study.breaks.get(arm.id):
            _mark_break((upper, lower), found, colour)
        points = study.strengths(arm.id)
        _series(drawing, upper, arm, colour, [(each, each.percentile(quantile)) for each in points])
        _series(drawing, lower, arm, colour, [(each, each.late_share) for each in points])
        place = LEFT + number * width / 2
        drawing.text(
            place, BELOW + LATE + BETWEEN + LATENCY + 0.16, f"● {_legend(study, arm)}", color=colour, fontsize=8.5
        )


def _duration(value: float) -> str:
    return units.tick(units.duration_us(value))


def _legend(study: Study, arm: Arm) -> str:
    found = study.breaks.get(arm.id)
    taken = taken_words(arm, found) if found else ""
    return f"{called(study, arm)}{f': {taken}' if taken else ''}"


def _strengths_axis(axes: Axes, strengths: Sequence[int]) -> None:
    axes.set_xscale("symlog", linthresh=LINEAR_BELOW, linscale=1.2)
    axes.set_xlim(min(strengths) - 0.4, max(*strengths, 1) * 1.12)
    shown = [s for s in strengths if s <= LINEAR_BELOW or s & (s - 1) == 0]
    axes.xaxis.set_major_locator(FixedLocator(shown or list(strengths)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    axes.grid()


def _mark_break(both: Sequence[Axes], found: Break, colour: str) -> None:
    if found.low is None:
        return
    high = found.high if found.high is not None else found.most
    for axes in both:
        axes.axvspan(found.low - 0.15, high + 0.15, color=colour, alpha=0.14, lw=0, zorder=0)


def _series(drawing: Drawing, axes: Axes, arm: Arm, colour: str, points: Sequence[tuple[AtStrength, Any]]) -> None:
    known = [(point, value) for point, value in points if value.value is not None]
    axes.plot([point.strength for point, _ in known], [value.value for _, value in known], color=colour, lw=1.4)
    marks = [Point(f"{arm.id}, {point.strength} held", value, point.strength, arm.id) for point, value in known]
    drawing.points(axes, marks, colour, upright=True, size=5)
