"""Throughput by pair, with intervals, the limit that was met and the analytic ceiling."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.ticker import FuncFormatter, MaxNLocator

from harness import units
from harness.report.charts.base import PAD, WIDTH, Chart, Row
from harness.report.charts.marks import Drawing, intervals
from harness.report.figures import Study
from harness.report.figures.value import Value, average
from harness.report.words import clause, condition, own, setup, shorten, shown, tally, text, title, under
from harness.suite import Arm

ROW, LEFT, RIGHT, BELOW = 0.8, 2.45, 2.0, 0.5
BAR, ABOVE, BELOW_IT = 0.26, 0.08, -0.24
"""Height of a bar, and where the bars of a and b lie, as parts of a pair's row."""


def throughput(study: Study, scenario: str) -> Chart | None:
    """Requests a second of both sides of every pair of a scenario."""
    pairs = [
        pair
        for pair in study.pairs_of(scenario)
        if any(f"arm/{arm.id}/throughput_rps/closed" in study.values for arm in study.sides(pair))
    ]
    if not pairs:
        return None
    arms = [arm for pair in pairs for arm in study.sides(pair)]
    return Chart(
        name=f"throughput-{scenario}",
        title=_title(study, scenario, pairs),
        note="Good answers a second under closed load: mean over blocks with 95 % interval, and what stopped it. "
        "Dashed: the analytic ceiling.",
        body=ROW * len(pairs) + BELOW,
        scenario=scenario,
        paint=lambda drawing: _paint(drawing, study, pairs),
        quotable=True,
        columns=("condition", "arm", "throughput", "limit", "of the ceiling"),
        rows=tuple(_row(study, arm) for arm in arms),
        arms=tuple(arm.id for arm in arms),
    )


def _title(study: Study, scenario: str, pairs: Sequence[str]) -> str:
    if len(pairs) == 1:
        return f"{title(scenario)}: {clause(study, pairs[0]).rstrip('.')}"
    return f"{title(scenario)}: {tally(study, pairs)}"


def _row(study: Study, arm: Arm) -> Row:
    value = study.arm(arm.id, "throughput_rps")
    return (
        condition(study, arm),
        f"{setup(arm)} ({own(arm)})" if own(arm) else setup(arm),
        value or "no valid result",
        (shown(value.limit) if value and value.limit else units.MISSING),
        study.arm(arm.id, "of_ceiling") or units.MISSING,
    )


def ceiling(study: Study, arm: str) -> float | None:
    """The analytic ceiling of an arm, over the blocks that count."""
    known = [trial.ceiling_rps for trial in study.used(arm, "closed") if trial.ceiling_rps]
    return average(known)[0]


def _paint(drawing: Drawing, study: Study, pairs: Sequence[str]) -> None:
    axes = drawing.axes(LEFT, BELOW, WIDTH - LEFT - RIGHT, ROW * len(pairs))
    values = [v for pair in pairs for arm in study.sides(pair) if (v := study.arm(arm.id, "throughput_rps"))]
    most = max((value.high or value.value or 0 for value in values), default=0) or 1
    axes.set_xlim(0, most * 1.12)
    axes.set_ylim(-0.5, len(pairs) - 0.5)
    axes.yaxis.set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.0f}"))
    axes.grid(axis="x")
    axes.set_xlabel("good answers a second")
    places: list[tuple[Arm, float]] = []
    for index, pair in enumerate(pairs):
        y = len(pairs) - 1 - index
        a, b = study.sides(pair)
        heading = under(study, pair)
        drawing.text(PAD, BELOW + ROW * (y + 0.87), shorten(heading, 60), fontweight="bold", va="center", fontsize=9.5)
        places += [(a, y + ABOVE), (b, y + BELOW_IT)]
    for arm, place in places:
        _arm(drawing, axes, study, arm, place)
    ends = [(value, y) for arm, y in places if (value := study.arm(arm.id, "throughput_rps"))]
    intervals(axes, ends, drawing.theme.ink, width=1.4, alpha=1)
    tops = [(top, y) for arm, y in places if (top := _ceiling(study, arm, axes))]
    lines = [((top, y - BAR * 0.62), (top, y + BAR * 0.62)) for top, y in tops]
    dashes: Any = (0, (2, 1.2))
    axes.add_collection(
        LineCollection(lines, colors=drawing.theme.muted, linewidths=1.2, linestyles=[dashes]), autolim=False
    )


def _arm(drawing: Drawing, axes: Axes, study: Study, arm: Arm, y: float) -> None:
    theme, side = drawing.theme, axes.get_yaxis_transform()
    colour = colour_of(study, arm, drawing)
    left = (PAD - LEFT) / (WIDTH - LEFT - RIGHT)
    axes.text(left, y, shorten(setup(arm), 34), color=colour, fontsize=9, va="center", transform=side)
    value = study.arm(arm.id, "throughput_rps")
    if value is None or value.value is None:
        axes.text(0.01, y, "✕ no valid result", color=theme.muted, fontsize=9, va="center", transform=side)
        return
    bar = axes.barh([y], [value.value], height=BAR, color=colour)
    drawing.mark_value(bar.patches[0], f"{condition(study, arm)}, {setup(arm)}", value, arm.id)
    top = _ceiling(study, arm, axes) or 0.0
    _label(axes, value, y, max(value.high or 0, value.value, top), drawing)


def _ceiling(study: Study, arm: Arm, axes: Axes) -> float | None:
    """The ceiling of an arm, when it is within the axis."""
    top = ceiling(study, arm.id)
    return top if top is not None and top <= axes.get_xlim()[1] else None


def _label(axes: Axes, value: Value, y: float, x: float, drawing: Drawing) -> None:
    number = axes.annotate(
        text(value),
        (x, y),
        (5, 0),
        textcoords="offset points",
        va="center",
        fontsize=9,
        fontweight="bold",
        annotation_clip=False,
    )
    if value.limit:
        axes.annotate(
            shown(value.limit),
            (1, 0.5),
            (5, 0),
            xycoords=number,
            textcoords="offset points",
            va="center",
            fontsize=8.5,
            color=drawing.theme.muted,
            annotation_clip=False,
        )


def colour_of(study: Study, arm: Arm, drawing: Drawing) -> str:
    """The colour of an arm: its side's; without a pair its interface's."""
    sides = {pair.a for pair in study.pairs.values()}
    if arm.id in sides:
        return drawing.theme.a
    if any(arm.id == pair.b for pair in study.pairs.values()) or arm.cell.interface == "asgi":
        return drawing.theme.b
    return drawing.theme.a
