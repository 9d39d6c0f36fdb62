"""What stands around the blocks of a run: the plan, where things run, and what the first blocks have fixed."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness.machine.logs import scrub
from harness.machine.placement import Placement
from harness.record import Trial, Writer
from harness.spec import Totals
from harness.spec.machines import Taken
from harness.subject.services import Services
from harness.suite import Arm, Group, Load, Phase, Plan
from harness.trial.generator import Generator, generating
from harness.trial.links import Links, links
from harness.trial.progress import Progress
from harness.trial.site import Here, Site
from harness.trial.stopwatch import Stopwatch

OPEN_SHARE = 0.7
"""The open phase offers this share of the capacity of a pair's slower arm."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """The same for every block."""

    plan: Plan
    placement: Placement
    services: Services
    generator: Generator
    missing: dict[str, str]
    """Arm -> why it cannot be launched at all: a package that its interpreter lacks, a setup that fails."""
    logs: Path
    progress: Progress
    started_ns: int
    stopwatch: Stopwatch = field(default_factory=Stopwatch)
    site: Site = field(default_factory=Here)
    """Where servers and services run."""
    links: Links = field(default_factory=Links)
    """How far they are from what drives the load."""

    @property
    def elapsed_s(self) -> float:
        """Seconds since the run, or this sitting of it, started."""
        return (time.perf_counter_ns() - self.started_ns) * 1e-9


@contextmanager
def opened(
    plan: Plan,
    arms: Iterable[Arm],
    placement: Placement,
    writer: Writer,
    progress: Progress,
    missing: dict[str, str],
    site: Site | None = None,
) -> Iterator[Bench]:
    """A bench for `arms`, whose targets are set up, with the services that they need; these are noted in the record.

    Servers and services run at `site`, or else on this machine.

    Raises `LaunchError` at its end where a target cannot be torn down.
    """
    every, logs, site = list(arms), writer.folder / "logs", site or Here()
    for log in logs.glob("*.log"):  # of an earlier sitting, which may have been killed before it could do it
        scrub(log)
    with (
        generating(
            cpus=site.generator_cpus(plan, placement),
            log=logs / "generator.log",
            count=plan.generators,
            machines=plan.machines,
            taken=Taken(boot=site.boot(), server=placement.server, services=placement.services),
        ) as generator,
        site.beside(plan, every, placement, logs, missing) as (beside, unprepared),
    ):
        if beside.redis_version is not None:
            writer.note_version("redis-server", beside.redis_version)  # "redis" is the package of that name
        yield Bench(
            plan=plan,
            placement=placement,
            services=beside,
            generator=generator,
            missing=missing | unprepared,
            logs=logs,
            progress=progress,
            started_ns=time.perf_counter_ns(),
            site=site,
            links=links(plan, every, writer.info.sittings[-1].environment),
        )


@dataclass(slots=True)
class Rates:
    """What the open load offers each pair: the rate that was asked for, or one that is derived once.

    Derived is a share of the capacity of the pair's slower arm, by the first block that shows it. It is kept for the
    run: the latencies of all blocks are then those at one rate.
    """

    share: float = OPEN_SHARE
    _derived_rps: dict[str, float] = field(default_factory=dict)
    """By pair; by arm where there are no pairs."""

    def of(self, arm: Arm) -> float | None:
        """Arrivals a second for `arm`; None while no block has shown a capacity."""
        return arm.rate_rps if arm.rate_rps is not None else self._derived_rps.get(arm.pair or arm.id)

    def derive(self, trials: Iterable[Trial]) -> None:
        """Fix the rates of pairs that have none yet by `trials`: those that had one, then the closed ones' capacity."""
        capacities: dict[str, list[float]] = {}
        for trial in trials:
            pair = trial.pair or trial.arm
            if trial.load.rate_rps is not None:
                self._derived_rps.setdefault(pair, trial.load.rate_rps)
            elif trial.load.shows_capacity and trial.throughput_rps:
                capacities.setdefault(pair, []).append(trial.throughput_rps)
        for pair, shown_rps in capacities.items():
            self._derived_rps.setdefault(pair, self.share * min(shown_rps))


@dataclass(slots=True)
class GroupState:
    """What a group's blocks have shown so far, and what the first of them fixed for the rest of the run."""

    group: Group
    response_s: dict[str, float] = field(default_factory=dict)
    """Arm -> response time by which its closed slices are sized."""
    rates: Rates = field(default_factory=Rates)
    trials: list[Trial] = field(default_factory=list)
    block_s: list[float] = field(default_factory=list)
    """How long each block took."""
    neighbours_right: set[str] = field(default_factory=set)
    """Arms that have answered rightly, in this sitting, what is held beside their victims."""
    alone: bool = False
    """Whether its servers start only when those of the block before have ended: beside them one did not start."""

    def __post_init__(self) -> None:
        if self.group.disturbance is not None:  # what the victim of its episodes is offered
            self.rates.share = self.group.disturbance.rate_share

    @property
    def blocks(self) -> int:
        """Blocks that are on record."""
        return 1 + max((trial.block for trial in self.trials), default=-1)

    def keep(self, trials: Iterable[Trial]) -> None:
        """Take in the trials of a phase, all together: its capacities fix the rates of the next phase."""
        # Histograms are most of a row, and no decision on further blocks reads them: a long run would be full of them.
        new = [replace(trial, histogram=None, by_request=()) for trial in trials]
        self.trials += new
        self.rates.derive(new)

    def learn(self, totals: Iterable[Totals]) -> None:
        """Keep the response times of the first warm-up that had answers."""
        for total in totals:
            if total.response_s is not None:
                self.response_s.setdefault(total.arm, total.response_s)

    def load(self, arm: Arm, phase: Phase) -> Load:
        """The load of `arm` in `phase`, as it is offered: with its rate, and sized by its response time."""
        return arm.load(phase).offering(self.rates.of(arm)).sized_by(self.response_s.get(arm.id))


def resume(group: Group, trials: Iterable[Trial]) -> GroupState:
    """The state of `group` after `trials`, which are whole blocks (`record.whole_blocks`)."""
    state = GroupState(group)
    mine = [trial for trial in trials if trial.group == group.id]
    for block in sorted({trial.block for trial in mine}):  # block by block: the first that shows a rate fixes it
        state.keep(trial for trial in mine if trial.block == block)
    for trial in mine:
        if trial.load.response_s is not None:
            state.response_s.setdefault(trial.arm, trial.load.response_s)
    return state
