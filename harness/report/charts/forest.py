"""The verdicts at a glance: ratio and interval of each pair, the margin and the A/A band behind them."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes

from harness import units
from harness.judge.verdicts import PairVerdict
from harness.report.charts.base import PAD, WIDTH, Chart, Row, log_axis
from harness.report.charts.marks import Drawing, intervals
from harness.report.figures import Study, Value
from harness.report.figures.axis import reach
from harness.report.style import Theme
from harness.report.words import SYMBOLS, called, name, reasons, same_sides, shorten, shown, sides, tally, times, under
from harness.report.words import side as label

ROW = 0.42
LEFT, RIGHT = 3.1, 2.2
ABOVE, BELOW = 0.28, 0.5


def forest(study: Study, metric: str = "throughput_rps") -> Chart | None:
    """Throughput ratios of all pairs of a run."""
    pairs = [pair for pair in study.pairs if study.verdict(pair, metric)]
    if not pairs:
        return None
    band = " and what the A/A pair shows" if study.comparison.noise else ""
    return Chart(
        name="forest",
        title=tally(study, pairs),
        note=f"Throughput of b over that of a under closed load, with 95 % interval over blocks. Shaded: the margin of "
        f"{units.percent(study.run.info.plan.margin)}{band}. Hollow: undecided.",
        body=ROW * len(pairs) + ABOVE + BELOW,
        paint=lambda drawing: _paint(drawing, study, pairs),
        quotable=True,
        columns=("pair", "a", "b", "throughput b / a", "verdict", "blocks"),
        rows=tuple(_row(study, pair) for pair in pairs),
        arms=tuple(study.pairs[pair].b for pair in pairs),
    )


def _row(study: Study, pair: str) -> Row:
    value = study.pair(pair)
    a, b = map(label, study.sides(pair))
    verdict, blocks = (value.verdict or units.MISSING, f"{value.blocks}") if value else (units.MISSING, "0")
    return name(study, pair), a, b, value or units.MISSING, verdict, blocks


def _paint(drawing: Drawing, study: Study, pairs: Sequence[str]) -> None:
    theme, rows = drawing.theme, len(pairs)
    axes = drawing.axes(LEFT, BELOW, WIDTH - LEFT - RIGHT, ROW * rows)
    log_axis(axes.xaxis, reach(study), times)
    axes.set_ylim(-0.5, rows - 0.5)
    axes.yaxis.set_visible(False)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")
    axes.set_xlabel("throughput, b / a (logarithmic)")
    margin = study.run.info.plan.margin
    axes.axvspan(1 / (1 + margin), 1 + margin, color=theme.band, lw=0, zorder=0)
    for noise in study.comparison.noise:
        if noise.metric == "throughput_rps":
            axes.axvspan(noise.low, noise.high, color=theme.noise, alpha=0.6, lw=0, zorder=0.5)
    axes.axvline(1, color=theme.line, lw=1, zorder=1)
    for index, pair in enumerate(pairs):
        _pair(drawing, axes, study, pair, rows - 1 - index)
    _headings(axes, theme, sides(study, pairs) or ("the one named second", "the one named first"), rows)


def _headings(axes: Axes, theme: Theme, names: tuple[str, str], rows: int) -> None:
    for words, colour, where, shift in (
        (f"◀ {shorten(names[0], 26)} serves more", theme.a, "right", -5),
        (f"{shorten(names[1], 26)} serves more ▶", theme.b, "left", 5),
    ):
        axes.annotate(
            words,
            (1, rows - 0.5),
            (shift, 5),
            textcoords="offset points",
            ha=where,
            color=colour,
            fontsize=8.5,
            annotation_clip=False,
        )


def _pair(drawing: Drawing, axes: Axes, study: Study, pair: str, y: int) -> None:
    theme, side = drawing.theme, axes.get_yaxis_transform()
    a, b = study.sides(pair)
    left = (PAD - LEFT) / (WIDTH - LEFT - RIGHT)
    axes.text(left, y + 0.17, shorten(shown(a.cell.scenario), 34), fontweight="bold", va="center", transform=side)
    below = under(study, pair)
    if same_sides(study, study.pairs) is None:
        below = f"{called(study, b)} / {called(study, a)}; {below}"
    axes.text(left, y - 0.19, shorten(below, 54), fontsize=8.5, color=theme.muted, va="center", transform=side)
    verdict, value = study.verdict(pair), study.pair(pair)
    if verdict is None or value is None:
        return
    colour = hue(verdict, theme)
    word = f"{SYMBOLS[verdict.verdict]} {verdict.verdict}"
    if verdict.ratio is None:
        axes.text(1.03, y + 0.17, word, color=theme.muted, va="center", transform=side)
        why = shorten("; ".join(reasons(study, verdict)), 40)
        axes.text(1.03, y - 0.19, why, fontsize=8, color=theme.muted, va="center", transform=side)
        return
    _point(drawing, axes, verdict, value, y, name(study, pair))
    text = units.ratio(verdict.ratio, verdict.low, verdict.high)
    axes.text(1.03, y + 0.17, text, fontweight="bold", va="center", transform=side)
    axes.text(1.03, y - 0.19, word, fontsize=8.5, color=colour, va="center", transform=side)


def _point(drawing: Drawing, axes: Axes, verdict: PairVerdict, value: Value, y: int, label_: str) -> None:
    colour = hue(verdict, drawing.theme)
    intervals(axes, [(value, y)], colour, width=9)
    face = drawing.theme.paper if verdict.verdict == "inconclusive" else colour
    (point,) = axes.plot([verdict.ratio or 1], [y], "o", ms=6, mec=colour, mfc=face, mew=1.5, zorder=4)
    drawing.mark_value(point, label_, value)


def hue(verdict: PairVerdict, theme: Theme) -> str:
    """The colour of who wins."""
    return {"better": theme.b, "worse": theme.a}.get(verdict.verdict, theme.neutral)
