"""While a run goes on: how far a group is, and whether another block is needed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from harness.judge.compare.blocks import Shown, counts, gathered
from harness.judge.compare.verdict import MIN_BLOCKS, verdict
from harness.judge.metrics import THROUGHPUT
from harness.judge.statistics import estimate, sample_size
from harness.judge.verdicts import PairVerdict
from harness.record import Trial
from harness.suite import Group, Pair, Phase, Plan

LEAST_BY_WIDTH = 5
"""Blocks before a group may stop by the width of its intervals: of fewer the narrowest would often be so by chance."""
MOST_BY_WIDTH = 60
"""Where a width is asked for without a budget, a group ends here."""
SPARE = 0.2
"""Blocks that may be measured again in place of disturbed ones, as a share of those asked for; at least one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """How many blocks a group will have in all, and the seconds that those still missing take."""

    blocks: int
    seconds: float


class Standing:
    """How far a group is: its rows so far, each of which is looked through once, when it is added.

    Rows of other groups are none of its. Of two with the same name, measured again on resume, the last counts.
    """

    def __init__(self, plan: Plan, group: Group, trials: Iterable[Trial] = ()) -> None:
        self.plan, self.group = plan, group
        self._blocks: set[int] = set()
        self._rows: dict[tuple[str, Phase, int], Trial] = {}
        self._shown: dict[str, dict[int, Shown]] = {pair.id: {} for pair in group.pairs}
        self._valid: dict[tuple[str, Phase], dict[int, bool]] = {}
        self._pair_of = {arm: pair for pair in group.pairs for arm in (pair.a, pair.b)}
        self.add(trials)

    def add(self, trials: Iterable[Trial]) -> None:
        """Take in more rows."""
        for trial in trials:
            if trial.group == self.group.id:
                self._blocks.add(trial.block)
                self._rows[trial.arm, trial.phase, trial.block] = trial
                if pair := self._pair_of.get(trial.arm):
                    self._judge(pair, trial.phase, trial.block)

    def _judge(self, pair: Pair, phase: Phase, block: int) -> None:
        a, b = (self._rows.get((arm, phase, block)) for arm in (pair.a, pair.b))
        if a is None or b is None:
            return
        self._valid.setdefault((pair.id, phase), {})[block] = counts(a) and counts(b)
        if phase == THROUGHPUT.phase:
            self._shown[pair.id][block] = Shown.by(a, b, THROUGHPUT)

    def verdict(self, pair: Pair) -> PairVerdict:
        """The throughput verdict on `pair` so far."""
        return verdict(self.group, pair, THROUGHPUT, gathered(self._shown[pair.id]), self.plan)

    def enough(self, elapsed_s: float, block_s: float) -> bool:
        """Whether the group needs no further block. Asked between blocks; never looks at what a verdict says.

        Without `plan.width` a group has exactly `plan.blocks`, and a few more where disturbances cost a pair some of
        them (`SPARE`): whether a trial is valid does not depend on what it shows of the pair.

        With a width it has at least those, and at least `LEAST_BY_WIDTH`. Then it ends as soon as every pair's interval
        is that narrow, or another block of `block_s` seconds would not end within the budget, or there are
        `MOST_BY_WIDTH`. `elapsed_s` counts from the start of the run, and groups take turns. A pair without a single
        valid block is not waited for: more blocks would hardly change that.

        A block whose trials are all invalid is done like any other, so that every run ends.
        """
        plan, done = self.plan, len(self._blocks)
        if plan.width is None:
            return done >= self._fixed()
        if done < max(plan.blocks, LEAST_BY_WIDTH):
            return False
        if done >= MOST_BY_WIDTH:
            return True
        if plan.budget_s is not None and elapsed_s + block_s > plan.budget_s:
            return True
        return all(narrow(values, plan.width) for values in self._values_by_pair())

    def forecast(self, block_s: float) -> Forecast:
        """How long the group will still take if its pairs go on scattering as they do, the budget aside."""
        plan, done = self.plan, len(self._blocks)
        if plan.width is None:
            total = self._fixed()
        else:
            lacking = max((_lacking(values, plan.width) for values in self._values_by_pair()), default=0)
            total = max(plan.blocks, LEAST_BY_WIDTH, min(done + lacking, MOST_BY_WIDTH))
        return Forecast(blocks=max(total, done), seconds=max(0, total - done) * block_s)

    def _fixed(self) -> int:
        """Blocks of a group without a width: those asked for, and one for each that a pair lost, within `SPARE`.

        Where fewer are asked for than a verdict needs, none is replaced. Nor is a block replaced for a pair that not
        one block shows: what is wrong with that pair is no disturbance.
        """
        blocks = self.plan.blocks
        if blocks < MIN_BLOCKS:
            return blocks
        lost = [len(valid) - sum(valid.values()) for valid in self._valid.values() if any(valid.values())]
        return blocks + min(max(lost, default=0), max(1, int(SPARE * blocks)))

    def _values_by_pair(self) -> list[list[float]]:
        """The block values of each pair that has any."""
        samples = (gathered(shown) for shown in self._shown.values())
        return [list(each.values.values()) for each in samples if each.values]


def narrow(values: Sequence[float], width: float) -> bool:
    """Whether the interval of a pair's block values is at most `width` to each side."""
    return len(values) >= LEAST_BY_WIDTH and estimate(values).half_width() <= math.log1p(width)


def _lacking(values: Sequence[float], width: float) -> int:
    """Valid blocks that a pair still needs until its interval is narrow."""
    if narrow(values, width):
        return 0
    if len(values) < 2:  # noqa: PLR2004 - one value has no spread
        return LEAST_BY_WIDTH - len(values)
    spread = estimate(values).standard_error * math.sqrt(len(values))
    needed = sample_size(spread, math.log1p(width), at_least=LEAST_BY_WIDTH, at_most=MOST_BY_WIDTH)
    return (needed or MOST_BY_WIDTH) - len(values)
