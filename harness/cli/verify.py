"""`gatebench verify`: whether every cell answers rightly."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from harness import units
from harness.cli.before import require_pods
from harness.cli.beside import announced
from harness.cli.elsewhere import Bind, On, asked_elsewhere, bound, machines
from harness.cli.options import AsJson, Filter, Generators
from harness.cli.output import answers, print_json, remarks
from harness.cli.revisions import Revisions, suite_at
from harness.errors import GateError, UsageError
from harness.subject.verify import Asked, Checked, every_arm, verify_on
from harness.subject.verify import verify as check
from harness.suite import Options, Plan, Upstream, build, load_definitions
from harness.suite.address import LOOPBACK

if TYPE_CHECKING:
    from harness.trial.machines import Greeted


def verify(
    suite: Annotated[
        str | None, typer.Argument(metavar="[SUITE]", help="A suite's name or file; none: everything.")
    ] = None,
    *,
    rev: Revisions = None,
    wanted: Filter = "",
    generators: Generators = None,
    on: On = None,
    bind: Bind = None,
    as_json: AsJson = False,
) -> None:
    """Launch every cell once and check its answers, measuring nothing.

    Without a suite: every target on every server of its interface, every scenario. Exit code 1 on a wrong answer.
    Machines of --on or of the suite are asked first whether they are fit; servers are launched where `run` would.

    Examples: `gatebench verify`, `gatebench verify quick`, `gatebench verify my-suite.toml --json`,
    `gatebench verify shop.toml --rev main --rev HEAD`, `gatebench verify quick --on server=ssh://bench@10.0.0.3`.
    """
    generator_machines, server_machine = machines(on or ())
    options = Options(
        seed=0,
        wanted=wanted,
        generators=generators,
        machines=generator_machines,
        server=server_machine,
        bind=bound(bind),
    )
    wherever = {"--rev": rev, "--generators": generators, "--on": on, "--bind": bind}
    plan = None if suite is None else build(*suite_at(suite, rev or ()), options)
    if plan is None and (given := [name for name, value in wherever.items() if value]):
        raise UsageError(f"which suite? {given[0]} is of a suite: gatebench verify SUITE {given[0]} ...")
    there = asked_elsewhere(plan) if plan is not None else None
    answered = []
    console = remarks()
    with announced("verify"):
        for checked in _answers(plan, there):
            answered.append(checked)
            if checked.problem is not None:
                console.print(f"{label(checked)}: {checked.problem}", soft_wrap=True)
    wrong = [checked for checked in answered if checked.problem is not None]
    if as_json:
        failed = [_as_json(checked) for checked in wrong]
        print_json({"checked": len(answered), "failed": failed, "machines": list(_machines(there))})
    else:
        for each in _machines(there):
            away = f", {units.duration_us(each['round_trip_us'])} away" if each["round_trip_us"] is not None else ""
            answers().print(f"{each['role']} on {each['name']}: fit{away}", soft_wrap=True)
        answers().print(_table(answered))
        answers().print(f"{len(answered)} answers checked, {len(wrong)} wrong")
    if wrong:
        raise GateError(f"{len(wrong)} of {len(answered)} answers are wrong")


def label(checked: Checked) -> str:
    """Which cell, in words."""
    return f"{checked.arm.cell.target} on {checked.arm.cell.server}, {checked.scenario.name}"


def _answers(plan: Plan | None, there: Greeted | None) -> Iterator[Checked]:
    """What the arms of `plan` answer, or every cell that there is, as it comes."""
    from harness.subject.receipts import receipts

    if plan is None:
        known = load_definitions()
        every = list(every_arm(known))
        require_pods(each.arm for each in every)
        missing = receipts(each.arm for each in every).missing
        return check(every, tuple(known.factors.values()), missing, Upstream())
    arms = of_plan(plan)
    considered = there.considered if there is not None else None
    if considered is None:
        require_pods(each.arm for each in arms)
        missing = receipts(each.arm for each in arms).missing
        if plan.bind == LOOPBACK:
            return check(arms, plan.factors, missing, plan.upstream)
        placement = None
    else:
        missing, placement = considered.receipts.missing, considered.placement

    from harness.trial.asked import ground

    return verify_on(partial(ground, plan, placement), arms, missing)


def of_plan(plan: Plan) -> list[Asked]:
    """The arms of its pairs, and what each is asked."""
    return [Asked(arm, (arm.scenario,), group.neighbour) for group in plan.groups for arm in group.arms]


def _machines(there: Greeted | None) -> Iterator[dict[str, Any]]:
    """The other machines that have greeted and are fit, each with its role and how far away its servers are."""
    if there is None:
        return
    servers = [there.server] if there.server else []
    every = [("generator", {"name": name} | facts) for name, facts in there.generators.items()]
    for role, facts in every + [("server", each) for each in servers]:
        yield {"role": role, "name": facts["name"], "round_trip_us": facts.get("round_trip_us")}


def _table(answered: list[Checked]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in ("target", "server", "right", "wrong"):
        table.add_column(column, justify="right" if column in {"right", "wrong"} else "left")
    by_cell: dict[tuple[str, str], list[Checked]] = {}
    for checked in answered:
        by_cell.setdefault((checked.arm.cell.target, checked.arm.cell.server), []).append(checked)
    for (target, server), its in by_cell.items():
        wrong = [checked.scenario.name for checked in its if checked.problem is not None]
        table.add_row(target, server, str(len(its) - len(wrong)), ", ".join(wrong) or "-")
    return table


def _as_json(checked: Checked) -> dict[str, str | None]:
    cell = checked.arm.cell
    return {
        "target": cell.target,
        "server": cell.server,
        "scenario": checked.scenario.name,
        "problem": checked.problem,
    }
