"""How the ratios of a suite's pairs went from run to run, on each machine apart."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from harness import units
from harness.judge.trend import Shift, estimated, shifts
from harness.record import RunInfo
from harness.record.conditions import of_servers
from harness.report import words
from harness.report.figures.axis import log_ticks
from harness.report.over_time.courses import Course, Past, Ratio, courses, grouped, news

__all__ = ["Past", "drawing", "over_time"]

WIDTH, HEIGHT, LEFT, EDGE, FOOT = 560, 96, 44, 18, 18
"""Of a drawing, in its own units: room for the axis at the left, at either end, and for the numbers of the runs."""
TICKS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Dot:
    """The ratio of a pair in one run, and where it lies in the drawing."""

    x: float
    y: float
    low: float | None
    high: float | None
    """Where the ends of its interval lie."""
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A run from which on the ratio is another, and where it lies."""

    x: float
    way: str
    """better or worse: whether b does more or less than before, against a."""
    words: str
    news: tuple[str, ...]
    """What differs in that run from the one before it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A pair over time."""

    pair: str
    about: str
    dots: tuple[Dot, ...]
    steps: tuple[Step, ...]
    bands: tuple[tuple[float, float, float, float], ...]
    """Left, top, width, height of the margin around each ratio from which a change is told."""
    ticks: tuple[tuple[float, str], ...]
    latest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A run of a series."""

    number: int
    x: float
    name: str
    started: str
    report: str
    news: tuple[str, ...]
    """What differs from the run before: versions, code, placement."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """The runs of one suite on one machine, oldest first."""

    suite: str
    machine: str
    margin: float
    entries: tuple[Entry, ...]
    lines: tuple[Line, ...]

    @property
    def changed(self) -> int:
        """How many pairs changed at least once."""
        return sum(bool(line.steps) for line in self.lines)


def drawing() -> dict[str, int]:
    """The size of every drawing, for the page."""
    return {"width": WIDTH, "height": HEIGHT, "left": LEFT, "floor": HEIGHT - FOOT}


def over_time(runs: Sequence[Past]) -> list[Series]:
    """A series for each suite and machine that has two runs or more with a pair in common."""
    found = map(_series, grouped(runs))
    return [series for series in found if series.lines]


def _series(runs: Sequence[Past]) -> Series:
    last, entries = runs[-1].info, tuple(_entries(runs))
    return Series(
        suite=last.plan.suite,
        machine=_machine(last),
        margin=last.plan.margin,
        entries=entries,
        lines=tuple(_line(course, runs, entries) for course in courses(runs)),
    )


def _machine(info: RunInfo) -> str:
    cores = len(info.placement.get("server", ()))
    there = of_servers(info)
    known = [str(there[name]) for name in ("cpu", "kernel") if there.get(name)]
    return ", ".join([*known, f"servers on {units.plural(cores, 'core')}"])


def _entries(runs: Sequence[Past]) -> Iterator[Entry]:
    since = [(), *(tuple(news(before.info, now.info)) for before, now in pairwise(runs))]
    for number, (run, new) in enumerate(zip(runs, since, strict=True)):
        yield Entry(
            number=number + 1,
            x=_x(number, len(runs)),
            name=run.info.run,
            started=run.info.started[:16].replace("T", " "),
            report=run.report,
            news=new,
        )


def _line(course: Course, runs: Sequence[Past], entries: Sequence[Entry]) -> Line:
    series = course.ratios
    margin = runs[-1].info.plan.margin
    ends = [end for ratio in series for end in (ratio.value, ratio.low, ratio.high) if end]
    limits = min(ends) / (1 + margin) ** 1.2, max(ends) * (1 + margin) ** 1.2
    found = shifts([estimated(each.value, each.low, each.high, each.blocks) for each in series], margin)
    return Line(
        pair=course.pair,
        about=course.about,
        dots=tuple(_dot(course.pair, ratio, runs, limits) for ratio in series),
        steps=tuple(_step(shift, series, entries) for shift in found),
        bands=tuple(_bands(found, series, len(runs), limits, margin)),
        ticks=tuple((_y(tick, limits), words.times(tick)) for tick in log_ticks(*limits, TICKS)),
        latest=units.ratio(series[-1].value, series[-1].low, series[-1].high),
    )


def _dot(pair: str, ratio: Ratio, runs: Sequence[Past], limits: tuple[float, float]) -> Dot:
    info = runs[ratio.run].info
    return Dot(
        x=_x(ratio.run, len(runs)),
        y=_y(ratio.value, limits),
        low=None if ratio.low is None else _y(ratio.low, limits),
        high=None if ratio.high is None else _y(ratio.high, limits),
        label=f"{pair}, run {ratio.run + 1} ({words.shown(info.run)}): "
        f"{units.ratio(ratio.value, ratio.low, ratio.high)}, {units.plural(ratio.blocks, 'block')}",
    )


def _step(shift: Shift, series: Sequence[Ratio], entries: Sequence[Entry]) -> Step:
    at, since = series[shift.at].run, series[shift.since].run
    return Step(
        x=entries[at].x,
        way="better" if shift.ratio > 1 else "worse",
        words=f"run {at + 1}: {units.ratio(shift.ratio, shift.low, shift.high)} times run {since + 1}",
        news=entries[at].news,
    )


def _bands(
    found: Sequence[Shift], series: Sequence[Ratio], count: int, limits: tuple[float, float], margin: float
) -> Iterator[tuple[float, float, float, float]]:
    starts = [0, *(shift.at for shift in found)]
    ends = [*(shift.at for shift in found), len(series) - 1]
    for start, end in zip(starts, ends, strict=True):
        left, right = _x(series[start].run, count), _x(series[end].run, count)
        value = series[start].value
        top, bottom = _y(value * (1 + margin), limits), _y(value / (1 + margin), limits)
        yield left, top, round(right - left, 1), round(bottom - top, 1)


def _x(number: int, count: int) -> float:
    room = WIDTH - LEFT - 2 * EDGE
    return round(LEFT + EDGE + room * number / max(count - 1, 1), 1)


def _y(ratio: float, limits: tuple[float, float]) -> float:
    low, high = map(math.log, limits)
    return round((HEIGHT - FOOT) * (1 - (math.log(ratio) - low) / (high - low)), 1)
