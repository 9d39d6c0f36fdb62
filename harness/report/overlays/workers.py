"""Throughput over the number of workers, of every cell that several runs have at several counts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from harness.report.charts.base import Chart
from harness.report.charts.marks import Point
from harness.report.figures import Study
from harness.report.overlays import panels
from harness.report.overlays.base import Curve, Scale, Several
from harness.report.overlays.base import panels as common
from harness.report.words import called, condition, shown
from harness.suite import Arm
from harness.units import plural


def workers(several: Several) -> Chart | None:
    """Good answers a second by number of workers."""
    return panels.chart(
        several,
        common(several, lambda study: _curves(several, study), points=2),
        Scale(label="workers", hold=panels.counts),
        name="workers",
        lead="Throughput by workers",
        note="Good answers a second under closed load by number of workers.",
    )


def _curves(several: Several, study: Study) -> Iterator[Curve]:
    cells: dict[object, dict[int, Arm]] = {}
    for arm in study.arms.values():
        if study.arm(arm.id, "throughput_rps"):
            one = replace(arm, cell=replace(arm.cell, workers=1))
            cells.setdefault(several.same(study, one), {}).setdefault(arm.cell.workers, arm)
    for same, by_count in cells.items():
        first = by_count[min(by_count)]
        parts = (part for part in condition(study, first).split(", ") if not part.endswith(("worker", "workers")))
        where = ", ".join(filter(None, (shown(first.cell.scenario), *parts)))
        yield Curve(
            same=same,
            title=where,
            about=called(study, first),
            points=tuple(
                Point(f"{where}, {called(study, arm)}, {plural(count, 'worker')}", value, count)
                for count, arm in sorted(by_count.items())
                if (value := study.arm(arm.id, "throughput_rps"))
            ),
            y=panels.THROUGHPUT,
        )
