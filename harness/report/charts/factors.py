"""What each factor does to throughput within each interface, and how that differs between the interfaces."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from matplotlib.axes import Axes

from harness import units
from harness.judge.verdicts import Effect
from harness.report.charts.base import (
    PAD,
    WIDTH,
    Chart,
    Row,
    log_axis,
    span,
)
from harness.report.charts.marks import Drawing, Point
from harness.report.figures import Study, Value
from harness.report.figures.axis import log_ticks
from harness.report.figures.rows import of_effect
from harness.report.style import Theme
from harness.report.words import interval, shorten, shown, times
from harness.suite import Factor

METRIC = "throughput_rps"
ROW, LEFT, RIGHT, ABOVE, BELOW = 0.5, 3.1, 2.2, 0.28, 0.5
OFFSET = 0.17
MOST = 4
"""Factors named in the title."""


@dataclass
class Contrast:
    """One change of one factor in one scenario: its effect within each interface, and between them."""

    factor: Factor
    change: str
    scenario: str
    context: str
    effects: dict[str, Effect] = field(default_factory=dict)
    """By `where`."""

    @property
    def inside(self) -> dict[str, Effect]:
        """The effects within an interface."""
        return {where: effect for where, effect in self.effects.items() if "/" not in where}

    @property
    def size(self) -> float:
        """How far the largest effect is from none."""
        return max(abs(math.log(effect.ratio)) for effect in self.inside.values())

    @property
    def difference(self) -> Effect | None:
        """The ratio of the two interfaces' effects."""
        return next((effect for where, effect in self.effects.items() if "/" in where), None)


def factors(study: Study) -> Chart | None:
    """Effects of the factors on throughput, by interface."""
    effects = [effect for effect in study.comparison.effects if effect.metric == METRIC]
    changes = contrasts(effects, study.factors)
    if not changes:
        return None
    return Chart(
        name="factors",
        title=_title(changes),
        note="Throughput at the second level over that at the first, closed load, everything else equal, with 95 % "
        "interval. On the right: how the effect differs between the interfaces.",
        body=ROW * len(changes) + ABOVE + BELOW,
        paint=lambda drawing: _paint(drawing, changes),
        quotable=True,
        columns=("scenario", "factor", "change", "context", "interface", "times the throughput"),
        rows=tuple(_row(contrast, effect) for contrast in changes for effect in contrast.effects.values()),
    )


def contrasts(effects: Iterable[Effect], factors: Sequence[Factor]) -> list[Contrast]:
    """Effects of one change side by side; two of the same interface (other targets, clients) in rows of their own."""
    by_name = {factor.name: factor for factor in factors}
    by_change: dict[tuple[str, ...], Contrast] = {}
    for effect in effects:
        change = f"{effect.low_level} → {effect.high_level}"
        context = _shared(effect.context, factors)
        for twin in range(len(by_change) + 1):
            key = (effect.factor, change, effect.scenario, context, str(twin))
            contrast = by_change.setdefault(key, Contrast(by_name[effect.factor], change, effect.scenario, context))
            if effect.where not in contrast.effects:
                contrast.effects[effect.where] = effect
                break
    order = list(by_name)
    inside = [contrast for contrast in by_change.values() if contrast.inside]
    return sorted(inside, key=lambda contrast: order.index(contrast.factor.name))


def _shared(context: str, factors: Sequence[Factor]) -> str:
    """What both sides have in common of a context: without target and server, and what is each side's own."""
    own = tuple(f"{factor.name} " for factor in factors if factor.on == "side")
    parts = context.partition(" / ")[0].split(", ")[1:]
    return ", ".join(part for part in parts if not part.startswith(own))


def _row(contrast: Contrast, effect: Effect) -> Row:
    value = of_effect(effect)
    return (
        shown(contrast.scenario),
        contrast.factor.name,
        shown(contrast.change),
        shown(effect.context),
        effect.where,
        value,
    )


def _title(changes: Sequence[Contrast]) -> str:
    parts = []
    for name in dict.fromkeys(contrast.factor.name for contrast in changes):
        of_factor = [contrast for contrast in changes if contrast.factor.name == name]
        most = max(of_factor, key=lambda contrast: contrast.size)
        figures = ", ".join(
            f"{where} {units.ratio(effect.ratio)}{units.TIMES}" for where, effect in most.inside.items()
        )
        low, high = map(shown, most.change.split(" → "))
        parts.append(f"{most.factor.say_effect(low, high)} ({figures})")
    return f"Throughput changes with {', '.join(parts[:MOST])}"


def _paint(drawing: Drawing, changes: Sequence[Contrast]) -> None:
    theme = drawing.theme
    axes = drawing.axes(LEFT, BELOW, WIDTH - LEFT - RIGHT, ROW * len(changes))
    inside = [effect for contrast in changes for effect in contrast.inside.values()]
    low, high = span([end for effect in inside for end in (effect.low, effect.high, 1.0)], 1.12)
    log_axis(axes.xaxis, (low, high), times)
    axes.set_ylim(-0.5, len(changes) - 0.5)
    axes.yaxis.set_visible(False)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")
    axes.axvline(1, color=theme.line, lw=1, zorder=1)
    axes.set_xlabel("times the throughput (logarithmic)" if len(log_ticks(low, high)) > 1 else "times the throughput")
    right = 1 + 0.12 / (WIDTH - LEFT - RIGHT)
    heads = [(0.0, "● wsgi", theme.a), (0.17, "● asgi", theme.b)]
    heads += [(right, "asgi over wsgi", theme.muted)] if any(contrast.difference for contrast in changes) else []
    for x, words, colour in heads:
        axes.annotate(
            words,
            (x, 1),
            (0, 6),
            xycoords="axes fraction",
            textcoords="offset points",
            color=colour,
            fontsize=8.5,
            annotation_clip=False,
        )
    for index, contrast in enumerate(changes):
        _contrast(drawing, axes, contrast, len(changes) - 1 - index, right)


def _contrast(drawing: Drawing, axes: Axes, contrast: Contrast, y: int, right: float) -> None:
    theme, side = drawing.theme, axes.get_yaxis_transform()
    left = (PAD - LEFT) / (WIDTH - LEFT - RIGHT)
    head = f"{contrast.factor.name} {shown(contrast.change)}"
    axes.text(left, y + OFFSET, shorten(head, 36), fontweight="bold", va="center", transform=side)
    alone = next(iter(contrast.inside.values())) if len(contrast.inside) == 1 else None
    context = alone.context if alone else contrast.context
    below = shown(contrast.scenario) + (f", {shown(context)}" if context else "")
    axes.text(left, y - OFFSET, shorten(below, 52), fontsize=8.5, color=theme.muted, va="center", transform=side)
    for place, (where, effect) in enumerate(contrast.inside.items()):
        shift = 0.0 if len(contrast.inside) == 1 else OFFSET - place * 2 * OFFSET
        _point(drawing, axes, where, effect, y + shift)
    difference = contrast.difference
    words = interval(of_effect(difference)) if difference else ""
    axes.text(right, y, words, va="center", transform=side, fontsize=9.5, color=theme.ink)


def _point(drawing: Drawing, axes: Axes, where: str, effect: Effect, y: float) -> None:
    colour, value = _hue(where, drawing.theme), of_effect(effect)
    change = f"{effect.factor} {shown(effect.low_level)} → {shown(effect.high_level)}"
    label = f"{change}, {shown(effect.scenario)}, {shown(effect.context)} ({where})"
    drawing.points(axes, [Point(label, value, y)], colour)
    _number(axes, value, y, colour)


def _number(axes: Axes, value: Value, y: float, colour: str) -> None:
    near_right = (value.value or 1) > axes.get_xlim()[1] ** 0.8 * axes.get_xlim()[0] ** 0.2
    axes.annotate(
        interval(value).split(" ")[0],
        (value.low if near_right and value.low else value.high or value.value or 1, y),
        (-6, 0) if near_right else (6, 0),
        textcoords="offset points",
        ha="right" if near_right else "left",
        va="center",
        fontsize=8.5,
        color=colour,
        annotation_clip=False,
    )


def _hue(where: str, theme: Theme) -> str:
    return {"wsgi": theme.a, "asgi": theme.b}.get(where, theme.neutral)
