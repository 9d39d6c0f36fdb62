"""What is tuned: an arm, and the plan by which its candidates are measured."""

from __future__ import annotations

from dataclasses import dataclass, replace

from harness import suite as planning
from harness.errors import UsageError
from harness.suite import Arm, Plan, Suite, load_definitions, load_suite


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """The arm whose workers and threads are varied, and how it is measured."""

    arm: Arm
    plan: Plan
    """Without groups: which candidates are measured together is decided as the tuning goes on."""


def of_suite(name: str, seed: int) -> Subject:
    """Side b of the first pair of a suite, by name or file; raises `DefinitionError` and `UsageError`."""
    definitions, suite = load_suite(name)
    plan = planning.build(definitions, suite, planning.Options(seed=seed))
    arm = plan.groups[0].arms[1]
    about = f"{arm.cell.target} on {arm.cell.server} in {arm.cell.scenario}, of suite {plan.suite}"
    return Subject(arm=replace(arm, rate_rps=None), plan=replace(plan, suite="tune", about=about, groups=()))


def of_names(target: str | None, server: str | None, scenario: str | None, seed: int) -> Subject:
    """A target on a server in a scenario, measured as by a suite that says nothing more.

    Raises `UsageError` where a name is missing or unknown, or the server does not serve the target's interface.
    """
    if target is None or server is None or scenario is None:
        raise UsageError(
            "tune what? Give SUITE, or all of --target, --server and --scenario; `gatebench list` has them"
        )
    known = load_definitions()
    for kind, name, names in (
        ("target", target, known.targets),
        ("server", server, known.servers),
        ("scenario", scenario, known.scenarios),
    ):
        if name not in names:
            raise UsageError(f"--{kind} {name}: unknown; one of {', '.join(names)}")
    application, process, request = known.targets[target], known.servers[server], known.scenarios[scenario]
    if application.interface != process.interface:
        raise UsageError(f"--server {server} serves {process.interface}, {target} is {application.interface}")
    arm = Arm(
        id="t0",
        cell=planning.cell(application, process, request),
        connections=request.connections,
        target=application,
        server=process,
        scenario=request,
    )
    return Subject(arm=arm, plan=_plan(f"{target} on {server} in {scenario}", seed))


def _plan(about: str, seed: int) -> Plan:
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
    )
