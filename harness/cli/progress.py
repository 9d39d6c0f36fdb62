"""How far a run is: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.console import Group as Stack
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from harness import units
from harness.judge.verdicts import PairVerdict
from harness.record import Trial
from harness.suite import Arm, Group, Pair, Plan
from harness.trial.progress import Progress


@contextmanager
def shown(console: Console) -> Iterator[Progress]:
    """Shows on `console` how far a run is."""
    if not console.is_terminal:
        yield Lines(console)
        return
    with Live(console=console, refresh_per_second=2, transient=True) as live:
        yield Screen(live)


class Lines:
    """A line a block, and one for each trial that is not valid."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def run_started(self, plan: Plan, left_s: float) -> None:
        """Say how much there is to do."""
        self._say(f"groups: {len(plan.groups)}, blocks of each: {plan.blocks}, about {units.clock(left_s)} left")

    def block_started(self, group: Group, block: int, left_s: float) -> None:
        """Say nothing: the line comes when the block is over."""

    def slice_done(self, arm: str, throughput_rps: float) -> None:
        """Say nothing: lines of slices would drown the rest."""

    def trial_done(self, trial: Trial) -> None:
        """Say what is wrong with a trial that may not be used."""
        if trial.error is not None:
            self._say(f"  {trial.trial} failed: {trial.error}")
        elif not trial.valid:
            self._say(f"  {trial.trial} is invalid: {'; '.join(trial.reasons)}")

    def block_done(self, group: Group, block: int, verdicts: Sequence[PairVerdict], left_s: float) -> None:
        """Say what the ratios are by now."""
        ratios = ", ".join(
            f"{verdict.pair} {units.ratio(verdict.ratio, verdict.low, verdict.high)}" for verdict in verdicts
        )
        self._say(f"{group.id} {group.scenario} block {block + 1}: {ratios}; about {units.clock(left_s)} left")

    def _say(self, text: str) -> None:
        self._console.print(text, soft_wrap=True)


class Screen:
    """What is measured now, the ratios as they converge, and the time left."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._plan: Plan | None = None
        self._group: Group | None = None
        self._block = 0
        self._ends = time.monotonic()
        self._began = time.monotonic()
        self._rps: dict[str, float] = {}
        self._verdicts: dict[str, PairVerdict] = {}
        self._blocks: dict[str, int] = {}
        self._problems: list[str] = []

    def run_started(self, plan: Plan, left_s: float) -> None:
        """Lay out the table."""
        self._plan = plan
        self._began = time.monotonic()
        self._show(left_s)

    def block_started(self, group: Group, block: int, left_s: float) -> None:
        """Mark the group that is being measured."""
        self._group, self._block = group, block
        self._show(left_s)

    def slice_done(self, arm: str, throughput_rps: float) -> None:
        """Show the newest throughput."""
        self._rps[arm] = throughput_rps
        self._live.update(self._table())

    def trial_done(self, trial: Trial) -> None:
        """Show what is wrong with a trial that may not be used."""
        if trial.error is not None or not trial.valid:
            reason = trial.error or "; ".join(trial.reasons)
            self._problems.append(f"{trial.trial}: {reason.splitlines()[0] if reason else 'invalid'}")

    def block_done(self, group: Group, block: int, verdicts: Sequence[PairVerdict], left_s: float) -> None:
        """Show what the ratios are by now."""
        self._blocks[group.id] = block + 1
        self._verdicts |= {verdict.pair: verdict for verdict in verdicts}
        self._show(left_s)

    def _show(self, left_s: float) -> None:
        self._ends = time.monotonic() + left_s
        self._live.update(self._table())

    def __rich__(self) -> Stack:
        return self._table()

    def _table(self) -> Stack:
        plan = self._plan
        if plan is None:
            return Stack()
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        for column in ("", "pair", "scenario", "b / a", "a rps", "b rps", "throughput b / a", "blocks"):
            table.add_column(column, justify="right" if column in {"a rps", "b rps"} else "left", no_wrap=True)
        for group in plan.groups:
            for pair in group.pairs:
                self._row(table, plan, group, pair)
        now = time.monotonic()
        elapsed, left = now - self._began, max(0.0, self._ends - now)
        bar = ProgressBar(total=elapsed + left, completed=elapsed, width=40)
        line = Text(f"{units.clock(elapsed)} gone, about {units.clock(left)} left")
        problems = [
            Text(f"! {text}", style="yellow", overflow="ellipsis", no_wrap=True) for text in self._problems[-3:]
        ]
        return Stack(table, *problems, bar, line)

    def _row(self, table: Table, plan: Plan, group: Group, pair: Pair) -> None:
        a, b = group.arm(pair.a), group.arm(pair.b)
        current = self._group is not None and group.id == self._group.id
        verdict = self._verdicts.get(pair.id)
        table.add_row(
            ">" if current else "",
            pair.id,
            f"{group.scenario} {_condition(plan, a)}".strip(),
            f"{b.label} / {a.label}",
            units.rps(self._rps.get(a.id)),
            units.rps(self._rps.get(b.id)),
            units.ratio(verdict.ratio, verdict.low, verdict.high) if verdict else "",
            f"{self._blocks.get(group.id, 0)}",
            style="bold" if current else None,
        )


def _condition(plan: Plan, arm: Arm) -> str:
    """What both sides of a pair share: the levels that its scenario varies, more than one worker, a rate."""
    shared = [factor for factor in plan.factors if factor.on == "pair"]
    words = [
        factor.say(arm.cell.level(factor.name))
        for factor in shared
        if factor.name in arm.scenario.factors or (factor.is_count and arm.cell.level(factor.name) != factor.default)
    ]
    words += [f"{arm.rate_rps:g} rps"] if arm.rate_rps is not None else []
    return ", ".join(words)
