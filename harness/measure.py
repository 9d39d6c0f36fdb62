"""launch -> verify -> warm up -> load -> record, until the judge says enough: the file to read first.

A run goes round its groups block by block: the first blocks of all groups, then the second, and so on. A slow spell of
the machine is then spread over all of them, and a run that is interrupted has something of everything.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from harness import record
from harness.judge import compare
from harness.record import Writer
from harness.record.sitting import Sitting
from harness.subject.receipts import receipts
from harness.suite import block_times
from harness.suite.plan import Plan
from harness.trial.bench import Bench, GroupState, opened, resume
from harness.trial.block import measure_block
from harness.trial.progress import Progress


def measure(sitting: Sitting, progress: Progress) -> None:
    """Measure the blocks of the plan that earlier sittings have not; each trial is on disk before the next block."""
    plan = sitting.info.plan
    arms = [arm for group in plan.groups for arm in group.arms]
    receipt = receipts(arms)
    info = replace(sitting.info, versions=sitting.info.versions | receipt.versions)
    states = [resume(group, sitting.earlier) for group in plan.groups]
    with (
        record.writing(sitting.folder, info) as writer,
        opened(plan, arms, sitting.placement, writer, progress, receipt.missing) as bench,
    ):
        progress.run_started(plan, _left_s(bench, states))
        while unfinished := [state for state in states if not _enough(bench, state)]:
            for state in unfinished:
                if not _enough(bench, state):  # the blocks of earlier groups may have used up the budget
                    _next_block(bench, state, states, writer)
        writer.finish()


def _next_block(bench: Bench, state: GroupState, states: list[GroupState], writer: Writer) -> None:
    block = state.blocks
    bench.stopwatch.lap()
    bench.progress.block_started(state.group, block, _left_s(bench, states))
    for trial in measure_block(bench, state, block):
        writer.append(trial)
        bench.progress.trial_done(trial)
    times = bench.stopwatch.lap()
    writer.append_times(state.group.id, block, times)
    state.block_s.append(times.total_s)
    verdicts = [compare.progress(state.trials, bench.plan, pair) for pair in state.group.pairs]
    bench.progress.block_done(state.group, block, verdicts, _left_s(bench, states))


def _enough(bench: Bench, state: GroupState) -> bool:
    block_s = _block_s(bench.plan, state)
    return compare.enough(bench.plan, state.group, state.trials, bench.elapsed_s, block_s)


def _block_s(plan: Plan, state: GroupState) -> float:
    return sum(state.block_s) / len(state.block_s) if state.block_s else block_times(plan, state.group).total_s


def _left_s(bench: Bench, states: Iterable[GroupState]) -> float:
    """How long the missing blocks will take, in seconds.

    A group goes by what its own blocks took, or, as long as it has none, by its estimate and how far the estimates of
    the other groups were off.
    """
    states = list(states)
    plan = bench.plan
    estimated_s = sum(len(state.block_s) * block_times(plan, state.group).total_s for state in states)
    pace = sum(sum(state.block_s) for state in states) / estimated_s if estimated_s else 1.0
    left = 0.0
    for state in states:
        block_s = _block_s(plan, state) * (1.0 if state.block_s else pace)
        left += compare.forecast(plan, state.group, state.trials, block_s).seconds
    return left if plan.budget_s is None else max(0.0, min(left, plan.budget_s - bench.elapsed_s))
