"""What each factor does to throughput, in every run that has it at both levels."""

from __future__ import annotations

from collections.abc import Iterator

from harness.report.charts.base import Chart
from harness.report.charts.factors import METRIC
from harness.report.charts.marks import Point
from harness.report.figures import Study
from harness.report.figures.rows import of_effect
from harness.report.overlays import forest
from harness.report.overlays.base import Curve, Several
from harness.report.overlays.base import panels as common
from harness.report.words import shown


def factors(several: Several) -> Chart | None:
    """Throughput at the second level over that at the first, within each interface."""
    return forest.chart(
        several,
        common(several, _curves),
        name="factors",
        lead="Effects of factors",
        note="Throughput at the second level over that at the first, closed load, everything else equal.",
        label="times the throughput",
    )


def _curves(study: Study) -> Iterator[Curve]:
    for effect in study.comparison.effects:
        if effect.metric != METRIC or "/" in effect.where:
            continue
        change = f"{effect.factor} {shown(effect.low_level)} → {shown(effect.high_level)}, {effect.where}"
        about = ", ".join(filter(None, (shown(effect.scenario), shown(effect.context))))
        same = (effect.factor, effect.low_level, effect.high_level, effect.scenario, effect.where, effect.context)
        yield Curve(same=same, title=change, about=about, points=(Point(f"{change}, {about}", of_effect(effect), 0),))
