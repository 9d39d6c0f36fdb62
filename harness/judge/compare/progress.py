"""Live convergence: how far a group is, and whether another block is needed."""

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

MOST_BLOCKS = 60
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
    group = next(one for one in plan.groups if pair in one.pairs)
    return verdict(group, pair, THROUGHPUT, sample(Trials(trials), pair, THROUGHPUT), plan)


def enough(plan: Plan, group: Group, trials: Sequence[Trial], elapsed_s: float, block_s: float) -> bool:
    """Whether `group` needs no further block. Asked between blocks; never looks at what a verdict says.

    Without `plan.width` exactly `plan.blocks`, and a few more where disturbances left a pair without its share of them
    (`SPARE`): whether a trial is valid does not depend on what it shows of the pair. With a width at least those (and
    five), then until every pair's interval is that narrow, or another block of `block_s` seconds would not end within
    the budget, or there are MOST_BLOCKS. `elapsed_s` counts from the start of the run, and groups take turns.
    """
    done = len({trial.block for trial in trials if trial.group == group.id})
    if plan.width is None:
        return done >= _fixed(plan, group, trials)
    if done < max(plan.blocks, MIN_BLOCKS):
        return False
    if done >= MOST_BLOCKS:
        return True
    if plan.budget_s is not None and elapsed_s + block_s > plan.budget_s:
        return True
    # A pair that never works holds up none.
    return all(narrow(values, plan.width) for pair in group.pairs if (values := _values(trials, pair)))


def narrow(values: Sequence[float], width: float) -> bool:
    """Whether the interval of a pair's block values is at most `width` to each side."""
    return len(values) >= MIN_BLOCKS and estimate(values).half_width() <= math.log1p(width)


def forecast(plan: Plan, group: Group, trials: Sequence[Trial], block_s: float) -> Forecast:
    """How long `group` will still take if its pairs go on scattering as they do."""
    done = len({trial.block for trial in trials if trial.group == group.id})
    total = _fixed(plan, group, trials) if plan.width is None else max(plan.blocks, MIN_BLOCKS)
    if plan.width is not None:
        for pair in group.pairs:
            values = _values(trials, pair)
            if len(values) > 1:
                spread = estimate(values).standard_error * math.sqrt(len(values))
                need = sample_size(spread, math.log1p(plan.width), at_least=total, at_most=MOST_BLOCKS)
                total = max(total, need or MOST_BLOCKS)
    return Forecast(blocks=max(total, done), seconds=max(0, total - done) * block_s)


def _fixed(plan: Plan, group: Group, trials: Sequence[Trial]) -> int:
    """Blocks of a group without a width: those asked for, and one for each that a pair lost, within `SPARE`.

    Too few for a verdict need no replacing, and a pair that no block shows has another trouble than a disturbance.
    """
    if plan.blocks < MIN_BLOCKS:
        return plan.blocks
    found = Trials(trials)
    lost = 0
    for pair in group.pairs:
        for phase in group.phases:
            rows = list(found.both(pair, phase))
            good = sum(counts(a) and counts(b) for _, a, b in rows)
            lost = max(lost, len(rows) - good if good else 0)
    return plan.blocks + min(lost, max(1, int(SPARE * plan.blocks)))


def _values(trials: Sequence[Trial], pair: Pair) -> list[float]:
    return list(sample(Trials(trials), pair, THROUGHPUT).values.values())
