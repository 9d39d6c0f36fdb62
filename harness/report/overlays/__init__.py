"""The charts of several runs: what each has alone, laid over one another, a colour a run."""

from __future__ import annotations

from collections.abc import Iterator

from harness.report.charts.base import Chart
from harness.report.overlays.base import Several
from harness.report.overlays.factors import factors
from harness.report.overlays.loads import connections, rates
from harness.report.overlays.percentiles import percentiles
from harness.report.overlays.ratios import ratios
from harness.report.overlays.workers import workers

__all__ = ["Several", "overlays"]

WHOLE = (ratios, factors, workers)
EACH = (connections, rates, percentiles)


def overlays(several: Several) -> Iterator[Chart]:
    """Every chart that at least two of the runs have the data for, in the order of the page."""
    made = [make(several) for make in WHOLE]
    made += [make(several, scenario) for scenario in several.scenarios for make in EACH]
    yield from (chart for chart in made if chart is not None)
