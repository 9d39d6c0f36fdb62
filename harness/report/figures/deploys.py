"""What deploys cost an arm, as values: requests lost a deploy, the dip, and how long the change took."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from harness.judge.episodes import Losses, dip, losses
from harness.record import Episode
from harness.report.figures.episodes import value_of
from harness.report.figures.value import NOTHING, Figures, Value, average
from harness.suite import Arm

Read = Callable[[Episode], float | None]
"""What one episode shows; None where it does not."""


@dataclass(frozen=True)
class Deploys:
    """The valid deploys of one arm."""

    arm: Arm
    episodes: tuple[Episode, ...]
    losses: Losses

    @property
    def figures(self) -> tuple[Value, ...]:
        """What summary.csv has of it."""
        return self.lost, self.depth, self.length_s, self.changed_s, self.memory

    @property
    def lost(self) -> Value:
        """Requests lost a deploy, with the exact interval of a count."""
        of = self.losses
        return self._value("lost", "requests", (of.each, of.low, of.high))

    @property
    def depth(self) -> Value:
        """Of the worst tenth of a second, the share of its requests that were late or lost."""
        return self._value("dip_depth", "1", self._over_blocks(lambda each: at.depth if (at := dip(each)) else None))

    @property
    def length_s(self) -> Value:
        """From the first to the last tenth of a second in which a request was late or lost."""
        return self._value("dip_s", "s", self._over_blocks(lambda each: at.length_s if (at := dip(each)) else None))

    @property
    def changed_s(self) -> Value:
        """Until new workers alone answer; where the code stayed, until the first new one does."""
        return self._value("changed_s", "s", self._over_blocks(_changed_s))

    @property
    def memory(self) -> Value:
        """The most that all its processes held at once."""
        return self._value("deploy_memory_bytes", "B", self._over_blocks(_memory))

    def _over_blocks(self, read: Read) -> Figures:
        """The mean over blocks of each block's mean; nothing where an episode does not show it."""
        shown = [(each.block, read(each)) for each in self.episodes]
        known = [(block, value) for block, value in shown if value is not None]
        if len(known) < len(shown):
            return NOTHING
        blocks: dict[int, list[float]] = {}
        for block, value in known:
            blocks.setdefault(block, []).append(value)
        figures = average([sum(each) / len(each) for each in blocks.values()], logarithmic=False)
        return figures[0], None if figures[1] is None else max(0.0, figures[1]), figures[2]

    def _value(self, metric: str, unit: str, figures: Figures) -> Value:
        value, low, high = figures
        blocks = len({each.block for each in self.episodes})
        return value_of(
            self.arm,
            kind="deploy",
            id=self.arm.id,
            load="open",
            rate_rps=self.episodes[0].load.rate_rps,
            metric=metric,
            unit=unit,
            value=value,
            low=low,
            high=high,
            blocks=blocks if value is not None else 0,
            blocks_measured=blocks,
        )


def _changed_s(episode: Episode) -> float | None:
    of = episode.deployed
    if of is None or of.new_from_s is None:
        return None
    return max(of.new_from_s, of.old_until_s or 0.0)


def _memory(episode: Episode) -> float | None:
    return episode.memory_most_bytes


def deploys_of(arm: Arm, episodes: Sequence[Episode]) -> Deploys | None:
    """The valid deploys of `arm`; None without any."""
    found = losses(arm.id, episodes)
    if found is None:
        return None
    mine = [each for each in episodes if each.arm == arm.id and each.valid and each.disturbance.kind == "deploy"]
    return Deploys(arm, tuple(mine), found)
