"""Latency percentiles at the shared rate, both arms, on an axis of nines up to where the samples reach."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter

from harness import units
from harness.judge.metrics import latency_name, quantile_label
from harness.report.charts.base import PAD, WIDTH, Chart, Row, log_axis, span
from harness.report.charts.marks import Drawing, Point
from harness.report.charts.throughput import colour_of
from harness.report.figures import Study
from harness.report.words import called, condition, count, outcome, percentile, shorten, title, under
from harness.report.words import latency as latency_clause
from harness.spec.percentiles import QUANTILES, SAMPLES_BEYOND
from harness.suite import Arm

POINTS = 120
PANEL, GAP_X, GAP_Y, HEAD, BELOW = 2.05, 0.75, 0.62, 0.5, 0.5
TICKS = {0: "0", 0.5: "50 %", 0.9: "90 %", 0.99: "99 %", 0.999: "99.9 %", 0.9999: "99.99 %", 0.99999: "99.999 %"}


def latency(study: Study, scenario: str) -> Chart | None:
    """Response-time percentiles of both arms of each pair of a scenario, at the rate that they share."""
    pairs = [p for p in study.pairs_of(scenario) if any(study.histogram(arm.id, "open") for arm in study.sides(p))]
    if not pairs:
        return None
    arms = [arm for pair in pairs for arm in study.sides(pair)]
    panels = math.ceil(len(pairs) / columns(pairs))
    return Chart(
        name=f"latency-{scenario}",
        title=_title(study, scenario, pairs),
        note="Response time by percentile under open load, both arms of a pair at the same rate, over all blocks; "
        "95 % intervals where every block has the samples. Lines end where the samples do.",
        body=panels * (PANEL + HEAD) + (panels - 1) * (GAP_Y - 0.2) + BELOW,
        scenario=scenario,
        paint=lambda drawing: _paint(drawing, study, pairs),
        columns=("condition", "arm", "offered", *map(quantile_label, QUANTILES)),
        rows=tuple(_row(study, pair, arm) for pair in pairs for arm in study.sides(pair)),
        arms=tuple(arm.id for arm in arms),
    )


def _row(study: Study, pair: str, arm: Arm) -> Row:
    figures = [study.arm(arm.id, latency_name(q, "open"), "open") or "not resolved" for q in QUANTILES]
    return (condition(study, arm), called(study, arm), units.rps(study.rate(pair)), *figures)


def _title(study: Study, scenario: str, pairs: Sequence[str]) -> str:
    verdicts = [verdict for pair in pairs if (verdict := study.latency(pair))]
    lead = f"{title(scenario)}: "
    if not verdicts:
        return lead + "too few answers for a comparison of latencies"
    if len(pairs) == 1:
        return f"{lead}at {units.rps(study.rate(pairs[0]))} {latency_clause(study, verdicts[0])}"
    names = {percentile(verdict.metric) for verdict in verdicts}
    which = f"by {names.pop()}" if len(names) == 1 else "by the highest percentile resolved"
    outcomes = [outcome(study, verdict.pair, verdict.verdict) for verdict in verdicts]
    return f"{lead}at equal rates, {count(outcomes, 'answers sooner')} ({which})"


def columns(pairs: Sequence[str]) -> int:
    """Panels side by side."""
    return 1 if len(pairs) == 1 else 2


def nines(quantile: float) -> float:
    """Where a quantile lies on the axis: 0 at the least, 1 at 90 %, 2 at 99 %."""
    return -math.log10(1 - quantile)


def _paint(drawing: Drawing, study: Study, pairs: Sequence[str]) -> None:
    across = columns(pairs)
    width = (WIDTH - 0.2 - GAP_X * across) / across
    rows = math.ceil(len(pairs) / across)
    for index, pair in enumerate(pairs):
        column, row = index % across, index // across
        left = GAP_X + column * (width + GAP_X)
        bottom = BELOW + (rows - 1 - row) * (PANEL + HEAD + GAP_Y - 0.2)
        axes = drawing.axes(left, bottom, width, PANEL)
        _panel(drawing, axes, study, pair)
        _head(drawing, study, pair, left - GAP_X + PAD if across == 1 else left - 0.5, bottom + PANEL)
        if row == rows - 1 or index + across >= len(pairs):
            axes.set_xlabel("percentile")


def _head(drawing: Drawing, study: Study, pair: str, left: float, top: float) -> None:
    a, b = study.sides(pair)
    rate = f" at {units.rps(study.rate(pair))}" if a.rate_rps is None else ""
    drawing.text(left, top + 0.38, shorten(under(study, pair) + rate, 58), fontweight="bold", va="center", fontsize=9.5)
    drawing.text(
        left, top + 0.19, f"● {shorten(called(study, a), 30)}", color=drawing.theme.a, va="center", fontsize=8.5
    )
    across = left + 0.3 + 0.068 * len(shorten(called(study, a), 30))
    drawing.text(
        across, top + 0.19, f"● {shorten(called(study, b), 30)}", color=drawing.theme.b, va="center", fontsize=8.5
    )


def _panel(drawing: Drawing, axes: Axes, study: Study, pair: str) -> None:
    most = 1.0
    ends: list[float] = []
    for arm in study.sides(pair):
        histogram = study.histogram(arm.id, "open")
        if histogram is None or histogram.count <= SAMPLES_BEYOND:
            continue
        reach = nines(1 - SAMPLES_BEYOND / histogram.count)
        xs = [reach * i / POINTS for i in range(POINTS + 1)]
        ys = [max(y, 1) for y in histogram.percentiles([100 * (1 - 10**-x) for x in xs])]
        axes.plot(xs, ys, color=colour_of(study, arm, drawing), lw=1.8, drawstyle="steps-mid", zorder=3)
        most, ends = max(most, reach), [*ends, ys[0], ys[-1]]
        _points(drawing, axes, study, arm)
    log_axis(axes.yaxis, span(ends, 1.15), lambda y: units.tick(units.duration_us(y)), 5)
    axes.set_xlim(0, most * 1.03)
    places = {nines(q): text for q, text in TICKS.items() if nines(q) <= most * 1.03}
    axes.xaxis.set_major_locator(FixedLocator(list(places)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: places.get(x, "")))
    axes.grid()


def _points(drawing: Drawing, axes: Axes, study: Study, arm: Arm) -> None:
    points = [
        Point(f"{condition(study, arm)}, {called(study, arm)}, {quantile_label(name)}", value, nines(level), arm.id)
        for name, level in QUANTILES.items()
        if (value := study.arm(arm.id, latency_name(name, "open"), "open"))
    ]
    edge = {"mec": drawing.theme.paper, "mew": 0.8}
    drawing.points(axes, points, colour_of(study, arm, drawing), upright=True, size=4.5, **edge)
