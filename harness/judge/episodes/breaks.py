"""The strength of a disturbance at which the victim breaks: in each block, and over the blocks.

A block gives two numbers: the most that the victim bore, and the fewest that broke it. Over blocks the break is their
median. Its interval reaches from the lowest to the highest of the blocks, because the break is a whole number and may
lie beyond all that was tried; for n blocks it holds the median of all blocks there might be with probability
1 - 2^(1 - n) (order statistics: all n lie on one side of the median with probability 2^-n).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median_low

from harness.judge.episodes.causes import computed_s, turned_away
from harness.record import Episode


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockBreak:
    """Where the break of one block lies: above `bore`, and at `broke` at the latest."""

    block: int
    bore: int | None
    """The most that was borne; None: nothing was, not even the weakest."""
    broke: int | None
    """The fewest that broke it, above all that was borne; None: nothing did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Break:
    """The break of one arm over the blocks; all three None: it never broke."""

    arm: str
    at: int | None
    low: int | None
    high: int | None
    """None with a `low`: in a block it did not break."""
    most: int
    """The most that was tried."""
    blocks: tuple[BlockBreak, ...]
    computed_s: float | None = None
    """CPU seconds of each request beside the victim where it broke, mean over blocks; None: not seen, or it waits."""
    turned_away: int = 0
    """Connections that found the accept queue full where the victim broke, over all blocks."""

    @property
    def confidence(self) -> float:
        """With which the interval holds the median break of all blocks that there might be."""
        return 1 - 2.0 ** (1 - len(self.blocks))


def broke(episode: Episode) -> bool | None:
    """Whether the victim broke in that episode; None where its row says nothing."""
    if episode.error is not None or episode.during is None or not episode.during.arrivals:
        return None
    return episode.during.late_share > episode.disturbance.late_share


def break_of_block(block: int, episodes: Iterable[Episode]) -> BlockBreak | None:
    """The break of one arm in one block, from its valid episodes; None without any."""
    shown = {each.strength: broke(each) for each in episodes if each.valid}
    known = {strength: broken for strength, broken in shown.items() if broken is not None}
    if not known:
        return None
    bore = max((strength for strength, broken in known.items() if not broken), default=None)
    above = [strength for strength, broken in known.items() if broken and (bore is None or strength > bore)]
    return BlockBreak(block=block, bore=bore, broke=min(above, default=None))


def break_of(arm: str, episodes: Sequence[Episode]) -> Break | None:
    """The break of `arm` over all its blocks; None where no block shows one."""
    mine = [each for each in episodes if each.arm == arm]
    numbers = sorted({each.block for each in mine})
    found = [break_of_block(number, [each for each in mine if each.block == number]) for number in numbers]
    blocks = tuple(each for each in found if each is not None)
    if not blocks:
        return None
    ends = [math.inf if each.broke is None else each.broke for each in blocks]
    starts = [each.bore + 1 if each.bore is not None else 0 for each in blocks]
    never = all(end == math.inf for end in ends)
    return Break(
        arm=arm,
        at=_whole(median_low(ends)),
        low=None if never else min(starts),
        high=_whole(max(ends)),
        most=max(each.strength for each in mine if each.valid),
        blocks=blocks,
        computed_s=_computed_s(mine, blocks),
        turned_away=turned_away([each for each in mine if (each.block, each.strength) in _broken(blocks)]),
    )


def _broken(blocks: Iterable[BlockBreak]) -> set[tuple[int, int]]:
    """Block and strength of the episodes that broke the victim."""
    return {(each.block, each.broke) for each in blocks if each.broke is not None}


def _computed_s(episodes: Sequence[Episode], blocks: Iterable[BlockBreak]) -> float | None:
    """By those that broke the victim, against those of their blocks without a neighbour; None unless all show it."""
    valid = {(each.block, each.strength): each for each in episodes if each.valid}
    broken = _broken(blocks)
    found = [computed_s(valid[block, 0], valid[block, strength]) for block, strength in broken if (block, 0) in valid]
    known = [each for each in found if each is not None]
    return sum(known) / len(known) if known and len(known) == len(broken) else None


def breaks(episodes: Sequence[Episode]) -> dict[str, Break]:
    """By arm, of disturbances whose break is searched."""
    searched = [each for each in episodes if each.disturbance.searched]
    found = {arm: break_of(arm, searched) for arm in dict.fromkeys(each.arm for each in searched)}
    return {arm: each for arm, each in found.items() if each is not None}


def _whole(value: float) -> int | None:
    return None if math.isinf(value) else int(value)
