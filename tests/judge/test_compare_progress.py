"""When a group has enough blocks, and what stopping by width does to the verdicts."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from harness.judge.compare import Forecast, Standing, Trials
from harness.judge.compare.blocks import Shown, sample
from harness.judge.compare.progress import LEAST_BY_WIDTH, MOST_BY_WIDTH, SPARE, narrow
from harness.judge.compare.verdict import judge, verdict
from harness.judge.metrics import THROUGHPUT
from harness.judge.statistics import estimate
from tests import factories

if TYPE_CHECKING:
    from harness.judge.metrics import Metric
    from harness.record import Trial
    from harness.suite import Plan

MARGIN = 0.05


def measured(plan: Plan, blocks: int, noise: float = 0.02, ratio: float = 1.0) -> tuple[Trial, ...]:
    """The first `blocks` blocks of a run of `plan`."""
    return factories.simulated_run(replace(plan, blocks=blocks), {"p1b": 1000.0 * ratio}, noise=noise).trials


def done(plan: Plan, trials: tuple[Trial, ...], elapsed_s: float = 0.0, block_s: float = 10.0) -> bool:
    """Whether the plan's group has enough."""
    return Standing(plan, plan.groups[0], trials).enough(elapsed_s, block_s)


def test_a_fixed_number_of_blocks_is_exact():
    """Neither noise nor certainty adds or saves a block."""
    plan = factories.plan(blocks=4)
    assert not done(plan, ())
    assert not done(plan, measured(plan, 3, noise=0.0001, ratio=3.0))
    assert done(plan, measured(plan, 4, noise=0.5))


def disturbed(trials: tuple[Trial, ...], *blocks: int) -> tuple[Trial, ...]:
    """The same, but something disturbed the candidate in those blocks."""
    return tuple(
        replace(trial, valid=False, reasons=("steal",)) if trial.block in blocks and trial.arm == "p1b" else trial
        for trial in trials
    )


def test_a_disturbed_block_is_measured_again():
    """One in five, so that the pair has as many as were asked for; and no more than that."""
    plan = factories.plan(blocks=5)
    assert not done(plan, disturbed(measured(plan, 5), 2))
    assert done(plan, disturbed(measured(plan, 6), 2))
    assert done(plan, disturbed(measured(plan, 6), 2, 4))
    assert Standing(plan, plan.groups[0], disturbed(measured(plan, 5), 2)).forecast(block_s=10.0).seconds == 10.0
    ten = replace(plan, blocks=10)
    assert not done(ten, disturbed(measured(ten, 11), 2, 4))
    assert done(ten, disturbed(measured(ten, 12), 2, 4, 6))


def test_what_is_never_valid_is_not_measured_again():
    """No disturbance spoils every block, and fewer than three give no verdict anyway."""
    plan, few = factories.plan(blocks=5), factories.plan(blocks=2)
    assert done(plan, disturbed(measured(plan, 5), 0, 1, 2, 3, 4))
    assert done(few, disturbed(measured(few, 2), 1))
    three = factories.plan(blocks=3)
    assert not done(three, disturbed(measured(three, 3), 1))


def test_a_width_is_asked_of_the_interval():
    """Blocks are added until the half-width is as narrow as asked, five at least."""
    plan = factories.plan(width=0.03, blocks=3)
    assert not done(plan, measured(plan, 4, noise=0.0001))
    assert done(plan, measured(plan, 5, noise=0.005))
    assert not done(plan, measured(plan, 5, noise=0.2))
    assert done(plan, measured(plan, MOST_BY_WIDTH, noise=0.9))


def test_with_a_width_the_number_of_blocks_is_the_least():
    """Blocks that were asked for are measured even when the interval is narrow."""
    plan = factories.plan(width=0.03, blocks=8)
    assert not done(plan, measured(plan, 7, noise=0.0001))
    assert done(plan, measured(plan, 8, noise=0.0001))


def test_a_significant_ratio_is_no_reason_to_stop():
    """A ratio of three is plain after five blocks; a wide interval still wants more."""
    plan = factories.plan(width=0.03)
    trials = measured(plan, 5, noise=0.2, ratio=3.0)
    assert Standing(plan, plan.groups[0], trials).verdict(plan.groups[0].pairs[0]).verdict == "better"
    assert not done(plan, trials)


def test_a_budget_ends_with_the_last_whole_block_that_fits():
    """No block is begun that would not end within the budget; the first five are measured all the same."""
    plan = factories.plan(width=0.001, budget_s=60.0)
    trials = measured(plan, 5)
    assert not done(plan, trials, elapsed_s=50.0, block_s=10.0)
    assert done(plan, trials, elapsed_s=51.0, block_s=10.0)
    assert not done(plan, measured(plan, 4), elapsed_s=500.0)


def test_a_pair_that_never_works_is_not_waited_for():
    """Where every trial fails more blocks change nothing."""
    plan = factories.plan(width=0.03)
    trials = tuple(replace(trial, valid=False, error="no Redis") for trial in measured(plan, 5))
    assert done(plan, trials)


def spoilt(plan: Plan, blocks: int) -> tuple[Trial, ...]:
    """Blocks of which every round of every arm was disturbed and left out: rows without a slice that counts."""
    return tuple(
        replace(trial, valid=False, reasons=("no slice is left to count",), dropped_rounds=(0, 1, 2))
        for trial in measured(plan, blocks)
    )


def test_blocks_without_a_valid_trial_are_done_all_the_same():
    """A machine that disturbs every round of every block ends a fixed run; what it will take is forecast so."""
    plan = factories.plan(blocks=5)
    group = plan.groups[0]
    assert not done(plan, spoilt(plan, 4))
    assert Standing(plan, group, spoilt(plan, 4)).forecast(block_s=10.0) == Forecast(blocks=5, seconds=10.0)
    assert done(plan, spoilt(plan, 5))
    assert Standing(plan, group, spoilt(plan, 5)).forecast(block_s=10.0) == Forecast(blocks=5, seconds=0.0)


def test_blocks_without_a_valid_trial_use_up_the_budget():
    """With a width they count towards its five blocks, after which the budget holds."""
    plan = factories.plan(width=0.001, budget_s=60.0)
    assert not done(plan, spoilt(plan, 4), elapsed_s=500.0)
    assert done(plan, spoilt(plan, 5), elapsed_s=500.0)
    last_is_valid = (*spoilt(plan, 4), *(trial for trial in measured(plan, 5) if trial.block == 4))
    assert not done(plan, last_is_valid, elapsed_s=10.0)
    assert done(plan, last_is_valid, elapsed_s=55.0)


@pytest.mark.parametrize("blocks", [1, 2, 3, 5, 10])
def test_a_fixed_run_ends_whatever_is_disturbed(blocks: int):
    """At the latest after its blocks and the spare ones, in whichever of them something disturbs the candidate."""
    plan = factories.plan(blocks=blocks)
    most = blocks + max(1, int(SPARE * blocks))
    trials = measured(plan, most)
    random = np.random.default_rng(blocks)
    for share in (0.1, 0.5, 0.9, 1.0):
        assert done(plan, disturbed(trials, *np.flatnonzero(random.random(most) < share).tolist()))


def test_the_forecast_of_a_width_counts_valid_blocks_only():
    """Of five blocks two could be used: at least three more are needed, for which the run does go on."""
    plan = factories.plan(width=0.03)
    trials = disturbed(measured(plan, 5, noise=0.0001), 0, 2, 4)
    assert not done(plan, trials)
    assert Standing(plan, plan.groups[0], trials).forecast(block_s=10.0) == Forecast(blocks=8, seconds=30.0)


def test_trials_of_other_groups_do_not_count():
    """A group's blocks are its own."""
    plan = factories.plan(blocks=5)
    others = tuple(replace(trial, group="g9") for trial in measured(plan, 5))
    assert not done(plan, others)


def test_the_forecast_says_how_many_blocks_and_seconds():
    """Fixed blocks are counted; for a width the spread so far says how many it will take."""
    plan = factories.plan(blocks=5)
    left = Standing(plan, plan.groups[0], measured(plan, 2)).forecast(block_s=10.0)
    assert (left.blocks, left.seconds) == (5, 30.0)
    wide = replace(plan, width=0.005)
    trials = measured(plan, 5, noise=0.02)
    by_width = Standing(wide, wide.groups[0], trials).forecast(block_s=10.0)
    assert 5 < by_width.blocks <= MOST_BY_WIDTH
    assert by_width.seconds == (by_width.blocks - 5) * 10.0


def test_progress_is_the_throughput_verdict_so_far():
    """After two blocks there is a ratio with an interval, and what would settle it."""
    plan = factories.plan()
    (group,) = plan.groups
    seen = Standing(plan, group, measured(plan, 2, ratio=1.5)).verdict(group.pairs[0])
    assert seen.metric == "throughput_rps"
    assert seen.ratio == pytest.approx(1.5, rel=0.1)
    assert seen.settle is not None


@pytest.mark.parametrize("noise", [0.0001, 0.02, 0.3])
def test_row_by_row_the_verdicts_are_those_of_all_rows_at_once(noise: float):
    """In whatever order the rows of a block come, some of them lost, and one of them measured again."""
    plan = factories.plan(blocks=12)
    (group,) = plan.groups
    (pair,) = group.pairs
    trials = list(disturbed(measured(plan, 12, noise=noise), 2, 5, 6))
    again = replace(trials[0], throughput_rps=900.0)
    random = np.random.default_rng(round(1e6 * noise))
    standing, seen = Standing(plan, group), []
    for block in range(12):
        rows = [trial for trial in trials if trial.block == block]
        random.shuffle(rows)
        for row in [*rows, *([again] if block == 7 else [])]:
            standing.add([row])
            seen.append(row)
        whole = Standing(plan, group, seen)
        at_once = verdict(group, pair, THROUGHPUT, sample(Trials(seen), pair, THROUGHPUT), plan)
        assert standing.verdict(pair) == whole.verdict(pair) == at_once
        assert standing.enough(0.0, 1.0) == whole.enough(0.0, 1.0)
        assert standing.forecast(1.0) == whole.forecast(1.0)


def test_each_row_is_looked_through_once(monkeypatch: pytest.MonkeyPatch):
    """However often it is asked how far the group is."""
    plan = factories.plan(blocks=20)
    (group,) = plan.groups
    looked: list[int] = []
    look = Shown.by

    def by(a: Trial, b: Trial, metric: Metric) -> Shown:
        looked.append(a.block)
        return look(a, b, metric)

    monkeypatch.setattr(Shown, "by", by)
    standing = Standing(plan, group)
    for trial in measured(plan, 20):
        standing.add([trial])
        standing.verdict(group.pairs[0])
        standing.enough(0.0, 1.0)
        standing.forecast(1.0)
    assert looked == list(range(20))


@pytest.mark.parametrize("width", [0.02, 0.03, 0.05])
@pytest.mark.parametrize("truth", [0.0, 0.999 * math.log1p(MARGIN), 1.001 * math.log1p(MARGIN), -math.log(0.75)])
def test_stopping_by_width_keeps_false_verdicts_rare(truth: float, width: float):
    """A verdict on the wrong side of the margin is given in at most 5 % of the runs.

    Stopping where the interval happens to be narrow costs it 2 points of coverage at worst.
    """
    runs, most = 1200, 20
    random = np.random.default_rng(round(1e4 * abs(truth) + 1e6 * width))
    values = factories.block_values(random, runs, most, 3, truth)
    wrong = covered = 0
    for row in values.tolist():
        count = next(n for n in range(LEAST_BY_WIDTH, most + 1) if n == most or narrow(row[:n], width))
        estimated = estimate(row[:count])
        wrong += judge(estimated, MARGIN, higher_is_better=True) not in allowed(truth)
        low, high = estimated.interval()
        covered += low <= truth <= high
    assert wrong / runs <= 0.05
    assert covered / runs >= 0.91


def allowed(truth: float) -> set[str]:
    """Verdicts that are not on the wrong side of the margin."""
    edge = math.log1p(MARGIN)
    if abs(truth) < edge:
        return {"equivalent", "inconclusive"}
    return {"better" if truth > 0 else "worse", "inconclusive"}
