"""Which charts a run has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from harness.report.charts.forest import forest
from harness.report.charts.latency import latency
from harness.report.charts.throughput import throughput

if TYPE_CHECKING:
    from harness.report.charts.base import Chart
    from harness.report.study import Study


def charts(study: Study) -> Iterator[Chart]:
    """Every chart that the run has the data for, in the order of the page."""
    scenarios = dict.fromkeys(study.arms[pair.a].cell.scenario for pair in study.pairs.values())
    candidates = [
        forest(study),
        *(throughput(study, scenario) for scenario in scenarios),
        *(latency(study, pair) for pair in study.pairs),
    ]
    yield from (chart for chart in candidates if chart is not None)
