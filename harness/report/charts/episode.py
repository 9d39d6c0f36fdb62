"""One episode over time: the victim's answers, those that were late or lost, and the disturbance."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from harness import units
from harness.record import TICK_S, Episode, Timeline
from harness.report.charts.base import WIDTH, Chart, Row
from harness.report.charts.marks import Drawing, Mark
from harness.report.charts.throughput import colour_of
from harness.report.figures import Study
from harness.report.words import called, held_words, kind_of, shown, title
from harness.suite import Arm

HUNDREDTHS = 100
LEFT, RIGHT, BELOW, PANEL, HEAD = 0.8, 0.3, 0.5, 1.25, 0.4


def episode(study: Study, pair: str) -> Chart | None:
    """The same strength on both arms of a pair: the weakest that broke one, else the strongest that both had."""
    strength = _strength(study, pair)
    chosen = [(arm, found) for arm in study.sides(pair) if (found := _one(study, arm, strength)) is not None]
    if not chosen:
        return None
    scenario = chosen[0][0].cell.scenario
    return Chart(
        name=f"episode-{pair}",
        title=f"{title(scenario)} {_situation(study, pair, strength)}: {_told(study, chosen)}",
        note="One episode of each arm: the victim's requests by the tenth of a second in which they were due, "
        "answered in time, late, or lost. Grey: the disturbance.",
        body=len(chosen) * (PANEL + HEAD) + BELOW,
        scenario=scenario,
        paint=lambda drawing: _paint(drawing, study, chosen),
        columns=("arm", "part", "requests", "late", "lost", "goodput", "well again after"),
        rows=tuple(row for arm, found in chosen for row in _rows(study, arm, found)),
    )


def _situation(study: Study, pair: str, strength: int) -> str:
    """What the victim is in: `beside 8 held report requests`."""
    kind = kind_of(study, pair)
    if kind == "held":
        return f"beside {strength} {held_words(study, pair)}"
    disturbance = study.group_of(pair).disturbance
    if kind == "overload":
        return f"at {strength / HUNDREDTHS:g} times the capacity"
    return shown(disturbance.situation) if disturbance is not None else ""


def _strength(study: Study, pair: str) -> int:
    sides = [arm.id for arm in study.sides(pair)]
    broken = [found.at for arm in sides if (found := study.breaks.get(arm)) and found.at is not None]
    common = [{point.strength for point in study.strengths(arm)} for arm in sides]
    shared = set.intersection(*common) or set.union(*common)
    if not broken:
        return max(shared, default=0)
    return min([strength for strength in shared if strength >= min(broken)], default=min(broken))


def _one(study: Study, arm: Arm, strength: int) -> Episode | None:
    points = [point for point in study.strengths(arm.id) if point.strength == strength]
    return next((each for point in points for each in point.episodes if each.timeline is not None), None)


def _told(study: Study, chosen: Sequence[tuple[Arm, Episode]]) -> str:
    shares = [
        f"{units.percent(found.during.late_share)} to {called(study, arm)}"
        for arm, found in chosen
        if found.during is not None
    ]
    return f"of the requests {' and '.join(shares)} are late or lost"


def _rows(study: Study, arm: Arm, found: Episode) -> list[Row]:
    parts = {"before": found.before, "during": found.during, "after": found.after}
    well = units.seconds(found.well_s) if found.well_s is not None else "not within the episode"
    return [
        (
            called(study, arm),
            name,
            f"{part.arrivals}",
            f"{part.late}",
            ", ".join(f"{count} {kind}" for kind, count in part.lost.items()) or "0",
            units.rps(part.goodput_rps),
            well if name == "after" else "",
        )
        for name, part in parts.items()
        if part is not None
    ]


def _paint(drawing: Drawing, study: Study, chosen: Sequence[tuple[Arm, Episode]]) -> None:
    most = max(max(map(sum, zip(line.in_time, line.late, line.lost, strict=True))) for line in _lines(chosen))
    longest = max(len(line.in_time) for line in _lines(chosen))
    for number, (arm, found) in enumerate(chosen):
        bottom = BELOW + (len(chosen) - 1 - number) * (PANEL + HEAD)
        axes = drawing.axes(LEFT, bottom, WIDTH - LEFT - RIGHT, PANEL)
        _panel(drawing, axes, arm, found, colour_of(study, arm, drawing))
        axes.set_ylim(0, max(most, 1) * 1.15)
        axes.set_xlim(-found.disturbance.before_s, longest * TICK_S - found.disturbance.before_s)
        drawing.text(
            LEFT, bottom + PANEL + 0.08, f"● {called(study, arm)}", color=colour_of(study, arm, drawing), fontsize=8.5
        )
        if number == len(chosen) - 1:
            axes.set_xlabel("seconds since the disturbance began")
        else:
            axes.tick_params(labelbottom=False)
    drawing.text(WIDTH - RIGHT - 3.1, BELOW + len(chosen) * (PANEL + HEAD) - HEAD + 0.08, LEGEND, fontsize=8.5)


def _lines(chosen: Sequence[tuple[Arm, Episode]]) -> list[Timeline]:
    return [found.timeline for _, found in chosen if found.timeline is not None]


LEGEND = "full: in time · soft: late · black: lost"


def _panel(drawing: Drawing, axes: Axes, arm: Arm, found: Episode, colour: str) -> None:
    line, disturbance, theme = found.timeline, found.disturbance, drawing.theme
    if line is None:
        return
    soft = theme.a_soft if colour == theme.a else theme.b_soft
    axes.axvspan(0, disturbance.during_s, color=theme.band, lw=0, zorder=0)
    ticks = range(len(line.in_time))
    at = [tick * TICK_S - disturbance.before_s + TICK_S / 2 for tick in ticks]
    below = [0] * len(at)
    for name, counts, shade in (
        ("in time", line.in_time, colour),
        ("late", line.late, soft),
        ("lost", line.lost, theme.ink),
    ):
        if any(counts):
            bars = axes.bar(at, counts, TICK_S, bottom=below, color=shade, lw=0, zorder=2)
            part = found.during
            share = units.percent(part.late_share) if part else units.MISSING
            drawing.mark(
                bars.patches[0], Mark(f"{arm.id}: {sum(counts)} {name}; {share} late or lost meanwhile", arm.id)
            )
        below = [low + count for low, count in zip(below, counts, strict=True)]
    axes.yaxis.set_major_locator(MaxNLocator(3, integer=True))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y / TICK_S:g}/s"))
    axes.grid(axis="y")
