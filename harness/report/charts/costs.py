"""What a request costs in CPU: in the server, in the services it calls, in the load generator."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from harness import units
from harness.judge.metrics import METRICS
from harness.report.charts.base import PAD, WIDTH, Cell, Chart, Row
from harness.report.charts.marks import Drawing
from harness.report.charts.throughput import colour_of
from harness.report.figures import Study
from harness.report.words import called, condition, ordered, shorten, text, title, turned, under
from harness.suite import Arm

ROW, LEFT, RIGHT, ABOVE, BELOW = 0.66, 2.45, 2.3, 0.26, 0.5
BAR = 0.24
PARTS = ("cpu_s_per_request", "services_cpu_s_per_request", "generator_cpu_s_per_request")
NAMES = ("server", "services", "load generator")
FAR = 1.1
"""A ratio from which one side is said to be dearer."""


def costs(study: Study, scenario: str) -> Chart | None:
    """CPU a request of both sides of every pair of a scenario, by who spends it."""
    pairs = [p for p in study.pairs_of(scenario) if any(study.arm(arm.id, PARTS[0]) for arm in study.sides(p))]
    if not pairs:
        return None
    arms = [arm for pair in pairs for arm in study.sides(pair)]
    return Chart(
        name=f"cpu-{scenario}",
        title=_title(study, scenario, pairs),
        note="CPU seconds for a good answer under closed load, mean over blocks, by who spends them.",
        body=ROW * len(pairs) + ABOVE + BELOW,
        scenario=scenario,
        paint=lambda drawing: _paint(drawing, study, pairs),
        columns=("condition", "arm", *NAMES, "memory", "connections a request", "cache hits"),
        rows=tuple(_row(study, arm) for arm in arms),
        arms=tuple(arm.id for arm in arms),
    )


def _row(study: Study, arm: Arm) -> Row:
    names = (*PARTS, "memory_bytes", "connections_per_request", "cache_hit_ratio")
    cells: list[Cell] = [study.arm(arm.id, name) or units.MISSING for name in names]
    return (condition(study, arm), called(study, arm), *cells)


def _title(study: Study, scenario: str, pairs: Sequence[str]) -> str:
    lead = f"{title(scenario)}: "
    compared = [(p, v) for p in pairs if (v := study.verdict(p, PARTS[0])) and v.ratio and not study.pairs[p].null]
    if not compared:
        return lead + "CPU a request"
    pair, verdict = max(compared, key=lambda each: max(each[1].ratio or 1, 1 / (each[1].ratio or 1)))
    less, more = (called(study, arm) for arm in ordered(study, verdict))
    where = f" ({under(study, pair)})" if len(pairs) > 1 else ""
    if max(verdict.ratio or 1, 1 / (verdict.ratio or 1)) < FAR:
        return f"{lead}{less} and {more} spend nearly the same CPU on a request, {turned(verdict)}{where}"
    return f"{lead}{less} spends less CPU on a request: {more} takes {turned(verdict)} as much{where}"


def _paint(drawing: Drawing, study: Study, pairs: Sequence[str]) -> None:
    theme = drawing.theme
    axes = drawing.axes(LEFT, BELOW, WIDTH - LEFT - RIGHT, ROW * len(pairs))
    totals = [sum(_parts(study, arm)) for pair in pairs for arm in study.sides(pair)]
    axes.set_xlim(0, (max(totals, default=0) or 1) * 1.04)
    axes.set_ylim(-0.5, len(pairs) - 0.5)
    axes.yaxis.set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: units.tick(units.seconds(x)) if x else "0"))
    axes.grid(axis="x")
    axes.set_xlabel("CPU time a request")
    x = 0.0
    for name, colour in zip(NAMES, (theme.ink, theme.third, theme.line), strict=True):
        head = f"■ {name}" if name != "server" else "■■ server"
        words = axes.annotate(
            head,
            (x, 1),
            (0, 5),
            xycoords=("axes fraction", "axes fraction"),
            textcoords="offset points",
            fontsize=8.5,
            color=colour,
            annotation_clip=False,
        )
        if name == "server":
            words.set_text("server (in the arm's colour)")
        x += 0.42 if name == "server" else 0.2
    for index, pair in enumerate(pairs):
        y = len(pairs) - 1 - index
        a, b = study.sides(pair)
        drawing.text(
            PAD, BELOW + ROW * (y + 0.87), shorten(under(study, pair), 40), fontweight="bold", va="center", fontsize=9.5
        )
        _arm(drawing, axes, study, a, y + 0.08)
        _arm(drawing, axes, study, b, y - 0.24)


def _parts(study: Study, arm: Arm) -> list[float]:
    values = [study.arm(arm.id, name) for name in PARTS]
    return [value.value or 0.0 if value else 0.0 for value in values]


def _arm(drawing: Drawing, axes: Axes, study: Study, arm: Arm, y: float) -> None:
    theme, side = drawing.theme, axes.get_yaxis_transform()
    colour = colour_of(study, arm, drawing)
    left = (PAD - LEFT) / (WIDTH - LEFT - RIGHT)
    axes.text(left, y, shorten(called(study, arm), 34), color=colour, fontsize=9, va="center", transform=side)
    start, words = 0.0, []
    for metric, name, fill in zip(PARTS, NAMES, (colour, theme.third, theme.line), strict=True):
        value = study.arm(arm.id, metric)
        if value is None or value.value is None:
            continue
        bar = axes.barh([y], [value.value], left=start, height=BAR, color=fill, edgecolor=theme.paper, lw=0.6)
        drawing.mark_value(
            bar.patches[0], f"{condition(study, arm)}, {called(study, arm)}, {METRICS[metric].label}", value, arm.id
        )
        start += value.value
        words.append(text(value) if name == "server" else f"+ {text(value)}")
    if not words:
        axes.text(0.01, y, "✕ no valid result", color=theme.muted, fontsize=9, va="center", transform=side)
        return
    if words[0].startswith("+"):  # it ran already, and its processes are not known
        words.insert(0, "not known")
    axes.annotate(
        " ".join(words),
        (start, y),
        (5, 0),
        textcoords="offset points",
        va="center",
        fontsize=8.5,
        annotation_clip=False,
    )
