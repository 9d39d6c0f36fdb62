"""What a diagnosis judges by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from harness.judge.limits.bounds import BUSY, Bound, used_cores
from harness.record import Trial
from harness.suite import Arm, Cell, Level

LEAST_THROTTLED = 4, 0.01
"""Throttled periods of a trial, and their share of all: from both on they make its p99."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """A trial, what is known of its arm, and trials of other arms of the run to compare it with."""

    trial: Trial
    arm: Arm
    siblings: tuple[Trial, ...]
    """Trials of other arms in the same phase."""
    wait_s: float
    """What an answer waits for the upstream when that is idle, in seconds; 0 where it calls none."""
    bounds: Mapping[str, Bound]
    """The resources of the trial by their limit's name; always `connections`, and `server-cpu` or `cpu-quota`."""
    host_cpus: int | None = None
    """CPUs of the machine, whatever of them may be used; None where the record does not say."""

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
        """CPU seconds of the server a request."""
        return used_cores(self.trial)["server"] / self.rps

    @property
    def server_cpu(self) -> float:
        """Share that is used of the CPU time that the server can have."""
        return next(self.bounds[name].utilization for name in ("cpu-quota", "server-cpu") if name in self.bounds)

    @property
    def cpu_used_up(self) -> bool:
        """Whether the server's CPU is so busy that it may be the limit."""
        return self.server_cpu >= BUSY

    @property
    def throttled(self) -> bool:
        """Whether the quota of its pod stops the server so often that it makes the p99."""
        count, periods = self.trial.nr_throttled or 0, self.trial.nr_periods or 0
        return count >= LEAST_THROTTLED[0] and count >= LEAST_THROTTLED[1] * periods

    @property
    def in_hand(self) -> float:
        """Requests that a worker has in hand at once, by the utilization law."""
        return self.rps * (self.wait_s + self.cpu_s) / self.cell.workers

    @property
    def waits_idle(self) -> bool:
        """Whether answers wait for the upstream while neither its CPU nor the server's is used up."""
        upstream = self.bounds.get("upstream")
        return self.wait_s > 0 and not self.cpu_used_up and (upstream is None or upstream.utilization < BUSY)

    def same_load(self, other: Trial) -> bool:
        """Whether `other` was under the same load."""
        mine, theirs = self.trial.load, other.load
        return (mine.kind, mine.connections, mine.rate_rps) == (theirs.kind, theirs.connections, theirs.rate_rps)

    def differing(self, **changes: Level) -> Iterator[Trial]:
        """Siblings whose cell is this one with `changes`, under the same load."""
        wanted = self.cell.at(**changes)
        for sibling in self.siblings:
            if sibling.cell == wanted and self.same_load(sibling) and sibling.throughput_rps:
                yield sibling
