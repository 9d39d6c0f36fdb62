"""What is tuned: an arm, and the plan by which its candidates are measured."""

from __future__ import annotations

from dataclasses import dataclass, replace

from harness import suite as planning
from harness.errors import UsageError
from harness.suite import (
    Arm,
    Closed,
    Definitions,
    Plan,
    Pod,
    Suite,
    load_definitions,
    load_suite,
    own_words,
    slice_s,
)
from harness.suite.choice import arm_of, fitting, known
from harness.suite.machines import Machines


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """The arm whose workers and threads are varied, and how it is measured."""

    arm: Arm
    plan: Plan
    """Without groups: which candidates are measured together is decided as the tuning goes on."""


def of_suite(name: str, seed: int) -> Subject:
    """Side b of the first pair of a suite, by name or file; raises `DefinitionError` and `UsageError`."""
    definitions, suite = load_suite(name)
    if suite.machines != Machines():
        raise UsageError(f"{suite.name}: machines: `tune` measures on this machine alone: leave the table out")
    plan = planning.build(definitions, suite, planning.Options(seed=seed))
    arm = plan.groups[0].arms[1]
    if arm.target.url:
        raise UsageError(
            f"{arm.target.name} runs already at {arm.target.url}: what is tuned must be launched, by an app"
        )
    if arm.cell.pods > 1:
        raise UsageError(f"{suite.name}: pods = {arm.cell.pods}: `tune` varies the workers of one pod: leave that out")
    about = f"{arm.cell.target} on {arm.cell.server} in {arm.cell.scenario}, of suite {plan.suite}"
    alone = replace(arm, pair=None, loads=(Closed(connections=arm.connections),))
    # A search ends slices early, by what all of their answers show: one generator sees them all.
    return Subject(arm=alone, plan=replace(plan, suite="tune", about=about, groups=(), generators=1))


def of_names(target: str | None, server: str | None, scenario: str | None, seed: int) -> Subject:
    """A target on a server in a scenario, measured as by a suite that says nothing more.

    Raises `UsageError` where a name is missing or unknown, or the server does not serve the target's interface.
    """
    if target is None or server is None or scenario is None:
        raise UsageError(
            "tune what? Give SUITE, or all of --target, --server and --scenario; `gatebench list` has them"
        )
    definitions = load_definitions()
    application, process = fitting(definitions, target, server)
    request = definitions.scenarios[known("--scenario", scenario, definitions.scenarios)]
    loads = (Closed(connections=request.connections),)
    arm = arm_of(definitions, "t0", application, process, request, levels={}, loads=loads)
    return of_arm(definitions, arm, seed)


def within(subject: Subject, pod: Pod) -> Subject:
    """The same subject in a pod, with slices that are long enough for its quota."""
    arm, plan = subject.arm, subject.plan
    cell = arm.cell.within(pod)
    inside = replace(arm, cell=cell, own=own_words(plan.factors, cell, arm.server))
    longer = [slice_s([inside], stated_s) for stated_s in (plan.slice_s, plan.open_slice_s)]
    return replace(subject, arm=inside, plan=replace(plan, slice_s=longer[0], open_slice_s=longer[1]))


def of_arm(definitions: Definitions, arm: Arm, seed: int) -> Subject:
    """An arm that no file states, measured as by a suite that says nothing more."""
    cell = arm.cell
    about = f"{cell.target} on {cell.server} in {cell.scenario}"
    return Subject(arm=arm, plan=_plan(about, seed, definitions))


def _plan(about: str, seed: int, definitions: Definitions) -> Plan:
    """How a suite that says nothing is measured."""
    usual = Suite(name="tune", pairs=())
    return Plan(
        suite=usual.name,
        about=about,
        seed=seed,
        groups=(),
        blocks=usual.blocks,
        rounds=usual.rounds,
        slice_s=usual.slice_s,
        open_slice_s=usual.open_slice_s,
        margin=usual.margin,
        arrivals=usual.arrivals,
        upstream=usual.upstream,
        thresholds=usual.thresholds,
        factors=tuple(definitions.factors.values()),
    )
