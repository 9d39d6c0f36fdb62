"""Throughput by pair, with intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.ticker import FuncFormatter, MaxNLocator

from harness import units
from harness.report.charts.base import PAD, WIDTH, Chart, Drawing, says, shorten, start
from harness.report.words import condition, sentence, setup

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from harness.report.study import Study
    from harness.report.style import Theme

ROW, LEFT, RIGHT = 0.62, 2.9, 1.75
BAR = 0.36


def throughput(study: Study, scenario: str) -> Chart | None:
    """Requests a second of both sides of every pair of a scenario."""
    pairs = [
        pair
        for pair, planned in study.pairs.items()
        if study.arms[planned.a].cell.scenario == scenario
        and any(study.arm(arm, "throughput_rps") for arm in (planned.a, planned.b))
    ]
    if not pairs:
        return None
    title = _title(study, scenario, pairs)
    note = "Good answers a second under closed load; mean over blocks with 95 % interval."
    return Chart(
        name=f"throughput-{scenario}",
        title=title,
        note=note,
        scenario=scenario,
        draw=lambda theme: draw(study, pairs, theme, title, note),
        columns=("condition", "arm", "throughput", "limit", "of the ceiling"),
        rows=tuple(
            (
                condition(study.arms[arm]),
                setup(study.arms[arm]),
                study.arm(arm, "throughput_rps") or units.MISSING,
                (value.limit if (value := study.arm(arm, "throughput_rps")) else None) or units.MISSING,
                study.arm(arm, "of_ceiling") or units.MISSING,
            )
            for pair in pairs
            for arm in (study.pairs[pair].a, study.pairs[pair].b)
        ),
    )


def _title(study: Study, scenario: str, pairs: Sequence[str]) -> str:
    if len(pairs) == 1:
        return sentence(study, pairs[0]).rstrip(".").split("; ")[0]
    best = max(
        (v for p in pairs for arm in (study.pairs[p].a, study.pairs[p].b) if (v := study.arm(arm, "throughput_rps"))),
        key=lambda value: value.value or 0,
    )
    if best.value is None:
        return f"{scenario}: no valid result"
    arm = study.arms[best.id]
    return f"{scenario}: {setup(arm)} serves most, {units.rps(best.value)} ({condition(arm)})"


def draw(study: Study, pairs: Sequence[str], theme: Theme, title: str, note: str) -> Drawing:
    """Two bars a pair."""
    drawing = start(title, note, theme, ROW * len(pairs) + 0.7)
    axes = drawing.axes(LEFT, 0.52, WIDTH - LEFT - RIGHT, ROW * len(pairs))
    axes.set_ylim(-0.55, len(pairs) - 0.45)
    axes.yaxis.set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.0f}"))
    axes.grid(axis="x")
    axes.set_xlabel("good answers a second")
    for index, pair in enumerate(pairs):
        _pair(drawing, axes, study, pair, len(pairs) - 1 - index, theme)
    axes.set_xlim(left=0)
    return drawing


def _pair(drawing: Drawing, axes: Axes, study: Study, pair: str, y: int, theme: Theme) -> None:
    planned = study.pairs[pair]
    side = axes.get_yaxis_transform()
    offset = -(LEFT - PAD) / (WIDTH - LEFT - RIGHT)
    label = shorten(condition(study.arms[planned.a]), 24)
    axes.text(offset, y, label, fontweight="bold", va="center", transform=side, fontsize=9.5)
    for arm, place, colour in ((planned.a, y + BAR / 2 + 0.02, theme.a), (planned.b, y - BAR / 2 - 0.02, theme.b)):
        value = study.arm(arm, "throughput_rps")
        name = shorten(setup(study.arms[arm]), 30)
        axes.text(-0.01, place, name, color=colour, fontsize=8.5, ha="right", va="center", transform=side)
        if value is None or value.value is None:
            axes.text(0.01, place, "✕ no valid result", color=theme.muted, fontsize=8.5, va="center", transform=side)
            continue
        bars = axes.barh([place], [value.value], height=BAR, color=colour)
        drawing.mark(bars.patches[0], says(f"{condition(study.arms[arm])}, {name}", value))
        if value.low is not None and value.high is not None:
            axes.plot([value.low, value.high], [place, place], color=theme.ink, lw=1.4)
        text = f" {units.rps(value.value)}"
        axes.text(value.high or value.value, place, text, fontsize=9, va="center", clip_on=False)
