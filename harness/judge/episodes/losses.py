"""What deploys cost an arm: requests lost, with the exact interval of a count, and how deep and how long it dipped.

Lost requests are counts, most of them zero: Student's t of zeros would be an interval of no width. F. Garwood,
"Fiducial limits for the Poisson distribution", Biometrika 28 (1936), 437-442.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from scipy import special

from harness.judge.statistics import CONFIDENCE
from harness.record import TICK_S, Episode


@dataclass(frozen=True, slots=True, kw_only=True)
class Losses:
    """Of one arm, over all its valid episodes."""

    arm: str
    deploys: int
    lost: int
    each: float
    """Requests lost a deploy."""
    low: float
    high: float
    """The exact 95 % interval of that mean, if losses come as independent events."""
    kinds: dict[str, int]
    """By kind: `reset`, `connect` and so on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dip:
    """How the answers in time fell short in one episode."""

    depth: float
    """The greatest share of the requests of one tick that were late or lost."""
    length_s: float
    """From the first to the last tick, since the disturbance began, in which any was."""


def poisson(count: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """The exact interval of the mean of which `count` events were seen."""
    tail = (1 - confidence) / 2
    low = float(special.gammaincinv(count, tail)) if count else 0.0
    return low, float(special.gammaincinv(count + 1, 1 - tail))


def losses(arm: str, episodes: Sequence[Episode]) -> Losses | None:
    """What `arm` lost in its valid episodes; None without any.

    What was due before the deploy counts too: it may have been under way.
    """
    mine = [each for each in episodes if each.arm == arm and each.valid and each.disturbance.kind == "deploy"]
    if not mine:
        return None
    kinds: Counter[str] = Counter()
    for episode in mine:
        for part in (episode.before, episode.during, episode.after):
            kinds.update(part.lost if part is not None else {})
    lost = kinds.total()
    low, high = poisson(lost)
    return Losses(
        arm=arm,
        deploys=len(mine),
        lost=lost,
        each=lost / len(mine),
        low=low / len(mine),
        high=high / len(mine),
        kinds=dict(kinds),
    )


def dip(episode: Episode) -> Dip | None:
    """How deep and how long the answers in time dipped; None where the row has no timeline."""
    line = episode.timeline
    if line is None:
        return None
    first = round(episode.disturbance.before_s / TICK_S)
    ticks = list(zip(line.in_time, line.late, line.lost, strict=True))[first:]
    bad = [number for number, (_, late, lost) in enumerate(ticks) if late or lost]
    shares = [(late + lost) / (in_time + late + lost) for in_time, late, lost in ticks if in_time + late + lost]
    return Dip(
        depth=max(shares, default=0.0),
        length_s=round((bad[-1] - bad[0] + 1) * TICK_S, 6) if bad else 0.0,
    )


def for_nobody(episode: Episode) -> float | None:
    """The share of what the server finished for which nobody waited any more; None where it does not count."""
    finished, good = episode.server_finished, episode.good
    if not finished or good is None:
        return None
    return max(0.0, finished - good) / finished
