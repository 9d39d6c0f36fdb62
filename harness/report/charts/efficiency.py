"""What a core and a gigabyte yield: requests a CPU second, requests a second a GiB, and the memory itself."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.ticker import FixedLocator

from harness import units
from harness.judge.metrics import METRICS
from harness.report.charts.base import PAD, WIDTH, Cell, Chart, Row, log_axis, readable, span
from harness.report.charts.marks import Drawing, Point
from harness.report.figures import Study
from harness.report.figures.axis import log_ticks
from harness.report.words import count, name, outcome, same_sides, setup, shorten, shown, under

ROW, LEFT, GAP, ABOVE, BELOW = 0.42, 2.75, 0.22, 0.5, 0.5
PANELS = (
    ("requests_per_cpu_s", "requests a CPU second", "per core kept busy"),
    ("rps_per_gib", "requests/s a GiB", "per GiB of memory held"),
    ("memory_bytes", "memory", "PSS of all processes"),
)


def efficiency(study: Study) -> Chart | None:
    """Both sides of every pair by what they take."""
    pairs = [p for p in study.pairs if any(study.arm(arm.id, PANELS[0][0]) for arm in study.sides(p))]
    if not pairs:
        return None
    arms = [arm for pair in pairs for arm in study.sides(pair)]
    return Chart(
        name="efficiency",
        title=_title(study, pairs),
        note="Requests for each second of CPU used (that is requests/s for each core kept busy), requests/s for each "
        "GiB of memory held, and that memory; closed load, mean over blocks, logarithmic axes.",
        body=ROW * len(pairs) + ABOVE + BELOW,
        paint=lambda drawing: _paint(drawing, study, pairs),
        quotable=True,
        columns=("pair", "arm", *(METRICS[metric].label for metric, _, _ in PANELS)),
        rows=tuple(_row(study, pair, side) for pair in pairs for side in (0, 1)),
        arms=tuple(arm.id for arm in arms),
    )


def _row(study: Study, pair: str, side: int) -> Row:
    arm = study.sides(pair)[side]
    cells: list[Cell] = [study.arm(arm.id, metric) or units.MISSING for metric, _, _ in PANELS]
    return (name(study, pair), setup(arm), *cells)


def _title(study: Study, pairs: Sequence[str]) -> str:
    parts = []
    for metric, words in (("requests_per_cpu_s", "a CPU second"), ("rps_per_gib", "a GiB of memory")):
        outcomes = [
            outcome(study, pair, "better" if (b.value or 0) > (a.value or 0) else "worse")
            for pair in pairs
            if not study.pairs[pair].null
            and (a := study.arm(study.pairs[pair].a, metric))
            and (b := study.arm(study.pairs[pair].b, metric))
        ]
        parts += [f"{words} {count(outcomes, 'does more')}"] if outcomes else []
    return f"With {'; with '.join(parts)}" if parts else "What a core and a GiB of memory yield"


def _paint(drawing: Drawing, study: Study, pairs: Sequence[str]) -> None:
    width = (WIDTH - LEFT - GAP * len(PANELS)) / len(PANELS)
    for index, pair in enumerate(pairs):
        y = BELOW + ROW * (len(pairs) - index - 0.5)
        a, _ = study.sides(pair)
        drawing.text(PAD, y + 0.07, shorten(shown(a.cell.scenario), 30), fontweight="bold", va="center", fontsize=9.5)
        muted = {"fontsize": 8.5, "color": drawing.theme.muted, "va": "center"}
        drawing.text(PAD, y - 0.09, shorten(under(study, pair), 44), **muted)
    for index, (metric, title, note) in enumerate(PANELS):
        axes = drawing.axes(LEFT + index * (width + GAP), BELOW, width, ROW * len(pairs))
        axes.annotate(
            title,
            (0, 1),
            (0, 20),
            xycoords="axes fraction",
            textcoords="offset points",
            fontsize=9.5,
            fontweight="bold",
            annotation_clip=False,
        )
        axes.annotate(
            note,
            (0, 1),
            (0, 7),
            xycoords="axes fraction",
            textcoords="offset points",
            fontsize=8.5,
            color=drawing.theme.muted,
            annotation_clip=False,
        )
        _panel(drawing, axes, study, pairs, metric)
    sides = same_sides(study, pairs)
    if sides:
        for shift, words, colour in ((0.0, sides[0], drawing.theme.a), (0.165, sides[1], drawing.theme.b)):
            drawing.text(
                PAD, BELOW + ROW * len(pairs) + 0.33 - shift, f"● {shorten(words, 36)}", fontsize=8.5, color=colour
            )


def _panel(drawing: Drawing, axes: Axes, study: Study, pairs: Sequence[str], metric: str) -> None:
    values = [v for pair in pairs for arm in study.sides(pair) if (v := study.arm(arm.id, metric))]
    short = units.bytes_ if metric == "memory_bytes" else units.number
    limits = span([value.value for value in values], 1.25)

    def label(x: float) -> str:
        return units.tick(short(x))

    log_axis(axes.xaxis, limits, label, 3)
    if metric == "memory_bytes":
        ticks = [tick * units.MIB for tick in log_ticks(limits[0] / units.MIB, limits[1] / units.MIB, 3)]
        axes.xaxis.set_major_locator(FixedLocator(readable(axes.xaxis, ticks, label)))
    axes.set_ylim(-0.5, len(pairs) - 0.5)
    axes.yaxis.set_visible(False)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")
    sides = [_points(study, pairs, metric, side) for side in (0, 1)]
    both = [(a.value.value or 0, b.value.value or 0, a.at) for a in sides[0] for b in sides[1] if a.at == b.at]
    lines = [((a, y), (b, y)) for a, b, y in both]
    axes.add_collection(LineCollection(lines, colors=drawing.theme.line, linewidths=1.2, zorder=2), autolim=False)
    for points, colour in zip(sides, (drawing.theme.a, drawing.theme.b), strict=True):
        drawing.points(axes, points, colour, size=6)


def _points(study: Study, pairs: Sequence[str], metric: str, side: int) -> list[Point]:
    arms = [(place, pair, study.sides(pair)[side]) for place, pair in enumerate(reversed(pairs))]
    return [
        Point(f"{name(study, pair)}, {setup(arm)}, {METRICS[metric].label}", value, place, arm.id)
        for place, pair, arm in arms
        if (value := study.arm(arm.id, metric))
    ]
