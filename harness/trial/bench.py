"""What stands around the blocks of a run: the plan, where things run, and what has been learnt so far."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from harness.machine.placement import Placement
from harness.record import Trial, Writer
from harness.spec import Totals
from harness.subject import services
from harness.subject.services import Services
from harness.suite import Arm, Group, Plan, needs_redis, needs_upstream
from harness.trial.progress import Progress

OPEN_SHARE = 0.7
"""The open phase offers this share of the capacity of a pair's slower arm."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """The same for every block."""

    plan: Plan
    placement: Placement
    services: Services
    missing: dict[str, str]
    """Arm -> why it cannot be launched at all (a package that its interpreter lacks), with the remedy."""
    logs: Path
    progress: Progress
    started_ns: int

    @property
    def elapsed_s(self) -> float:
        """Seconds since the run, or this sitting of it, started."""
        return (time.perf_counter_ns() - self.started_ns) * 1e-9


@contextmanager
def opened(
    plan: Plan, arms: Iterable[Arm], placement: Placement, writer: Writer, progress: Progress, missing: dict[str, str]
) -> Iterator[Bench]:
    """A bench for `arms`, with the services that they need; what those are is noted in the record."""
    every, logs = list(arms), writer.folder / "logs"
    with services.started(
        upstream=plan.upstream if needs_upstream(every) else None,
        redis=needs_redis(every),
        cpus=placement.services,
        logs=logs,
        seed=plan.seed,
    ) as beside:
        if beside.redis_version is not None:
            writer.note_version("redis", beside.redis_version)
        yield Bench(
            plan=plan,
            placement=placement,
            services=beside,
            missing=missing,
            logs=logs,
            progress=progress,
            started_ns=time.perf_counter_ns(),
        )


@dataclass(slots=True)
class GroupState:
    """What a group's blocks have shown so far, and what its first block fixed for the rest of the run."""

    group: Group
    response_s: dict[str, float] = field(default_factory=dict)
    """Arm -> response time by which its closed slices are sized."""
    trials: list[Trial] = field(default_factory=list)
    block_s: list[float] = field(default_factory=list)
    """How long each block took."""

    @property
    def blocks(self) -> int:
        """Blocks that are on record."""
        return 1 + max((trial.block for trial in self.trials), default=-1)

    def learn(self, totals: Iterable[Totals]) -> None:
        """Keep the response times of the first block's warm-up."""
        for total in totals:
            self.response_s.setdefault(total.arm, total.response_s)

    def rate_rps(self, arm: Arm) -> float | None:
        """What is offered to `arm` in the open phase: asked for, or 70 % of its pair's slower capacity.

        Fixed by the first block that has one and kept for the run; None while nothing of it is known.
        """
        if arm.rate_rps is not None:
            return arm.rate_rps
        mine = [trial for trial in self.trials if (trial.pair or trial.arm) == (arm.pair or arm.id)]
        for trial in mine:
            if trial.phase == "open" and trial.load.rate_rps is not None:
                return trial.load.rate_rps
        capacities = [trial.throughput_rps for trial in mine if trial.phase == "closed" and trial.throughput_rps]
        return OPEN_SHARE * min(capacities) if capacities else None


def resume(group: Group, trials: Iterable[Trial]) -> GroupState:
    """The state of `group` after `trials`, which are whole blocks (`record.whole_blocks`)."""
    state = GroupState(group, trials=[trial for trial in trials if trial.group == group.id])
    for trial in state.trials:
        if trial.load.response_s is not None:
            state.response_s.setdefault(trial.arm, trial.load.response_s)
    return state
