"""What a run says while it goes on: the one seam between measuring and the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from harness.judge.verdicts import PairVerdict
from harness.record import Trial
from harness.suite import Group, Plan


class Progress(Protocol):
    """Called as a run goes on. `left_s` is what is left of the run by what its blocks have taken so far."""

    def run_started(self, plan: Plan, left_s: float) -> None:
        """The services are up; the first block comes next."""

    def block_started(self, group: Group, block: int, left_s: float) -> None:
        """A block of `group` is launched."""

    def slice_done(self, arm: str, throughput_rps: float) -> None:
        """A slice is over."""

    def trial_done(self, trial: Trial) -> None:
        """A row is on disk."""

    def block_done(self, group: Group, block: int, verdicts: Sequence[PairVerdict], left_s: float) -> None:
        """A block of `group` is over; `verdicts` are of throughput, one a pair, over the blocks so far."""


class Silent:
    """Says nothing."""

    def run_started(self, plan: Plan, left_s: float) -> None:
        """Say nothing."""

    def block_started(self, group: Group, block: int, left_s: float) -> None:
        """Say nothing."""

    def slice_done(self, arm: str, throughput_rps: float) -> None:
        """Say nothing."""

    def trial_done(self, trial: Trial) -> None:
        """Say nothing."""

    def block_done(self, group: Group, block: int, verdicts: Sequence[PairVerdict], left_s: float) -> None:
        """Say nothing."""
