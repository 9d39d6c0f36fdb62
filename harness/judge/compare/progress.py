"""While a run goes on: how far a group is, and whether another block is needed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from harness.judge.compare.blocks import Trials, counts, sample
from harness.judge.compare.verdict import MIN_BLOCKS, verdict
from harness.judge.metrics import THROUGHPUT
from harness.judge.statistics import estimate, sample_size
from harness.judge.verdicts import PairVerdict
from harness.record import Trial
from harness.suite import Group, Pair, Plan

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


def progress(trials: Sequence[Trial], plan: Plan, pair: Pair) -> PairVerdict:
    """The throughput verdict on `pair` from the trials so far."""
    group = next(group for group in plan.groups if pair in group.pairs)
    return verdict(group, pair, THROUGHPUT, sample(Trials(trials), pair, THROUGHPUT), plan)


def enough(plan: Plan, group: Group, trials: Sequence[Trial], elapsed_s: float, block_s: float) -> bool:
    """Whether `group` needs no further block. Asked between blocks; never looks at what a verdict says.

    Without `plan.width` a group has exactly `plan.blocks`, and a few more where disturbances cost a pair some of them
    (`SPARE`): whether a trial is valid does not depend on what it shows of the pair.

    With a width it has at least those, and at least `LEAST_BY_WIDTH`. Then it ends as soon as every pair's interval is
    that narrow, or another block of `block_s` seconds would not end within the budget, or there are `MOST_BY_WIDTH`.
    `elapsed_s` counts from the start of the run, and groups take turns. A pair without a single valid block is not
    waited for: more blocks would hardly change that.

    A block whose trials are all invalid is done like any other, so that every run ends.
    """
    done = _done(group, trials)
    if plan.width is None:
        # Lost blocks only add to those asked for: all trials are looked through only once those are there.
        return done >= plan.blocks and done >= _fixed(plan, group, trials)
    if done < max(plan.blocks, LEAST_BY_WIDTH):
        return False
    if done >= MOST_BY_WIDTH:
        return True
    if plan.budget_s is not None and elapsed_s + block_s > plan.budget_s:
        return True
    return all(narrow(values, plan.width) for values in _values_by_pair(group, trials))


def narrow(values: Sequence[float], width: float) -> bool:
    """Whether the interval of a pair's block values is at most `width` to each side."""
    return len(values) >= LEAST_BY_WIDTH and estimate(values).half_width() <= math.log1p(width)


def forecast(plan: Plan, group: Group, trials: Sequence[Trial], block_s: float) -> Forecast:
    """How long `group` will still take if its pairs go on scattering as they do, the budget aside."""
    done = _done(group, trials)
    if plan.width is None:
        total = _fixed(plan, group, trials)
    else:
        lacking = max((_lacking(values, plan.width) for values in _values_by_pair(group, trials)), default=0)
        total = max(plan.blocks, LEAST_BY_WIDTH, min(done + lacking, MOST_BY_WIDTH))
    return Forecast(blocks=max(total, done), seconds=max(0, total - done) * block_s)


def _lacking(values: Sequence[float], width: float) -> int:
    """Valid blocks that a pair still needs until its interval is narrow."""
    if narrow(values, width):
        return 0
    if len(values) < 2:  # noqa: PLR2004 - one value has no spread
        return LEAST_BY_WIDTH - len(values)
    spread = estimate(values).standard_error * math.sqrt(len(values))
    needed = sample_size(spread, math.log1p(width), at_least=LEAST_BY_WIDTH, at_most=MOST_BY_WIDTH)
    return (needed or MOST_BY_WIDTH) - len(values)


def _fixed(plan: Plan, group: Group, trials: Sequence[Trial]) -> int:
    """Blocks of a group without a width: those asked for, and one for each that a pair lost, within `SPARE`.

    Where fewer are asked for than a verdict needs, none is replaced. Nor is a block replaced for a pair that not one
    block shows: what is wrong with that pair is no disturbance.
    """
    if plan.blocks < MIN_BLOCKS:
        return plan.blocks
    by_arm = Trials(trials)
    most_lost = 0
    for pair in group.pairs:
        for phase in group.phases:
            rows = list(by_arm.both(pair, phase))
            valid = sum(counts(a) and counts(b) for _, a, b in rows)
            most_lost = max(most_lost, len(rows) - valid if valid else 0)
    return plan.blocks + min(most_lost, max(1, int(SPARE * plan.blocks)))


def _done(group: Group, trials: Sequence[Trial]) -> int:
    """Blocks of the group that are on record, whatever their trials show."""
    return len({trial.block for trial in trials if trial.group == group.id})


def _values_by_pair(group: Group, trials: Sequence[Trial]) -> list[list[float]]:
    """The block values of each pair that has any."""
    by_arm = Trials(trials)
    samples = (sample(by_arm, pair, THROUGHPUT) for pair in group.pairs)
    return [list(each.values.values()) for each in samples if each.values]
