"""How tune found the rate that holds an objective."""

from __future__ import annotations

import math
from typing import Any

from matplotlib.axes import Axes

from harness import units
from harness.errors import UsageError
from harness.judge.slo import parse
from harness.report.charts.base import WIDTH, Chart, Row, log_axis, span
from harness.report.charts.marks import Drawing, Mark
from harness.report.figures import Study
from harness.report.words import shorten, shown
from harness.tune.interval import Interval
from harness.tune.recommendation import RatePoint, Recommendation

LEFT, RIGHT, BELOW, ABOVE, BODY = 0.95, 0.3, 0.5, 0.3, 3.1
TOP = 0.94
"""Where a rate without a response time stands, of the chart's height."""


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
        f"trial may not be used.{_shaded(answer)}",
        body=BODY,
        paint=lambda drawing: _paint_search(drawing, answer),
        columns=("rate", "outcome", "p99", "what was missed", "by", "limit"),
        rows=tuple(_tried(point) for point in answer.searched),
        quotable=True,
    )


def _shaded(answer: Recommendation) -> str:
    """What the hatched part is, where there is one."""
    if answer.capacity_rps is None or answer.capacity_rps.interval is None:
        return ""
    share = units.percent(answer.capacity_rps.interval.machine)
    return f" Hatched: what the machine's spells alone make of that, {share} of the variance; dotted: the middle."


def _held(answer: Recommendation) -> str:
    capacity, slo = answer.capacity_rps, shown(answer.slo or "the objective")
    if capacity is None or capacity.low is None:
        return f"No rate holds {slo}"
    if capacity.high is None:
        return f"{slo} {capacity.holds} at {units.rps(capacity.low)}; no rate was capacity at which it does not"
    return f"{slo} {capacity.holds} up to {units.rps(capacity.low)} and not at {units.rps(capacity.high)}"


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


def _paint_search(drawing: Drawing, answer: Recommendation) -> None:
    theme, points = drawing.theme, answer.searched
    axes = drawing.axes(LEFT, BELOW, WIDTH - LEFT - RIGHT, BODY - BELOW - ABOVE)
    limits = limits_us(answer.slo)
    log_axis(axes.xaxis, span([point.trial.rate_rps for point in points], 1.15), lambda x: units.tick(units.rps(x)), 8)
    levels = [*(point.trial.p99_us for point in points), *limits.values()]
    log_axis(axes.yaxis, span(levels, 1.5), lambda y: units.tick(units.duration_us(y)), 5)
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


def limits_us(slo: str | None) -> dict[str, float]:
    """The objectives that are a p99, and their limits in microseconds."""
    try:
        objectives = parse(slo).objectives if slo else ()
    except UsageError:
        return {}
    return {each.text: float(each.limit_us) for each in objectives if each.limit_us and each.metric == "p99"}


def machines_part(found: Interval) -> tuple[float, float]:
    """The part of the interval that is the machine's: as much of its width to either side of the middle, in logarithms.

    The share of the variance is the square of the share of the width.
    """
    share = math.sqrt(found.machine)
    return found.middle * (found.low / found.middle) ** share, found.middle * (found.high / found.middle) ** share


def _machines(drawing: Drawing, axes: Axes, found: Interval | None) -> None:
    """Hatch what the machine's spells alone would make of the interval, and mark its middle."""
    if found is None:
        return
    low, high = machines_part(found)
    theme = drawing.theme
    part = axes.axvspan(low, high, facecolor="none", edgecolor=theme.muted, hatch="////", lw=0, alpha=0.35, zorder=1)
    says = f"{units.rps(low)} to {units.rps(high)}: the machine's part, {units.percent(found.machine)} of the variance"
    drawing.mark(part, Mark(says))
    axes.axvline(found.middle, color=theme.muted, lw=1.1, ls=(0, (1, 2)), zorder=2)


def _bracket(drawing: Drawing, axes: Axes, answer: Recommendation) -> None:
    capacity, theme = answer.capacity_rps, drawing.theme
    if capacity is None or capacity.low is None:
        return
    high = capacity.high or axes.get_xlim()[1]
    axes.axvspan(capacity.low, high, color=theme.band, lw=0, zorder=0)
    _machines(drawing, axes, capacity.interval)
    words = f"{capacity.holds} at {units.rps(capacity.low)}"
    words += f", not at {units.rps(capacity.high)}" if capacity.high else ""
    axes.annotate(
        shorten(words, 60),
        (capacity.low, 1),
        (0, 5),
        xycoords=("data", "axes fraction"),
        textcoords="offset points",
        ha="right" if capacity.low > math.sqrt(math.prod(axes.get_xlim())) else "left",
        fontsize=8.5,
        color=theme.muted,
        annotation_clip=False,
    )
