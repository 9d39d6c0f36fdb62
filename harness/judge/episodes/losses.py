"""What deploys cost an arm: requests lost, with the exact interval of a count, and how deep and how long it dipped.

Lost requests are counts, most of them zero: Student's t of zeros would be an interval of no width. F. Garwood,
"Fiducial limits for the Poisson distribution", Biometrika 28 (1936), 437-442. Where many are lost they are lost
together, and episodes differ by more than independent events would: then the interval is wider by as much
(P. McCullagh, J. A. Nelder, "Generalized Linear Models", 1989, section 6.2.3).
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
    """The 95 % interval of that mean."""
    kinds: dict[str, int]
    """By kind: `reset`, `connect` and so on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dip:
    """How the answers in time fell short in one episode."""

    depth: float
    """The greatest share of the requests of one tick that were late or lost."""
    length_s: float
    """From the first to the last tick, since the disturbance began, in which any was."""


def poisson(count: float, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """The exact interval of the mean of which `count` events were seen."""
    tail = (1 - confidence) / 2
    low = float(special.gammaincinv(count, tail)) if count else 0.0
    return low, float(special.gammaincinv(count + 1, 1 - tail))


def dispersion(counts: Sequence[int]) -> float:
    """How much more counts differ than those of independent events: Pearson's statistic by its degrees of freedom."""
    mean = sum(counts) / len(counts)
    if len(counts) == 1 or not mean:
        return 1.0
    return max(1.0, sum((count - mean) ** 2 for count in counts) / mean / (len(counts) - 1))


def losses(arm: str, episodes: Sequence[Episode]) -> Losses | None:
    """What `arm` lost in its valid episodes, from the deploy on; None without any."""
    mine = [each for each in episodes if each.arm == arm and each.valid and each.disturbance.kind == "deploy"]
    if not mine:
        return None
    each = [_lost(episode) for episode in mine]
    kinds: Counter[str] = sum(each, Counter())
    wider = dispersion([lost.total() for lost in each])
    low, high = poisson(kinds.total() / wider)
    return Losses(
        arm=arm,
        deploys=len(mine),
        lost=kinds.total(),
        each=kinds.total() / len(mine),
        low=low * wider / len(mine),
        high=high * wider / len(mine),
        kinds=dict(kinds),
    )


def _lost(episode: Episode) -> Counter[str]:
    """By kind, from the deploy on."""
    parts = [part for part in (episode.during, episode.after) if part is not None]
    return sum((Counter(part.lost) for part in parts), Counter())


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
