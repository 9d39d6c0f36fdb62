"""What a deploy costs: requests lost, and for how long answers were late or lost, for every pair that was deployed."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from harness import units
from harness.report.charts.base import PAD, WIDTH, Chart, Row
from harness.report.charts.marks import Drawing, Point
from harness.report.charts.throughput import colour_of
from harness.report.figures import Study, Value
from harness.report.figures.deploys import Deploys
from harness.report.words import called, done_to, kind_of, lost_at_deploys, lost_words, shorten
from harness.suite import Arm

ROW, LEFT, RIGHT, GAP, BELOW, ABOVE = 0.72, 2.6, 0.35, 0.45, 0.5, 0.3
STEPS = (1, 3, 10, 30, 100, 300, 1000, 3000, 10_000)


def deploys(study: Study) -> Chart | None:
    """A row an arm: requests lost a deploy, and how long the dip was."""
    pairs = [pair for pair in study.pairs if kind_of(study, pair) == "deploy"]
    arms = [(pair, arm, found) for pair in pairs for arm in study.sides(pair) if (found := study.deploys(arm.id))]
    if not arms:
        return None
    first = arms[0][2].episodes[0].disturbance
    return Chart(
        name="deploys",
        title=f"Deploys: {lost_at_deploys(study)}",
        note=f"At {units.percent(first.rate_share)} of what the slower side serves. Left: requests lost a deploy, with "
        "the 95 % interval of a count. Right: from the first to the last tenth of a second in which a request "
        f"was lost, or later than {units.duration_us(first.deadline_us)}.",
        body=ROW * len({pair for pair, _, _ in arms}) + BELOW + ABOVE,
        paint=lambda drawing: _paint(drawing, study, arms),
        columns=(
            "what is done",
            "arm",
            "deploys",
            "lost a deploy",
            "what was lost",
            "late or lost for",
            "at worst, of a tenth of a second",
            "changed after",
            "memory at most",
        ),
        rows=tuple(_row(study, pair, arm, found) for pair, arm, found in arms),
        arms=tuple(arm.id for _, arm, _ in arms),
        quotable=True,
    )


def _row(study: Study, pair: str, arm: Arm, found: Deploys) -> Row:
    rest = [value if value.value is not None else units.MISSING for value in found.figures[1:]]
    depth, length, changed, memory = rest
    return (
        done_to(study, pair),
        called(study, arm),
        f"{found.losses.deploys}",
        found.lost,
        lost_words(found.losses.kinds) or units.MISSING,
        length,
        depth,
        changed,
        memory,
    )


def _paint(drawing: Drawing, study: Study, arms: Sequence[tuple[str, Arm, Deploys]]) -> None:
    pairs = list(dict.fromkeys(pair for pair, _, _ in arms))
    width, height = (WIDTH - LEFT - GAP - RIGHT) / 2, ROW * len(pairs)
    lost = drawing.axes(LEFT, BELOW, width, height)
    dips = drawing.axes(LEFT + width + GAP, BELOW, width, height)
    _lost_axis(lost, [found.lost for _, _, found in arms])
    dips.set_xlim(0, max([_end(found.length_s) for _, _, found in arms] + [0.2]) * 1.08)
    dips.xaxis.set_major_locator(MaxNLocator(5))
    dips.xaxis.set_major_formatter(FuncFormatter(lambda x, _: units.tick(units.seconds(x)) if x else "0"))
    lost.set_xlabel("requests lost a deploy")
    dips.set_xlabel("late or lost for")
    for axes in (lost, dips):
        axes.set_ylim(-0.5, len(pairs) - 0.5)
        axes.yaxis.set_visible(False)
        axes.grid(axis="x")
    for index, pair in enumerate(pairs):
        y = len(pairs) - 1 - index
        drawing.text(
            PAD,
            BELOW + ROW * (y + 0.88),
            shorten(done_to(study, pair), 40),
            fontweight="bold",
            va="center",
            fontsize=9.5,
        )
        sides = [(arm, found) for each, arm, found in arms if each == pair]
        for place, (arm, found) in zip((y + 0.06, y - 0.24), sides, strict=False):
            colour = colour_of(study, arm, drawing)
            drawing.text(
                PAD, BELOW + ROW * (place + 0.5), shorten(called(study, arm), 36), color=colour, va="center", fontsize=9
            )
            where = f"{arm.id}, {done_to(study, pair)}"
            drawing.points(lost, [Point(f"{where}, lost", found.lost, place, arm.id)], colour)
            drawing.points(dips, [Point(f"{where}, late or lost for", found.length_s, place, arm.id)], colour)


def _end(value: Value) -> float:
    return max(value.high or 0.0, value.value or 0.0)


def _lost_axis(axes: Axes, values: Sequence[Value]) -> None:
    """Linear up to one, so that it has a place for none; then logarithmic."""
    most = max(_end(value) for value in values)
    axes.set_xscale("symlog", linthresh=1, linscale=0.6)
    axes.set_xlim(-0.08, max(most * 1.4, 2.0))
    axes.xaxis.set_major_locator(FixedLocator([0, *(step for step in STEPS if step <= most * 1.4)]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.0f}"))
