"""Where servers and their services run: what a block needs of that machine, and this machine as one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

from harness.errors import GatebenchError
from harness.machine import identity
from harness.machine.placement import Placement
from harness.subject import services
from harness.subject.launch import Launched, launch_counted, launch_versions, wait_settled
from harness.subject.pods import launch_pods
from harness.subject.prepare import prepared
from harness.subject.receipts import Receipts, receipts
from harness.subject.services import Services, free_port
from harness.suite import Arm, Disturbance, Plan, needs, needs_upstream
from harness.trial.observe import Readings


class Site(Protocol):
    """A machine that servers and their services run on, for one run."""

    overlaps: bool
    """Whether the servers of a block may end there while those of the next one start."""

    def receipts(self, arms: Iterable[Arm]) -> Receipts:
        """The versions that `arms` stand on there; raises `LaunchError` where the machine is lost."""

    def generator_cpus(self, plan: Plan, placement: Placement) -> tuple[int, ...]:
        """The CPUs of this machine on which the load is driven, or led."""

    def boot(self) -> str:
        """The start of that machine (`harness.machine.identity.boot`)."""

    def beside(
        self, plan: Plan, arms: Sequence[Arm], placement: Placement, logs: Path, missing: dict[str, str]
    ) -> AbstractContextManager[tuple[Services, dict[str, str]]]:
        """The services that `arms` need, and why some cannot be set up; those in `missing` are not tried.

        Raises `LaunchError` at its end where a target cannot be torn down.
        """

    waits_at_once: bool
    """Whether several servers can be waited for at the same time."""

    def launch(
        self,
        arm: Arm,
        plan: Plan,
        services: Services,
        *,
        cpus: Sequence[int],
        log: Path,
        key: str,
        disturbance: Disturbance | None,
    ) -> AbstractContextManager[Launched]:
        """Start an arm, as `harness.subject.launch.launch` does, or what a disturbance needs in its place."""

    def settle(self, servers: Sequence[Launched]) -> None:
        """Wait until they are quiet."""

    def readings(self) -> Readings | None:
        """What reads there; None: it is this machine."""

    def lost(self) -> GatebenchError | None:
        """Why nothing there can be measured any more; None where it can."""


class Here:
    """This machine."""

    overlaps = True
    waits_at_once = True

    def receipts(self, arms: Iterable[Arm]) -> Receipts:
        """See `Site`."""
        return receipts(arms)

    def generator_cpus(self, _plan: Plan, placement: Placement) -> tuple[int, ...]:
        """See `Site`."""
        return placement.generator

    def boot(self) -> str:
        """See `Site`."""
        return identity.boot()

    @contextmanager
    def beside(
        self, plan: Plan, arms: Sequence[Arm], placement: Placement, logs: Path, missing: dict[str, str]
    ) -> Iterator[tuple[Services, dict[str, str]]]:
        """See `Site`."""
        held = any(group.neighbour is not None and group.neighbour.upstream_calls for group in plan.groups)
        with (
            services.started(
                upstream=plan.upstream if held or needs_upstream(arms) else None,
                redis="redis" in needs(arms, plan.factors),
                cpus=placement.services,
                logs=logs,
                seed=plan.seed,
            ) as started,
            prepared([arm for arm in arms if arm.id not in missing], logs) as unprepared,
        ):
            yield started, unprepared

    def launch(
        self,
        arm: Arm,
        plan: Plan,
        services: Services,
        *,
        cpus: Sequence[int],
        log: Path,
        key: str,
        disturbance: Disturbance | None,
    ) -> AbstractContextManager[Launched]:
        """See `Site`."""
        start = launch_pods if disturbance is None or not disturbance.counted else launch_counted
        if disturbance is not None and disturbance.versions:
            start = launch_versions
        address = (plan.bind, free_port(plan.bind))
        return start(arm, plan.factors, services, cpus=cpus, log=log, address=address, key=key)

    def settle(self, servers: Sequence[Launched]) -> None:
        """See `Site`."""
        wait_settled(servers)

    def readings(self) -> Readings | None:
        """See `Site`."""
        return None

    def lost(self) -> GatebenchError | None:
        """See `Site`."""
        return None
