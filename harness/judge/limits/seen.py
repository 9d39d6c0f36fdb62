"""A trial as a diagnosis sees it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from harness.judge.limits.bounds import BUSY, Bound, used_cores
from harness.record import Trial
from harness.suite import Arm, Cell, Level


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A trial, what is known of its arm, and trials of other arms of the run to hold it against."""

    trial: Trial
    arm: Arm
    siblings: tuple[Trial, ...]
    wait_s: float
    """What an answer waits for the upstream."""
    bounds: Mapping[str, Bound]

    @property
    def cell(self) -> Cell:
        """The cell of the trial."""
        return self.trial.cell

    @property
    def rps(self) -> float:
        """Good answers a second."""
        return self.trial.throughput_rps or 0.0

    @property
    def cpu_s(self) -> float:
        """CPU seconds a request."""
        return used_cores(self.trial)["server"] / self.rps

    @property
    def in_hand(self) -> float:
        """Requests that a worker has in hand at once, by the utilization law."""
        return self.rps * (self.wait_s + self.cpu_s) / self.cell.workers

    @property
    def starved(self) -> bool:
        """Whether the upstream is waited for while neither its CPU nor the server's is used up."""
        worn = [bound.utilization for name, bound in self.bounds.items() if name in ("server-cpu", "upstream")]
        return self.wait_s > 0 and max(worn) < BUSY

    def loaded_like(self, other: Trial) -> bool:
        """Whether `other` was under the same load."""
        mine, theirs = self.trial.load, other.load
        return (mine.kind, mine.connections, mine.rate_rps) == (theirs.kind, theirs.connections, theirs.rate_rps)

    def differing(self, **changes: Level) -> Iterator[Trial]:
        """Siblings whose cell is this one with `changes`, under the same load."""
        wanted = self.cell.at(**changes)
        for one in self.siblings:
            if one.cell == wanted and self.loaded_like(one) and one.throughput_rps:
                yield one
