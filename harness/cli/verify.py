"""`gatebench verify`: whether every cell answers rightly."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer
from rich.table import Table

from harness.cli.before import require_pods
from harness.cli.beside import announced
from harness.cli.options import AsJson, Filter
from harness.cli.output import answers, print_json, remarks
from harness.cli.revisions import Revisions, suite_at
from harness.errors import GateError, UsageError
from harness.subject.verify import Asked, Checked, every_arm
from harness.subject.verify import verify as check
from harness.suite import Factor, Options, Upstream, build, load_definitions


def verify(
    suite: Annotated[
        str | None, typer.Argument(metavar="[SUITE]", help="A suite's name or file; none: everything.")
    ] = None,
    *,
    rev: Revisions = None,
    wanted: Filter = "",
    as_json: AsJson = False,
) -> None:
    """Launch every cell once and check its answers, measuring nothing.

    Without a suite: every target on every server of its interface, every scenario. Exit code 1 on a wrong answer.

    Examples: `gatebench verify`, `gatebench verify quick`, `gatebench verify my-suite.toml --json`,
    `gatebench verify shop.toml --rev main --rev HEAD`.
    """
    from harness.subject.receipts import receipts

    arms, factors, upstream = _asked(suite, wanted, rev or ())
    require_pods(each.arm for each in arms)
    missing = receipts(each.arm for each in arms).missing
    answered = []
    console = remarks()
    with announced("verify"):
        for checked in check(arms, factors, missing, upstream):
            answered.append(checked)
            if checked.problem is not None:
                console.print(f"{label(checked)}: {checked.problem}", soft_wrap=True)
    wrong = [checked for checked in answered if checked.problem is not None]
    if as_json:
        print_json({"checked": len(answered), "failed": [_as_json(checked) for checked in wrong]})
    else:
        answers().print(_table(answered))
        answers().print(f"{len(answered)} answers checked, {len(wrong)} wrong")
    if wrong:
        raise GateError(f"{len(wrong)} of {len(answered)} answers are wrong")


def label(checked: Checked) -> str:
    """Which cell, in words."""
    return f"{checked.arm.cell.target} on {checked.arm.cell.server}, {checked.scenario.name}"


Wanted = tuple[list[Asked], tuple[Factor, ...], Upstream]


def _asked(suite: str | None, wanted: str, revs: Sequence[str]) -> Wanted:
    """Those of a suite, or everything."""
    if suite is not None:
        return of_suite(suite, wanted, revs)
    if revs:
        raise UsageError("which suite? --rev is of a suite's targets: gatebench verify SUITE --rev main --rev HEAD")
    known = load_definitions()
    return list(every_arm(known)), tuple(known.factors.values()), Upstream()


def of_suite(suite: str, wanted: str, revs: Sequence[str] = ()) -> Wanted:
    """The arms of the pairs of a suite that pass the filter, its factors, and its upstream; at `revs` if two are named.

    Raises `UsageError` where a revision cannot be.
    """
    definitions, chosen = suite_at(suite, revs)
    plan = build(definitions, chosen, Options(seed=0, wanted=wanted))
    arms = [Asked(arm, (arm.scenario,), group.neighbour) for group in plan.groups for arm in group.arms]
    return arms, plan.factors, plan.upstream


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
