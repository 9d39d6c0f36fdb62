"""Curves over the load: throughput and latency over connections, latency over the rate offered."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from harness import units
from harness.judge.metrics import label, latency_name
from harness.report.charts.base import WIDTH, Chart, Row, apart, log_axis, span
from harness.report.charts.marks import Drawing, Mark, Point
from harness.report.charts.throughput import colour_of
from harness.report.figures import Study, Value
from harness.report.figures.rows import why
from harness.report.words import alike, condition, first_line, setup, shorten, shown, text, title
from harness.suite import Arm, Phase

POINTS = 3
"""Loads that make a curve; fewer do not."""
BODY, LEFT, GAP, RIGHT, BELOW, ABOVE = 3.2, 0.8, 1.6, 1.15, 0.5, 0.3
CLOSE = 0.075
"""Share of an axis's height within which two labels would touch."""


@dataclass(frozen=True)
class Sweep:
    """One cell over a load that grows."""

    arms: tuple[Arm, ...]
    xs: tuple[float, ...]
    phase: Phase

    def values(self, study: Study, metric: str) -> list[tuple[float, Arm, Value]]:
        """Where there is a valid figure."""
        values = [(x, arm, study.arm(arm.id, metric, self.phase)) for x, arm in zip(self.xs, self.arms, strict=True)]
        return [(x, arm, value) for x, arm, value in values if value is not None]


def connections(study: Study, scenario: str) -> Chart | None:
    """Throughput and latency of each cell that was measured at several numbers of connections."""
    sweeps = _sweeps(study, scenario, "closed")
    if not sweeps:
        return None
    return Chart(
        name=f"connections-{scenario}",
        title=f"{title(scenario)}: {_knees(study, sweeps)}",
        note="Left: good answers a second. Right: response time, median and (thin) p99 where the samples reach. Closed "
        "load by number of connections, with 95 % intervals.",
        body=BODY,
        scenario=scenario,
        paint=lambda drawing: _paint_connections(drawing, study, sweeps),
        columns=("arm", "connections", "throughput", "p50", "p99"),
        rows=tuple(_rows(study, sweeps, "connections")),
        arms=tuple(arm.id for sweep in sweeps for arm in sweep.arms),
    )


def rates(study: Study, scenario: str) -> Chart | None:
    """Latency of each cell that was offered several rates."""
    sweeps = _sweeps(study, scenario, "open")
    if not sweeps:
        return None
    return Chart(
        name=f"rates-{scenario}",
        title=f"{title(scenario)}: {_held(study, sweeps)}",
        note="Response time by rate offered (open load), median and (thin) p99 where the samples reach, with 95 % "
        "intervals. A cross at the top: that rate was not held, so there is no latency to show.",
        body=BODY,
        scenario=scenario,
        paint=lambda drawing: _paint_rates(drawing, study, sweeps),
        columns=("arm", "offered", "p50", "p99", "held"),
        rows=tuple(_rows(study, sweeps, "rate")),
        arms=tuple(arm.id for sweep in sweeps for arm in sweep.arms),
    )


def _sweeps(study: Study, scenario: str, phase: Phase) -> list[Sweep]:
    cells: dict[object, dict[float, Arm]] = {}
    for arm in study.arms.values():
        if arm.cell.scenario != scenario or not study.trials(arm.id, phase):
            continue
        if phase == "open" and arm.rate_rps is not None:
            cells.setdefault((arm.cell, arm.connections), {})[arm.rate_rps] = arm
        elif phase == "closed":
            cells.setdefault(arm.cell, {})[arm.connections] = arm
    return [
        Sweep(tuple(by[x] for x in sorted(by)), tuple(sorted(by)), phase) for by in cells.values() if len(by) >= POINTS
    ]


def _knees(study: Study, sweeps: Sequence[Sweep]) -> str:
    """From where more connections bring nothing, and where they cost."""
    margin = 1 + study.run.info.plan.margin
    parts = []
    for sweep in sweeps:
        values = sweep.values(study, "throughput_rps")
        if not values:
            continue
        name = shown(values[0][1].cell.target)
        most = max(values, key=lambda each: each[2].value or 0)
        best = most[2].value or 0
        knee, last = next(each for each in values if (each[2].value or 0) * margin >= best), values[-1]
        if (last[2].value or 0) * margin < best:
            falls = f"falls to {text(last[2])} with {last[0]:g}"
            parts.append(f"{name} peaks with {_connections(most[0])} ({text(most[2])}) and {falls}")
        else:
            parts.append(f"{name} needs {_connections(knee[0])} for its best ({text(knee[2])})")
    return "; ".join(parts) or "no valid result"


def _connections(count: float) -> str:
    return units.plural(round(count), "connection")


def _held(study: Study, sweeps: Sequence[Sweep]) -> str:
    """The highest rate that each holds, and the median that it has there."""
    held = [(sweep, values[-1]) for sweep in sweeps if (values := sweep.values(study, latency_name("p50", "open")))]
    offered = {sweep.xs[-1] for sweep in sweeps}
    if len(held) == len(sweeps) and {x for _, (x, _, _) in held} == offered and len(offered) == 1:
        medians = " and ".join(f"{text(value)} for {shown(arm.cell.target)}" for _, (_, arm, value) in held)
        return f"at {units.rps(offered.pop())}, the most that was offered, the median is {medians}"
    parts = []
    for sweep, (x, arm, value) in held:
        every = " at least" if x == sweep.xs[-1] else ""
        parts.append(f"{shown(arm.cell.target)} holds {units.rps(x)}{every} (median {text(value)})")
    return ", ".join(parts) or "no rate was held"


def _rows(study: Study, sweeps: Iterable[Sweep], by: str) -> Iterable[Row]:
    for sweep in sweeps:
        for x, arm in zip(sweep.xs, sweep.arms, strict=True):
            p50, p99 = (
                study.arm(arm.id, latency_name(q, sweep.phase), sweep.phase) or "not resolved" for q in ("p50", "p99")
            )
            if by == "rate":
                yield setup(arm), units.rps(x), p50, p99, "yes" if study.used(arm.id, "open") else _why(study, arm)
            else:
                yield setup(arm), f"{x:g}", study.arm(arm.id, "throughput_rps") or "no valid result", p50, p99


def _why(study: Study, arm: Arm) -> str:
    reasons = alike(first_line(reason) for trial in study.trials(arm.id, "open") for reason in why(trial))
    return f"no: {'; '.join(reasons)}"


def _paint_connections(drawing: Drawing, study: Study, sweeps: Sequence[Sweep]) -> None:
    width = (WIDTH - LEFT - GAP - RIGHT - 0.2) / 2
    height = BODY - BELOW - ABOVE
    left = drawing.axes(LEFT, BELOW, width, height)
    right = drawing.axes(LEFT + width + GAP, BELOW, width, height)
    for axes in (left, right):
        xs = sorted({x for sweep in sweeps for x in sweep.xs})
        axes.set_xscale("log", base=2)
        axes.set_xlim(xs[0] / 1.15, xs[-1] * 1.15)
        axes.xaxis.set_major_locator(FixedLocator(xs[:: max(1, math.ceil(len(xs) / 9))]))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
        axes.set_xlabel("connections")
        axes.grid()
    lines = [_line(drawing, left, study, sweep, "throughput_rps") for sweep in sweeps]
    left.set_ylim(0, left.get_ylim()[1] * 1.05)
    ends = [(line[-1], line[-1][2].value or 0.0) for line in lines if line]
    places = apart([y for _, y in ends], left.get_ylim()[1] * CLOSE)
    for ((x, arm, _), _), y in zip(ends, places, strict=True):
        _label(left, (x, y), shorten(shown(arm.cell.target), 16), colour_of(study, arm, drawing))
    left.yaxis.set_major_locator(MaxNLocator(5))
    left.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:,.0f}"))
    left.set_ylabel("answers a second")
    _latencies(drawing, right, study, sweeps, "closed")


def _paint_rates(drawing: Drawing, study: Study, sweeps: Sequence[Sweep]) -> None:
    axes = drawing.axes(LEFT, BELOW, WIDTH - LEFT - RIGHT - 0.4, BODY - BELOW - ABOVE)
    axes.set_xlim(0, max(x for sweep in sweeps for x in sweep.xs) * 1.04)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: units.tick(units.rps(x)) if x else "0"))
    axes.set_xlabel("rate offered")
    axes.grid()
    _latencies(drawing, axes, study, sweeps, "open")
    side = axes.get_xaxis_transform()
    for place, sweep in enumerate(sweeps):
        colour = colour_of(study, sweep.arms[0], drawing)
        for x, arm in zip(sweep.xs, sweep.arms, strict=True):
            if not study.used(arm.id, "open"):
                (cross,) = axes.plot([x], [0.97 - 0.06 * place], "x", color=colour, ms=7, mew=1.8, transform=side)
                drawing.mark(cross, Mark(f"{setup(arm)} at {units.rps(x)}: {_why(study, arm)}", arm.id))


def _latencies(drawing: Drawing, axes: Axes, study: Study, sweeps: Sequence[Sweep], phase: Phase) -> None:
    ends, levels = [], []
    for sweep in sweeps:
        for quantile, thin in (("p50", False), ("p99", True)):
            line = _line(drawing, axes, study, sweep, latency_name(quantile, phase), thin=thin)
            levels += [end for _, _, value in line for end in (value.value, value.low, value.high)]
            if line:
                name = f"{shorten(shown(line[-1][1].cell.target), 16)} {quantile}"
                ends.append((line[-1][0], line[-1][2].value or 1, name, colour_of(study, line[-1][1], drawing)))
    low, high = span(levels, 1.25)
    log_axis(axes.yaxis, (low, high), lambda y: units.tick(units.duration_us(y)), 6)
    axes.set_ylabel("response time")
    places = apart([math.log(y) for _, y, _, _ in ends], math.log(high / low) * CLOSE)
    for (x, _, name, colour), y in zip(ends, places, strict=True):
        _label(axes, (x, math.exp(y)), name, colour)


def _label(axes: Axes, end: tuple[float, float], name: str, colour: str) -> None:
    """The name of a line, to the right of its end."""
    axes.annotate(
        name,
        end,
        (8, 0),
        textcoords="offset points",
        color=colour,
        fontsize=8.5,
        va="center",
        annotation_clip=False,
    )


def _line(
    drawing: Drawing, axes: Axes, study: Study, sweep: Sweep, metric: str, *, thin: bool = False
) -> list[tuple[float, Arm, Value]]:
    values = sweep.values(study, metric)
    if not values:
        return values
    colour = colour_of(study, sweep.arms[0], drawing)
    ys = [value.value or 0 for _, _, value in values]
    axes.plot([x for x, _, _ in values], ys, color=colour, lw=1.0 if thin else 1.8, alpha=0.75 if thin else 1)
    points = [
        Point(f"{setup(arm)}, {condition(study, arm)}, {label(metric)}", value, x, arm.id) for x, arm, value in values
    ]
    drawing.points(axes, points, colour, upright=True, size=3.5 if thin else 5)
    return values
