"""The charts of a report: each says its conclusion in its title, draws its intervals, and has its table."""

from __future__ import annotations

from collections.abc import Iterator

from harness.report.charts.base import Chart
from harness.report.charts.forest import forest
from harness.report.charts.latency import latency
from harness.report.charts.throughput import throughput
from harness.report.study import Study

WHOLE = (forest,)
EACH = (throughput, latency)


def charts(study: Study) -> Iterator[Chart]:
    """Every chart that the run has the data for, in the order of the page."""
    candidates = [make(study) for make in WHOLE]
    candidates += [make(study, scenario) for scenario in study.scenarios for make in EACH]
    yield from (chart for chart in candidates if chart is not None)
