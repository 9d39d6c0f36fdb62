"""The arms of a plan, launched where its servers will run, to ask them before anything is measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from harness.machine.placement import Placement
from harness.subject.launch import Launched
from harness.subject.services import Services
from harness.subject.verify import Ground
from harness.suite import Arm, Plan
from harness.trial.site import Here, Site
from harness.trial.there import sited

ANYWHERE = Placement(server=(), generator=(), services=())
"""No CPUs of its own for any role."""


@dataclass(frozen=True, slots=True)
class _Sited:
    """A site, as what is asked is launched on it."""

    plan: Plan
    site: Site
    services: Services
    placement: Placement
    logs: Path

    def log(self, arm: Arm) -> Path:
        """See `Ground`: that name it has on its machine too, and errors from there say it."""
        return self.logs / f"{arm.id}.log"

    def launch(self, arm: Arm, log: Path) -> AbstractContextManager[Launched]:
        """See `Ground`."""
        cpus = self.placement.server
        return self.site.launch(arm, self.plan, self.services, cpus=cpus, log=log, key="", disturbance=None)


@contextmanager
def ground(
    plan: Plan, placement: Placement | None, arms: Sequence[Arm], missing: Mapping[str, str], logs: Path
) -> Iterator[tuple[Ground, Mapping[str, str]]]:
    """Where the servers of `plan` run, for `harness.subject.verify.verify_on`; `placement` is that of their machine.

    Raises `LaunchError` or `UsageError` where that machine cannot be talked to.
    """
    where = placement or ANYWHERE
    there: AbstractContextManager[Site] = nullcontext(Here()) if plan.server is None else sited(plan, logs)
    with there as site, site.beside(plan, arms, where, logs, dict(missing)) as (beside, unprepared):
        yield _Sited(plan, site, beside, where, logs), unprepared
