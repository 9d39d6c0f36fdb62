"""What episodes show, as values: for each arm the late share and a percentile by strength, and the break."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from harness.judge.episodes import Break, Contrast, for_nobody, ran_out
from harness.judge.episodes.contrasts import DIFFERENCES
from harness.judge.metrics import histogram
from harness.record import Episode, Part
from harness.report.figures.value import NOTHING, Figures, Value, average
from harness.spec.histogram import Histogram
from harness.spec.percentiles import QUANTILES, is_resolved, resolved
from harness.suite import Arm


@dataclass(frozen=True)
class AtStrength:
    """The valid episodes of one arm at one strength, a block each."""

    arm: Arm
    strength: int
    episodes: tuple[Episode, ...]

    @property
    def figures(self) -> tuple[Value, ...]:
        """What summary.csv has of it."""
        always = self.late_share, self.goodput, self.percentile("p50"), self.percentile("p99"), self.well_s
        counted = self.episodes[0].disturbance.counted
        return (*always, self.goodput_after, self.for_nobody) if counted else always

    @property
    def during(self) -> list[Part]:
        """What was seen during the disturbance."""
        return [each.during for each in self.episodes if each.during is not None]

    @cached_property
    def merged(self) -> Histogram:
        """Response times of good answers, over the blocks."""
        return Histogram.merged(histogram(part.histogram) for part in self.during if part.histogram)

    @property
    def late_share(self) -> Value:
        """Share of the requests that were late or lost, mean over blocks."""
        value, low, high = average([part.late_share for part in self.during], logarithmic=False)
        within = (value, None if low is None else max(low, 0.0), None if high is None else min(high, 1.0))
        return self._value("late_share", "1", within)

    @property
    def offered_rps(self) -> float:
        """Requests a second that were due during the disturbance, mean over blocks."""
        rates = [part.arrivals / part.length_s for part in self.during if part.length_s]
        return sum(rates) / len(rates) if rates else 0.0

    @property
    def goodput(self) -> Value:
        """Good answers within the deadline a second, during the disturbance."""
        return self._value("goodput_rps", "1/s", _goodput(self.during))

    @property
    def goodput_after(self) -> Value:
        """The same, from its end until the victim was well again, or until the end of the episode."""
        after = [each.after for each in self.episodes if each.after is not None]
        return self._value("goodput_after_rps", "1/s", _goodput(after))

    @property
    def for_nobody(self) -> Value:
        """Share of what the server finished for which nobody waited any more, mean over blocks."""
        known = [share for each in self.episodes if (share := for_nobody(each)) is not None]
        figures = average(known, logarithmic=False) if known and len(known) == len(self.episodes) else NOTHING
        return self._value("for_nobody", "1", figures)

    def percentile(self, name: str) -> Value:
        """A percentile of the response time: mean over blocks where each resolves it, else of all blocks merged."""
        quantile = QUANTILES[name]
        each = [resolved(histogram(part.histogram), quantile) for part in self.during if part.histogram]
        known = [value for value in each if value]
        if known and len(known) == len(self.during):
            return self._value(f"latency_{name}_us", "us", average(known))
        whole = resolved(self.merged, quantile) if self.merged.count else None
        return self._value(f"latency_{name}_us", "us", NOTHING if whole is None else (whole, None, None))

    @property
    def well_s(self) -> Value:
        """Seconds until the victim was well again, mean over blocks; none where it was not in one of them."""
        known = [each.well_s for each in self.episodes if each.well_s is not None]
        whole = len(known) == len(self.episodes) and bool(known)
        return self._value("well_s", "s", average(known, logarithmic=False) if whole else NOTHING)

    def _value(self, metric: str, unit: str, figures: Figures) -> Value:
        value, low, high = figures
        first = self.episodes[0] if self.episodes else None
        return value_of(
            self.arm,
            kind="episode",
            id=f"{self.arm.id}/{self.strength}",
            load="open",
            rate_rps=first.load.rate_rps if first else None,
            metric=metric,
            unit=unit,
            value=value,
            low=low,
            high=high,
            blocks=len(self.episodes) if value is not None else 0,
        )


def of_held(arm: Arm, points: Sequence[AtStrength]) -> tuple[Value, ...]:
    """What one held request costs `arm` in memory and CPU, by the most that it bore against none, a value a block.

    Nothing where none or the most was not measured.
    """
    strongest = points[-1] if points else None
    if strongest is None or strongest.strength == 0 or points[0].strength != 0:
        return ()
    none = {each.block: each for each in points[0].episodes}
    both = [(none[each.block], each) for each in strongest.episodes if each.block in none]
    return tuple(
        value_of(
            arm,
            kind="held",
            id=f"{arm.id}/{strongest.strength}",
            load="open",
            metric=metric,
            unit=unit,
            value=value,
            low=low,
            high=high,
            blocks=len(both),
            blocks_measured=len(strongest.episodes),
        )
        for metric, unit, read in (("memory_a_held", "B", _memory_a_held), ("cpu_a_held", "1", _cpu_a_held))
        if (known := [cost for idle, full in both if (cost := read(idle, full)) is not None])
        for value, low, high in (average(known, logarithmic=False),)
    )


def _memory_a_held(none: Episode, most: Episode) -> float | None:
    if none.memory_most_bytes is None or most.memory_most_bytes is None:
        return None
    return (most.memory_most_bytes - none.memory_most_bytes) / most.strength


def _cpu_a_held(none: Episode, most: Episode) -> float | None:
    """Share of a core that one takes while it is held."""
    if none.cpu_s is None or most.cpu_s is None or most.during is None or not _length_s(none):
        return None
    usual_s = none.cpu_s * _length_s(most) / _length_s(none)
    return (most.cpu_s - usual_s) / most.during.length_s / most.strength


def _length_s(episode: Episode) -> float:
    return sum(part.length_s for part in (episode.before, episode.during, episode.after) if part is not None)


def _goodput(parts: Sequence[Part]) -> Figures:
    known = [part.goodput_rps for part in parts if part.goodput_rps is not None]
    if not known or len(known) < len(parts):
        return NOTHING
    value, low, high = average(known, logarithmic=False)
    return value, None if low is None else max(low, 0.0), high


def at_strengths(arm: Arm, episodes: Sequence[Episode]) -> list[AtStrength]:
    """All strengths of an arm that have a valid episode, rising."""
    valid = [each for each in episodes if each.arm == arm.id and each.valid and each.during is not None]
    return [
        AtStrength(arm, strength, tuple(each for each in valid if each.strength == strength))
        for strength in sorted({each.strength for each in valid})
    ]


def highest_resolved(points: Sequence[AtStrength]) -> str:
    """The highest percentile that the answers of every strength resolve; p50 where none is."""
    counts = [point.merged.count for point in points if point.merged.count]
    fewest = min(counts, default=0)
    names = [name for name in ("p99", "p95", "p90") if is_resolved(fewest, QUANTILES[name])]
    return names[0] if names else "p50"


def of_break(arm: Arm, found: Break) -> Value:
    """The strength at which an arm broke; without a value where it never did."""
    held = None if math.isinf(found.at or 0) else found.at
    return value_of(
        arm,
        kind="break",
        id=arm.id,
        load="open",
        metric="held",
        unit="requests",
        value=held,
        low=found.low if held is not None and found.high is not None else None,
        high=found.high if held is not None else None,
        blocks=len(found.blocks),
        blocks_measured=len(found.blocks),
        limit=ran_out(arm, found),
        reasons=None if held is not None else f"not up to {found.most}",
    )


def of_contrast(arm: Arm, contrast: Contrast) -> Value:
    """How `arm`, side b of its pair, differs from side a in one metric at one strength."""
    return value_of(
        arm,
        kind="contrast",
        id=f"{contrast.pair}/{contrast.strength}",
        load="open",
        metric=contrast.metric,
        unit="1" if contrast.metric in DIFFERENCES else "ratio",
        value=contrast.value,
        low=contrast.low,
        high=contrast.high,
        blocks=contrast.blocks,
        blocks_measured=contrast.blocks,
    )


def value_of(arm: Arm, **figures: object) -> Value:
    """A value of an arm, with what its cell says."""
    cell = arm.cell
    levels = {"workers": cell.workers, "threads": cell.threads, **dict(cell.levels)}
    given: dict[str, object] = {
        "scenario": cell.scenario,
        "interface": cell.interface,
        "target": cell.target,
        "server": cell.server,
        "levels": levels,
        "connections": arm.connections,
    }
    return Value(**given | figures)  # type: ignore[arg-type]  # each key goes with its type
