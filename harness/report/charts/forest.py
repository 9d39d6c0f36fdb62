"""The verdicts at a glance: ratio and interval of each pair, the margin and the A/A band behind them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from harness import units
from harness.report.charts.base import PAD, WIDTH, Cell, Chart, Drawing, says, shorten, start
from harness.report.words import SYMBOLS, condition, setup

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from harness.report.study import Study
    from harness.report.style import Theme
    from harness.verdicts import PairVerdict

ROW = 0.42
LEFT, RIGHT = 3.15, 2.25
TICKS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)
SPAN = 1.35
"""The axis reaches at least this factor to either side of 1."""


def forest(study: Study) -> Chart | None:
    """Throughput ratios of all pairs of a run."""
    pairs = [pair for pair in study.pairs if study.verdict(pair)]
    if not pairs:
        return None
    verdicts = [v for v in map(study.verdict, pairs) if v]
    labels = [_label(study, pair) for pair in pairs]
    title = conclusion(verdicts, sides(study, pairs))
    note = (
        "Throughput of b over throughput of a, closed load, with 95 % intervals over blocks. Shaded: the margin of "
        f"{units.percent(study.run.info.plan.margin)}{' and the A/A interval' if study.comparison.noise else ''}."
    )
    return Chart(
        name="forest",
        title=title,
        note=note,
        draw=lambda theme: draw(study, theme, title, note, list(zip(labels, verdicts, strict=True))),
        columns=("pair", "a", "b", "throughput b / a", "verdict", "blocks"),
        rows=tuple(_row(study, v) for v in verdicts),
        featured=True,
    )


def _row(study: Study, verdict: PairVerdict) -> tuple[Cell, ...]:
    value = study.pair(verdict.pair)
    first = study.arms[study.pairs[verdict.pair].a]
    name = f"{verdict.scenario}, {condition(first)}"
    return name, verdict.a, verdict.b, value or units.MISSING, verdict.verdict, f"{verdict.blocks}"


def sides(study: Study, pairs: Sequence[str]) -> tuple[str, str] | None:
    """What a and b are called when all pairs have the same two; otherwise None."""
    names = {
        (setup(study.arms[pair.a]), setup(study.arms[pair.b])) for pair in map(study.pairs.__getitem__, pairs)
        if not pair.null
    }  # fmt: skip
    return names.pop() if len(names) == 1 else None


def conclusion(verdicts: Sequence[PairVerdict], names: tuple[str, str] | None) -> str:
    """How many pairs each side wins, in a sentence."""
    real = [v for v in verdicts if not v.null]
    a, b = names or ("a", "b")
    counts = {word: sum(v.verdict == word for v in real) for word in dict.fromkeys(v.verdict for v in real)}
    parts = []
    if counts.get("better"):
        parts.append(f"{b} serves more in {counts['better']} of {len(real)}")
    if counts.get("worse"):
        parts.append(f"{a} in {counts['worse']}" if parts else f"{a} serves more in {counts['worse']} of {len(real)}")
    for verdict, words in (("equivalent", "equal in"), ("inconclusive", "undecided in")):
        if counts.get(verdict):
            parts.append(f"{words} {counts[verdict]}")
    lost = sum(counts.get(word, 0) for word in ("invalid", "error", "not resolved"))
    if lost:
        parts.append(f"no result in {lost}")
    return ", ".join(parts) if parts else "No pair was compared"


def _label(study: Study, pair: str) -> tuple[str, str]:
    planned = study.pairs[pair]
    a, b = study.arms[planned.a], study.arms[planned.b]
    below = f"{condition(a)}{' (A/A)' if planned.null else ''}"
    uniform = sides(study, list(study.pairs)) is not None
    return a.cell.scenario, below if uniform else f"{below}; {setup(b)} / {setup(a)}"


def draw(
    study: Study,
    theme: Theme,
    title: str,
    note: str,
    rows: Sequence[tuple[tuple[str, str], PairVerdict]],
) -> Drawing:
    """The forest."""
    body = ROW * len(rows) + 0.95
    drawing = start(title, note, theme, body)
    axes = drawing.axes(LEFT, 0.5, WIDTH - LEFT - RIGHT, ROW * len(rows))
    _frame(axes, theme, [v for _, v in rows], len(rows))
    margin = study.run.info.plan.margin
    axes.axvspan(1 / (1 + margin), 1 + margin, color=theme.band, lw=0, zorder=0)
    for noise in study.comparison.noise:
        if noise.metric == "throughput_rps":
            axes.axvspan(noise.low, noise.high, color=theme.noise, alpha=0.55, lw=0, zorder=0.5)
    axes.axvline(1, color=theme.line, lw=1, zorder=1)
    for index, (label, verdict) in enumerate(rows):
        _one(drawing, axes, theme, len(rows) - 1 - index, label, verdict, study)
    names = sides(study, list(study.pairs)) or ("a", "b")
    top = len(rows) - 0.38
    arrows = {"fontsize": 8.5, "va": "bottom", "annotation_clip": False}
    axes.annotate(f"◀ {shorten(names[0], 30)} serves more ", (1, top), ha="right", color=theme.a, **arrows)
    axes.annotate(f" {shorten(names[1], 30)} serves more ▶", (1, top), ha="left", color=theme.b, **arrows)
    return drawing


def _frame(axes: Axes, theme: Theme, verdicts: Sequence[PairVerdict], rows: int) -> None:
    ends = [x for v in verdicts for x in (v.ratio, v.low, v.high) if x]
    low, high = min([*ends, 1 / SPAN]) / 1.08, max([*ends, SPAN]) * 1.08
    # 1 stands no nearer to an edge than a quarter: both headings need their place.
    reach = math.log(high / low)
    low, high = min(low, math.exp(-reach / 3)), max(high, math.exp(reach / 3))
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    axes.set_ylim(-0.6, rows - 0.4)
    ticks = [t for t in TICKS if low <= t <= high]
    if len(ticks) < 3:  # noqa: PLR2004 - a narrow axis wants finer ticks
        ticks = [t for t in (0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.1, 1.2, 1.4, 1.6, 2) if low <= t <= high]
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}×"))
    axes.grid(axis="x", color=theme.grid)
    axes.yaxis.set_visible(False)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("throughput, b / a (logarithmic)")


def _one(
    drawing: Drawing,
    axes: Axes,
    theme: Theme,
    y: int,
    label: tuple[str, str],
    verdict: PairVerdict,
    study: Study,
) -> None:
    left = axes.get_xlim()[0]
    side = axes.get_yaxis_transform()
    offset = -(LEFT - PAD) / (WIDTH - LEFT - RIGHT)
    axes.text(offset, y + 0.16, shorten(label[0], 34), fontweight="bold", va="center", transform=side)
    axes.text(offset, y - 0.2, shorten(label[1], 52), fontsize=8.5, color=theme.muted, va="center", transform=side)
    colour = hue(verdict, theme)
    if verdict.ratio is None:
        words = f"{SYMBOLS[verdict.verdict]} {verdict.verdict}"
        axes.text(1.03, y + 0.16, words, color=theme.muted, va="center", transform=side)
        why = shorten("; ".join(verdict.reasons), 40)
        axes.text(1.03, y - 0.2, why, fontsize=8, color=theme.muted, va="center", transform=side)
        return
    if verdict.low is not None and verdict.high is not None:
        axes.plot([max(verdict.low, left), verdict.high], [y, y], color=colour, lw=2.4, zorder=3)
    hollow = verdict.verdict == "inconclusive"
    face = theme.paper if hollow else colour
    (point,) = axes.plot(
        [verdict.ratio], [y], "o", ms=8, mec=colour, mfc=face, mew=1.8, zorder=4, label="_nolegend_"
    )
    drawing.mark(point, says(f"{label[0]}, {label[1]}", study.pair(verdict.pair)))
    text = units.ratio(verdict.ratio, verdict.low, verdict.high)
    axes.text(1.03, y + 0.16, text, fontweight="bold", va="center", transform=side)
    word = f"{SYMBOLS[verdict.verdict]} {verdict.verdict}"
    axes.text(1.03, y - 0.2, word, fontsize=8.5, color=colour, va="center", transform=side)


def hue(verdict: PairVerdict, theme: Theme) -> str:
    """The colour of who wins."""
    return {"better": theme.b, "worse": theme.a}.get(verdict.verdict, theme.neutral)
