"""What each of several generators was under: an instrument at its limit shows itself, not the servers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from harness import units
from harness.record import GeneratorShare, Trial
from harness.report.charts.base import PAD, WIDTH, Chart, Row, log_axis, span
from harness.report.charts.marks import Drawing, Mark
from harness.report.figures import Study
from harness.report.words import shorten
from harness.suite import Thresholds

ROW, LEFT, BETWEEN, RIGHT, ABOVE, BELOW = 0.72, 2.75, 0.4, 0.3, 0.26, 0.5
OFF = {"closed": 0.15, "open": -0.15}
"""How far above a generator's line the dots of a phase lie, in rows."""
NOTE = "A dot is a trial, valid or not: the most CPU that the generator used over 250 ms under closed load"
NOTE_OF_OPEN = " and, hollow, under open load; right how late arrivals left"
Share = tuple[Trial, GeneratorShare]


@dataclass(frozen=True, slots=True)
class Driver:
    """A generator, and what it had of each trial."""

    number: int
    where: str
    shares: tuple[Share, ...]

    @property
    def name(self) -> str:
        """`generator 1 on bench@10.0.0.2`."""
        return f"generator {self.number}{self.where}"

    @property
    def requests(self) -> int:
        """What it drove of the run."""
        return sum(share.requests for _, share in self.shares)

    @property
    def cpu(self) -> list[float]:
        """The most of a core that it used in each trial."""
        return [share.cpu_percent / 100 for _, share in self.shares]

    @property
    def furthest(self) -> GeneratorShare:
        """Where its clock was furthest from the master's."""
        return max((share for _, share in self.shares), key=lambda share: abs(share.clock_offset_us))

    @property
    def bound_us(self) -> float:
        """How far an offset of its clock may be wrong."""
        return max(share.clock_bound_us for _, share in self.shares)

    @property
    def late_us(self) -> list[float]:
        """The lateness of its arrivals in each open trial."""
        return [share.lateness_p99_us for _, share in self.shares if share.lateness_p99_us is not None]


def generators(study: Study) -> Chart | None:
    """The load and the lateness of each generator, for a run that had several."""
    drivers = drivers_of(study)
    if len(drivers) <= 1:
        return None
    machines = len({machine.name for machine in study.run.info.plan.machines})
    there = f" on {units.plural(machines, 'machine')}" if machines else ""
    late = f"; arrivals left at most {_latest(drivers)} late (p99)" if _has_open(drivers) else ""
    return Chart(
        name="generators",
        title=f"{len(drivers)} generators{there} shared the load: the busiest used at most "
        f"{units.percent(max(max(each.cpu) for each in drivers))} of a core{late}",
        note=NOTE + (NOTE_OF_OPEN if _has_open(drivers) else "") + ". Strokes: medians; beyond a dashed line a trial "
        "is invalid, or may be.",
        body=ROW * len(drivers) + ABOVE + BELOW,
        paint=partial(_paint, drivers=drivers, limits=study.run.info.plan.thresholds),
        columns=(
            "generator",
            "requests",
            "CPU, median",
            "CPU, most",
            "waited for it",
            "lateness p99, most",
            "its clock",
            "known to",
        ),
        rows=tuple(_row(each, sum(other.requests for other in drivers)) for each in drivers),
    )


def drivers_of(study: Study) -> list[Driver]:
    """The generators of a run by their numbers; none where there was only one process."""
    by_number: dict[int, list[Share]] = {}
    for trial in study.run.trials:
        for share in trial.generators:
            by_number.setdefault(share.generator, []).append((trial, share))
    where = study.run.info.plan.machine_of
    return [Driver(number, where(number), tuple(shares)) for number, shares in sorted(by_number.items())]


def clock(share: GeneratorShare) -> str:
    """How far a generator's clock is from the master's."""
    return f"{units.duration_us(share.clock_offset_us)} off" if share.clock_offset_us else "the same"


def _row(driver: Driver, every: int) -> Row:
    return (
        driver.name,
        units.percent(driver.requests / max(every, 1)),
        units.percent(median(driver.cpu)),
        units.percent(max(driver.cpu)),
        units.percent(max(share.waiting_fraction for _, share in driver.shares)),
        units.duration_us(max(driver.late_us, default=None)),
        clock(driver.furthest),
        units.duration_us(driver.bound_us),
    )


def _has_open(drivers: Sequence[Driver]) -> bool:
    return any(each.late_us for each in drivers)


def _latest(drivers: Sequence[Driver]) -> str:
    return units.duration_us(max(late for each in drivers for late in each.late_us))


def _paint(drawing: Drawing, drivers: Sequence[Driver], limits: Thresholds) -> None:
    room = WIDTH - LEFT - RIGHT
    width = (room - BETWEEN) / 2 if _has_open(drivers) else room
    cpu = _axes(drawing, drivers, LEFT, width)
    most = limits.generator_cpu_percent / 100
    cpu.set_xlim(0, max(most * 1.1, max(max(each.cpu) for each in drivers) * 1.04))
    cpu.xaxis.set_major_locator(MaxNLocator(5))
    cpu.xaxis.set_major_formatter(FuncFormatter(lambda x, _: units.percent(x)))
    cpu.set_xlabel("CPU, of a core")
    _limit(drawing, cpu, most, units.percent(most))
    for y, driver in _lines(drivers):
        _named(drawing, driver, y, sum(each.requests for each in drivers))
        _dots(drawing, cpu, driver, y, lambda share: share.cpu_percent / 100, units.percent)
    if not _has_open(drivers):
        return
    late = _axes(drawing, drivers, LEFT + width + BETWEEN, width)
    most_us = limits.lateness_p99_us
    seen = [value for each in drivers for value in each.late_us]
    log_axis(late.xaxis, span([*seen, most_us], 1.3), lambda x: units.tick(units.duration_us(x)))
    late.set_xlabel("lateness p99")
    _limit(drawing, late, most_us, units.tick(units.duration_us(most_us)))
    for y, driver in _lines(drivers):
        _dots(drawing, late, driver, y, lambda share: share.lateness_p99_us, units.duration_us)


def _lines(drivers: Sequence[Driver]) -> list[tuple[int, Driver]]:
    return [(len(drivers) - 1 - index, driver) for index, driver in enumerate(drivers)]


def _axes(drawing: Drawing, drivers: Sequence[Driver], left: float, width: float) -> Axes:
    axes = drawing.axes(left, BELOW, width, ROW * len(drivers))
    axes.set_ylim(-0.5, len(drivers) - 0.5)
    axes.yaxis.set_visible(False)
    axes.spines["left"].set_visible(False)
    for y, _ in _lines(drivers):
        axes.axhline(y, color=drawing.theme.grid, lw=1, zorder=0)
    return axes


def _limit(drawing: Drawing, axes: Axes, at: float, words: str) -> None:
    theme = drawing.theme
    axes.axvline(at, color=theme.line, ls=(0, (4, 3)), lw=1.1)
    axes.annotate(
        words,
        (at, 1),
        (0, 4),
        xycoords=("data", "axes fraction"),
        textcoords="offset points",
        ha="center",
        fontsize=8.5,
        color=theme.muted,
        annotation_clip=False,
    )


def _named(drawing: Drawing, driver: Driver, y: int, every: int) -> None:
    middle = BELOW + ROW * (y + 0.5)
    up = 0.2 if driver.where else 0.1
    drawing.text(PAD, middle + up, f"generator {driver.number}", fontweight="bold", fontsize=9.5, va="center")
    part = f"{units.percent(driver.requests / max(every, 1))} of the requests"
    drawing.text(PAD + 1.05, middle + up, part, fontsize=8.5, color=drawing.theme.muted, va="center")
    below = [shorten(driver.where.strip(), 38) or "on this machine"]
    if driver.where:
        below.append(f"clock {clock(driver.furthest)}, to {units.duration_us(driver.bound_us)}")
    for line, words in enumerate(below, 1):
        drawing.text(PAD, middle + up - 0.2 * line, words, fontsize=8.5, color=drawing.theme.muted, va="center")


def _dots(
    drawing: Drawing,
    axes: Axes,
    driver: Driver,
    y: int,
    of: Callable[[GeneratorShare], float | None],
    written: Callable[[float], str],
) -> None:
    """The trials of a generator, and where their median lies in each phase."""
    theme = drawing.theme
    for phase, off in OFF.items():
        had = [(trial, value) for trial, share in driver.shares if trial.phase == phase for value in [of(share)]]
        known = [(trial, value) for trial, value in had if value is not None]
        if not known:
            continue
        values = [value for _, value in known]
        (dots,) = axes.plot(
            values,
            [y + off] * len(values),
            ls="none",
            marker="o",
            ms=4.5,
            mec=theme.neutral,
            mfc=theme.neutral if phase == "closed" else theme.paper,
            alpha=0.75,
            clip_on=False,
            zorder=3,
        )
        drawing.mark(dots, *(Mark(f"{driver.name}, trial {trial.trial}: {written(value)}") for trial, value in known))
        axes.plot([median(values)] * 2, [y + off - 0.13, y + off + 0.13], color=theme.ink, lw=1.6, zorder=4)
