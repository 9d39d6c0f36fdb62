"""Latency percentiles under the open load, of every arm that several runs have."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter

from harness import units
from harness.judge.metrics import latency_name, quantile_label
from harness.report.charts.base import Chart
from harness.report.charts.latency import POINTS, TICKS, nines
from harness.report.charts.marks import Point
from harness.report.figures import Study
from harness.report.overlays import panels
from harness.report.overlays.base import Curve, Scale, Several
from harness.report.overlays.base import panels as common
from harness.report.words import called, condition, title
from harness.spec.histogram import Histogram
from harness.spec.percentiles import QUANTILES, SAMPLES_BEYOND
from harness.suite import Arm


def percentiles(several: Several, scenario: str) -> Chart | None:
    """Response time by percentile; each run at the rate that it offered."""
    found = common(several, lambda study: _curves(several, study, scenario))
    return panels.chart(
        several,
        found,
        Scale(label="percentile", hold=_nines),
        name=f"latency-{scenario}",
        lead=f"{title(scenario)}, latency",
        note="Response time by percentile under open load, over all blocks, as far as the samples reach. A rate that "
        "was derived is each run's own: it stands above the panel, in the order of the runs.",
        scenario=scenario,
    )


def _curves(several: Several, study: Study, scenario: str) -> Iterator[Curve]:
    for arm in study.arms.values():
        merged = study.histogram(arm.id, "open") if arm.cell.scenario == scenario else None
        if merged is None or merged.count <= SAMPLES_BEYOND:
            continue
        rate = study.used(arm.id, "open")[0].load.rate_rps
        yield Curve(
            same=several.same(study, arm),
            title=", ".join(filter(None, (called(study, arm), condition(study, arm)))),
            about=f"at {units.rps(rate)}" if arm.rate_rps is None else "",
            points=tuple(_points(study, arm)),
            path=tuple(_path(merged)),
            y=panels.LATENCY,
        )


def _points(study: Study, arm: Arm) -> Iterator[Point]:
    for name, level in QUANTILES.items():
        if value := study.arm(arm.id, latency_name(name, "open"), "open"):
            what = ", ".join(filter(None, (called(study, arm), condition(study, arm), quantile_label(name))))
            yield Point(what, value, nines(level))


def _path(merged: Histogram) -> Iterator[tuple[float, float]]:
    reach = nines(1 - SAMPLES_BEYOND / merged.count)
    for step in range(POINTS + 1):
        x = reach * step / POINTS
        yield x, max(merged.percentile(100 * (1 - 10**-x)), 1)


def _nines(axes: Axes, xs: Sequence[float]) -> None:
    most = max(xs) * 1.03
    places = {nines(level): text for level, text in TICKS.items() if nines(level) <= most}
    axes.set_xlim(0, most)
    axes.xaxis.set_major_locator(FixedLocator(list(places)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: places.get(x, "")))
