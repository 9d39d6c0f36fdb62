"""The charts of a report: each says its conclusion in its title, draws its intervals, and has its table."""

from __future__ import annotations

from collections.abc import Iterator

from harness.report.charts.balance import balance
from harness.report.charts.base import Chart
from harness.report.charts.best_three import best_three
from harness.report.charts.candidates import candidates
from harness.report.charts.costs import costs
from harness.report.charts.deploys import deploys
from harness.report.charts.efficiency import efficiency
from harness.report.charts.episode import episode
from harness.report.charts.factors import factors
from harness.report.charts.forest import forest
from harness.report.charts.frontier import frontier
from harness.report.charts.generators import generators
from harness.report.charts.latency import latency
from harness.report.charts.neighbours import neighbours
from harness.report.charts.overload import overload
from harness.report.charts.search import search
from harness.report.charts.series import series
from harness.report.charts.sweep import connections, rates
from harness.report.charts.throughput import throughput
from harness.report.charts.workers import workers
from harness.report.figures import Study

WHOLE = (frontier, candidates, best_three, search, deploys, forest, factors, workers, efficiency, balance, generators)
OF_PAIR = (neighbours, overload, episode)
EACH = (throughput, connections, rates, latency, costs, series)


def charts(study: Study) -> Iterator[Chart]:
    """Every chart that the run has the data for, in the order of the page."""
    made = [make(study) for make in WHOLE]
    made += [make(study, pair) for pair in study.pairs for make in OF_PAIR]
    made += [make(study, scenario) for scenario in study.scenarios for make in EACH]
    yield from (chart for chart in made if chart is not None)
