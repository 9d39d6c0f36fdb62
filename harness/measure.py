"""launch -> verify -> warm up -> load -> record, until the judge says enough: the file to read first.

A run goes round its groups block by block: the first blocks of all groups, then the second, and so on. A slow spell of
the machine is then spread over all of them, and a run that is interrupted has something of everything.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace

from harness import record
from harness.judge import compare
from harness.machine.placement import Placement
from harness.record import Writer
from harness.record.sitting import Sitting
from harness.suite import Arm, block_times
from harness.suite.plan import Plan
from harness.trial.bench import Bench, GroupState, opened, resume
from harness.trial.block import measure_block
from harness.trial.ending import Ending
from harness.trial.progress import Progress
from harness.trial.site import Here, Site
from harness.trial.there import sited


def measure(sitting: Sitting, progress: Progress) -> None:
    """Measure the blocks of the plan that earlier sittings have not; each trial is on disk before the next block."""
    plan = sitting.info.plan
    arms = [arm for group in plan.groups for arm in group.arms]
    with _site(sitting) as site:
        receipt = site.receipts(arms)
        info = replace(sitting.info, versions=sitting.info.versions | receipt.versions)
        _measured(replace(sitting, info=info), progress, arms, site, receipt.missing)


def _site(sitting: Sitting) -> AbstractContextManager[Site]:
    """Where the servers run."""
    plan = sitting.info.plan
    return nullcontext(Here()) if plan.server is None else sited(plan, sitting.folder / "logs")


def _measured(sitting: Sitting, progress: Progress, arms: Sequence[Arm], site: Site, missing: dict[str, str]) -> None:
    plan = sitting.info.plan
    groups = [Underway.after(plan, resume(group, sitting.earlier)) for group in plan.groups]
    with (
        record.writing(sitting.folder, sitting.info) as writer,
        opened(plan, arms, sitting.placement, writer, progress, missing, site) as bench,
        Ending(_away(site, sitting.placement)) as ending,
    ):
        progress.run_started(plan, _left_s(bench, groups))
        while unfinished := [group for group in groups if not _enough(bench, group)]:
            for group in unfinished:
                if not _enough(bench, group):  # the blocks of earlier groups may have used up the budget
                    _next_block(bench, group, groups, writer, ending)
        ending.wait()
        writer.finish()


def _away(site: Site, placement: Placement) -> Sequence[int]:
    """CPUs on which servers may end while the next ones start: the generator's, idle then, where no server has them."""
    return [cpu for cpu in placement.generator if cpu not in placement.server] if site.overlaps else []


@dataclass(frozen=True, slots=True)
class Underway:
    """A group that is measured: what its blocks fix for the next ones, and how far it is by their rows."""

    state: GroupState
    standing: compare.Standing

    @classmethod
    def after(cls, plan: Plan, state: GroupState) -> Underway:
        """With what earlier sittings have shown."""
        return cls(state, compare.Standing(plan, state.group, state.trials))


def _next_block(bench: Bench, underway: Underway, groups: Iterable[Underway], writer: Writer, ending: Ending) -> None:
    state, standing = underway.state, underway.standing
    group, block, known = state.group, state.blocks, len(state.trials)
    bench.stopwatch.lap()
    bench.progress.block_started(group, block, _left_s(bench, groups))
    for trial in measure_block(bench, state, block, keep=writer.append_episode, ending=ending):
        writer.append(trial)
        bench.progress.trial_done(trial)
    standing.add(state.trials[known:])
    times = bench.stopwatch.lap()
    writer.append_times(group.id, block, times)
    state.block_s.append(times.total_s)
    bench.progress.block_done(group, block, [standing.verdict(pair) for pair in group.pairs], _left_s(bench, groups))


def _enough(bench: Bench, underway: Underway) -> bool:
    return underway.standing.enough(bench.elapsed_s, _block_s(bench.plan, underway.state))


def _block_s(plan: Plan, state: GroupState) -> float:
    return sum(state.block_s) / len(state.block_s) if state.block_s else block_times(plan, state.group).total_s


def _left_s(bench: Bench, groups: Iterable[Underway]) -> float:
    """How long the missing blocks will take, in seconds.

    A group goes by what its own blocks took, or, as long as it has none, by its estimate and how far the estimates of
    the other groups were off.
    """
    groups = list(groups)
    plan, states = bench.plan, [group.state for group in groups]
    estimated_s = sum(len(state.block_s) * block_times(plan, state.group).total_s for state in states)
    pace = sum(sum(state.block_s) for state in states) / estimated_s if estimated_s else 1.0
    left = 0.0
    for group in groups:
        block_s = _block_s(plan, group.state) * (1.0 if group.state.block_s else pace)
        left += group.standing.forecast(block_s).seconds
    return left if plan.budget_s is None else max(0.0, min(left, plan.budget_s - bench.elapsed_s))
