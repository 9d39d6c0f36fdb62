"""Latency percentiles at the shared rate, both arms, on an axis of nines up to where the samples reach."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from harness import units
from harness.report.charts.base import WIDTH, Cell, Chart, Drawing, shorten, start
from harness.report.metrics import PERCENTILES, quantile_label
from harness.report.study import ENOUGH
from harness.report.words import condition, setup

if TYPE_CHECKING:
    from harness.histogram import Histogram
    from harness.report.study import Study
    from harness.report.style import Theme

POINTS = 160
BODY = 3.1


def latency(study: Study, pair: str, phase: str = "open") -> Chart | None:
    """Response-time percentiles of both arms of a pair at the rate that they share."""
    planned = study.pairs[pair]
    found = {arm: study.histogram(arm, phase) for arm in (planned.a, planned.b)}
    if not any(found.values()):
        return None
    a = study.arms[planned.a]
    rate = next((t.load.rate_rps for arm in found for t in study.used(arm, phase)), None)
    title = _title(study, pair, phase)
    note = f"Response time by percentile at {units.rps(rate)} offered to both, over all valid blocks: {condition(a)}."
    quantiles = list(PERCENTILES)
    return Chart(
        name=f"latency-{a.cell.scenario}-{pair}",
        title=title,
        note=note,
        scenario=a.cell.scenario,
        draw=lambda theme: draw(study, found, theme, title, note),
        columns=("arm", *map(quantile_label, quantiles)),
        rows=tuple((setup(study.arms[arm]), *_figures(study, arm, phase)) for arm in found),
    )


def _figures(study: Study, arm: str, phase: str) -> list[Cell]:
    return [study.arm(arm, f"latency_{q}_us", phase) or "not resolved" for q in PERCENTILES]


def _title(study: Study, pair: str, phase: str) -> str:
    planned = study.pairs[pair]
    a, b = study.arms[planned.a], study.arms[planned.b]
    lead = f"{a.cell.scenario}, {condition(a)}"
    for quantile in reversed(PERCENTILES):
        verdict = study.verdict(pair, f"latency_{quantile}_us", phase)
        if verdict is None or verdict.ratio is None:
            continue
        name = f"{quantile_label(quantile)} latency"
        figure = units.ratio(verdict.ratio, verdict.low, verdict.high)
        if verdict.verdict == "equivalent":
            return f"{lead}: {name} is the same, {figure} times"
        if verdict.verdict == "inconclusive":
            return f"{lead}: {name} cannot be told apart, {figure} times"
        return f"{lead}: {name} of {setup(b)} is {figure} times that of {setup(a)}"
    return f"{lead}: too few samples for an interval of any percentile"


def nines(quantile: float) -> float:
    """Where a quantile lies on the axis: 0 at the least, 1 at 90 %, 2 at 99 %."""
    return -math.log10(1 - quantile)


def draw(study: Study, found: dict[str, Histogram | None], theme: Theme, title: str, note: str) -> Drawing:
    """One line an arm."""
    drawing = start(title, note, theme, BODY)
    axes = drawing.axes(0.85, 0.55, WIDTH - 0.85 - 1.9, BODY - 0.75)
    ends = []
    for (arm, histogram), colour in zip(found.items(), (theme.a, theme.b), strict=True):
        if histogram is None or histogram.count < ENOUGH:
            continue
        reach = 1 - ENOUGH / histogram.count
        xs = [nines(reach) * i / POINTS for i in range(POINTS + 1)]
        ys = [histogram.percentile(100 * (1 - 10**-x)) for x in xs]
        axes.plot(xs, ys, color=colour)
        ends.append((ys[-1], xs[-1], shorten(setup(study.arms[arm]), 30), colour))
        for quantile, q in PERCENTILES.items():
            value = study.arm(arm, f"latency_{quantile}_us", "open")
            if value and value.value and q <= reach:
                (point,) = axes.plot([nines(q)], [value.value], "o", color=colour, ms=5)
                name = f"{setup(study.arms[arm])}, {quantile_label(quantile)}"
                drawing.mark(point, f"{name}: {units.duration_us(value.value)}")
    axes.set_yscale("log")
    for y, x, name, colour in ends:
        axes.annotate(f" {name}", (x, y), color=colour, va="center", fontsize=9, annotation_clip=False)
    ticks = {0: "0", nines(0.5): "50 %", 1: "90 %", 2: "99 %", 3: "99.9 %", 4: "99.99 %", 5: "99.999 %"}
    most = max((x for _, x, _, _ in ends), default=1)
    axes.xaxis.set_major_locator(FixedLocator([t for t in ticks if t <= most * 1.05]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: ticks.get(x, "")))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: units.duration_us(y)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.grid()
    axes.set_xlabel("percentile")
    axes.set_ylabel("response time")
    return drawing
