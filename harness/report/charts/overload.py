"""What an overload does: answers in time against the rate offered, and the way back."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from harness import units
from harness.report.charts.base import WIDTH, Chart, Row
from harness.report.charts.marks import Drawing, Point
from harness.report.charts.throughput import colour_of
from harness.report.figures import Study, Value
from harness.report.figures.episodes import AtStrength
from harness.report.words import called, kind_of, shown_by, title
from harness.suite import Arm

LEFT, RIGHT, BELOW, ABOVE, PANEL = 0.95, 0.3, 0.5, 0.45, 3.0
HUNDREDTHS = 100


def overload(study: Study, pair: str) -> Chart | None:
    """Goodput of both sides of a pair by the rate that was offered, and what was left of it afterwards."""
    arms = [arm for arm in study.sides(pair) if study.strengths(arm.id)]
    if not arms or kind_of(study, pair) != "overload":
        return None
    scenario, first = arms[0].cell.scenario, study.strengths(arms[0].id)[0].episodes[0].disturbance
    usual = f"{first.rate_share:g} times the capacity"
    return Chart(
        name=f"overload-{pair}",
        title=f"{title(scenario)}: {shown_by(study, pair)}",
        note=f"Full: good answers within {units.duration_us(first.deadline_us)} a second, by the rate offered "
        f"meanwhile, with 95 % interval. Hollow, at the same place: what it was afterwards, when the "
        f"rate was {usual} again. Dotted: all that was offered.",
        body=PANEL + BELOW + ABOVE,
        scenario=scenario,
        paint=lambda drawing: _paint(drawing, study, arms),
        columns=(
            "arm",
            "times the capacity",
            "offered",
            "in time",
            "late or lost",
            "in time afterwards",
            "for nobody",
            "well again after",
        ),
        rows=tuple(_row(study, arm, point) for arm in arms for point in study.strengths(arm.id)),
        arms=tuple(arm.id for arm in arms for _ in study.strengths(arm.id)),
        quotable=True,
    )


def _row(study: Study, arm: Arm, point: AtStrength) -> Row:
    known = {
        name: value if value.value is not None else units.MISSING
        for name, value in (("nobody", point.for_nobody), ("well", point.well_s), ("after", point.goodput_after))
    }
    return (
        called(study, arm),
        f"{point.strength / HUNDREDTHS:g}",
        units.rps(point.offered_rps),
        point.goodput,
        point.late_share,
        known["after"],
        known["nobody"],
        known["well"],
    )


def _paint(drawing: Drawing, study: Study, arms: Sequence[Arm]) -> None:
    axes = drawing.axes(LEFT, BELOW, WIDTH - LEFT - RIGHT, PANEL)
    every = [point for arm in arms for point in study.strengths(arm.id)]
    most = max(point.offered_rps for point in every)
    highest = max([value.high or value.value or 0.0 for point in every for value in (point.goodput,)])
    axes.set_xlim(0, most * 1.06)
    axes.set_ylim(0, max(highest * 1.12, 1.0))
    axes.plot([0, most], [0, most], color=drawing.theme.muted, lw=1, ls=(0, (1, 3)))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(6))
        axis.set_major_formatter(FuncFormatter(lambda value, _: units.tick(units.rps(value)) if value else "0"))
    axes.set_xlabel("rate offered")
    axes.set_ylabel("answers in time")
    axes.grid()
    for number, arm in enumerate(arms):
        _side(drawing, axes, study, arm)
        drawing.text(
            LEFT + number * (WIDTH - LEFT - RIGHT) / 2,
            BELOW + PANEL + 0.16,
            f"● {called(study, arm)}",
            color=colour_of(study, arm, drawing),
            fontsize=8.5,
        )


def _side(drawing: Drawing, axes: Axes, study: Study, arm: Arm) -> None:
    colour, points = colour_of(study, arm, drawing), study.strengths(arm.id)
    during = [(point, point.goodput) for point in points if point.goodput.value is not None]
    after = [(point, point.goodput_after) for point in points if point.goodput_after.value is not None]
    axes.plot(
        [point.offered_rps for point, _ in during], [value.value or 0.0 for _, value in during], color=colour, lw=1.6
    )
    drawing.points(axes, [_point(arm, point, value, "in time") for point, value in during], colour, upright=True)
    hollow = {"mfc": drawing.theme.paper, "mec": colour, "mew": 1.4}
    marks = [_point(arm, point, value, "in time afterwards") for point, value in after]
    drawing.points(axes, marks, colour, upright=True, size=5, **hollow)


def _point(arm: Arm, point: AtStrength, value: Value, what: str) -> Point:
    return Point(
        f"{arm.id}, {point.strength / HUNDREDTHS:g} times the capacity, {what}", value, point.offered_rps, arm.id
    )
