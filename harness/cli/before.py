"""What is said of the machine before anything is spent on a measurement, and what is refused on it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.output import remarks
from harness.errors import GateError, UsageError
from harness.machine import pods
from harness.machine.placement import Placement
from harness.record import RunInfo
from harness.record.conditions import DISTURBANCES
from harness.suite import Arm, Thresholds

if TYPE_CHECKING:
    from harness.machine.look import Finding

Strict = Annotated[
    bool, typer.Option("--strict", help="Refuse to start (exit 1) when something disturbs this machine.")
]
SharedCpu = Annotated[
    bool,
    typer.Option(
        "--shared-cpu",
        help="Measure also where servers and generator must share a CPU: it is marked, and no gate judges it.",
    ),
]


def require_pods(arms: Iterable[Arm]) -> None:
    """Raise `UsageError` where a pod of an arm cannot be had here, with what that needs."""
    for pod in {arm.cell.part.pod for arm in arms} - {None}:
        assert pod is not None  # noqa: S101 - for the types
        if why := pods.refused(pod.cpus, pod.memory):
            raise UsageError(f"no pod of {', '.join(pod.words)} can be made here: {why}")


def disturbances(
    groups: Iterable[Sequence[Arm]],
    placement: Placement,
    thresholds: Thresholds,
    there: Sequence[Finding] = (),
    *,
    strict: bool,
    shared_cpu: bool,
) -> list[Finding]:
    """Look at the machine and say what disturbs a measurement of `groups`, and what that will cost.

    `there` was found on the machine of the servers, where that is another. Raises `UsageError` where a pod cannot be
    had, or nothing valid can come of it and `shared_cpu` is not given; `GateError` where something disturbs and
    `strict` is given.
    """
    from harness.machine import cgroups
    from harness.machine.demand import Demand
    from harness.machine.look import cpus, look, watch

    groups = list(groups)
    require_pods(arm for arms in groups for arm in arms)
    if placement.shared and not shared_cpu:
        finding = cpus(placement, cgroups.quota())
        raise UsageError(f"{finding.sentence}; --shared-cpu measures all the same, and marks the run")
    found = [each for each in look(Demand.of(groups), placement, thresholds, watch()) if each.grade != "ok"]
    found += there
    for each in found:
        remarks().print(f"disturbs: {each.sentence}", soft_wrap=True)
    if strict and found:
        raise GateError(f"--strict: not started, for this disturbs: {', '.join(each.what for each in found)}")
    return found


def noted(info: RunInfo, found: Sequence[Finding]) -> RunInfo:
    """`info` with what was found before this sitting, which a reader of the report should know."""
    texts = [f"{each.what}: {each.seen}" for each in found]
    return replace(info, environment=info.environment | {DISTURBANCES: texts}) if texts else info
