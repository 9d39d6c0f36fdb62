"""The ratio of every pair in each run that has it."""

from __future__ import annotations

from collections.abc import Iterator

from harness.report.charts.base import Chart
from harness.report.charts.marks import Point
from harness.report.figures import Study
from harness.report.overlays import forest
from harness.report.overlays.base import Curve, Several
from harness.report.overlays.base import panels as common
from harness.report.words import called, name


def ratios(several: Several) -> Chart | None:
    """Throughput of b over that of a, in the order of the runs."""
    return forest.chart(
        several,
        common(several, lambda study: _curves(several, study)),
        name="ratios",
        lead="Pairs",
        note="Throughput of b over that of a, closed load.",
        label="b / a, times the throughput",
    )


def _curves(several: Several, study: Study) -> Iterator[Curve]:
    for pair in study.pairs:
        value = study.pair(pair)
        if value is not None and value.value is not None:
            a, b = study.sides(pair)
            about = f"{called(study, b)} against {called(study, a)}"
            yield Curve(
                same=(several.same(study, a), several.same(study, b)),
                title=name(study, pair),
                about=about,
                points=(Point(f"{name(study, pair)}, {about}", value, 0),),
            )
