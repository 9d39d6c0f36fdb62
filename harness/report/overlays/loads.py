"""Throughput and latency over the number of connections, latency over the rate offered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from harness import units
from harness.judge.metrics import label, latency_name
from harness.report.charts.base import Chart
from harness.report.charts.marks import Point
from harness.report.charts.sweep import POINTS
from harness.report.figures import Study
from harness.report.overlays import panels
from harness.report.overlays.base import Curve, Scale, Several
from harness.report.overlays.base import panels as common
from harness.report.words import called, title
from harness.suite import Arm, Phase

METRICS: dict[Phase, tuple[str, ...]] = {
    "closed": ("throughput_rps", latency_name("p50", "closed"), latency_name("p99", "closed")),
    "open": (latency_name("p50", "open"), latency_name("p99", "open")),
}


def connections(several: Several, scenario: str) -> Chart | None:
    """Of each cell that was measured at several numbers of connections."""
    return panels.chart(
        several,
        common(several, lambda study: _curves(several, study, scenario, "closed"), points=POINTS),
        Scale(label="connections", hold=panels.counts),
        name=f"connections-{scenario}",
        lead=f"{title(scenario)}, by connections",
        note="Good answers a second, and response time, under closed load by number of connections.",
        scenario=scenario,
    )


def rates(several: Several, scenario: str) -> Chart | None:
    """Of each cell that was offered several rates; rates that were not held have no latency."""
    return panels.chart(
        several,
        common(several, lambda study: _curves(several, study, scenario, "open"), points=POINTS),
        Scale(label="rate offered", hold=_offered),
        name=f"rates-{scenario}",
        lead=f"{title(scenario)}, by rate",
        note="Response time by rate offered, under open load. A rate that a run did not hold has no point.",
        scenario=scenario,
    )


def _curves(several: Several, study: Study, scenario: str, phase: Phase) -> Iterator[Curve]:
    cells: dict[object, dict[float, Arm]] = {}
    for arm in study.arms.values():
        if arm.cell.scenario != scenario or not study.trials(arm.id, phase):
            continue
        if phase == "open" and arm.rate_rps is not None:
            cells.setdefault((several.cell(study, arm), arm.connections), {})[arm.rate_rps] = arm
        elif phase == "closed":
            cells.setdefault(several.cell(study, arm), {})[arm.connections] = arm
    for (same, by_load), metric in product(cells.items(), METRICS[phase]):
        arm = next(iter(by_load.values()))
        yield Curve(
            same=(same, metric),
            title=called(study, arm),
            about=label(metric),
            points=tuple(_points(study, by_load, metric, phase)),
            y=panels.THROUGHPUT if metric == "throughput_rps" else panels.LATENCY,
        )


def _points(study: Study, by_load: dict[float, Arm], metric: str, phase: Phase) -> Iterator[Point]:
    for load, arm in sorted(by_load.items()):
        if value := study.arm(arm.id, metric, phase):
            at = f"at {units.rps(load)}" if phase == "open" else f"with {units.plural(round(load), 'connection')}"
            yield Point(f"{called(study, arm)}, {label(metric)} {at}", value, load)


def _offered(axes: Axes, xs: Sequence[float]) -> None:
    axes.set_xlim(0, max(xs) * 1.04)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: units.tick(units.rps(x)) if x else "0"))
