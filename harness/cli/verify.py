"""`gatebench verify`: whether every cell answers rightly."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from harness import suite as planning
from harness.cli.options import AsJson, Filter
from harness.cli.output import answers, print_json, remarks
from harness.errors import GateError
from harness.subject.verify import Checked, every_arm
from harness.subject.verify import verify as check
from harness.suite import Arm, Factor, Scenario, Upstream, load_definitions, load_suite


def verify(
    suite: Annotated[
        str | None, typer.Argument(metavar="[SUITE]", help="A suite's name or file; none: everything.")
    ] = None,
    *,
    wanted: Filter = "",
    as_json: AsJson = False,
) -> None:
    """Launch every cell once and check its answers, measuring nothing.

    Without a suite: every target on every server of its interface, every scenario. Exit code 1 on a wrong answer.

    Examples: `gatebench verify`, `gatebench verify quick`, `gatebench verify my-suite.toml --json`.
    """
    from harness.subject.receipts import receipts

    arms, factors, upstream = _everything() if suite is None else _of_suite(suite, wanted)
    missing = receipts(arm for arm, _ in arms).missing
    checked = []
    console = remarks()
    for one in check(arms, factors, missing, upstream):
        checked.append(one)
        if one.problem is not None:
            console.print(f"{label(one)}: {one.problem}", soft_wrap=True)
    failed = [one for one in checked if one.problem is not None]
    if as_json:
        print_json({"checked": len(checked), "failed": [_as_json(one) for one in failed]})
    else:
        answers().print(_table(checked))
        answers().print(f"{len(checked)} answers checked, {len(failed)} wrong")
    if failed:
        raise GateError(f"{len(failed)} of {len(checked)} answers are wrong")


def label(one: Checked) -> str:
    """Which cell, in words."""
    return f"{one.arm.cell.target} on {one.arm.cell.server}, {one.scenario.name}"


Wanted = tuple[list[tuple[Arm, tuple[Scenario, ...]]], tuple[Factor, ...], Upstream]


def _everything() -> Wanted:
    known = load_definitions()
    return list(every_arm(known)), tuple(known.factors.values()), Upstream()


def _of_suite(suite: str, wanted: str) -> Wanted:
    definitions, chosen = load_suite(suite)
    laid = planning.build(definitions, chosen, planning.Options(seed=0, wanted=wanted))
    return [(arm, (arm.scenario,)) for group in laid.groups for arm in group.arms], laid.factors, laid.upstream


def _table(checked: list[Checked]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in ("target", "server", "right", "wrong"):
        table.add_column(column, justify="right" if column in {"right", "wrong"} else "left")
    for target, server in dict.fromkeys((one.arm.cell.target, one.arm.cell.server) for one in checked):
        mine = [one for one in checked if (one.arm.cell.target, one.arm.cell.server) == (target, server)]
        wrong = [one for one in mine if one.problem is not None]
        table.add_row(target, server, str(len(mine) - len(wrong)), ", ".join(one.scenario.name for one in wrong) or "-")
    return table


def _as_json(one: Checked) -> dict[str, str | None]:
    cell = one.arm.cell
    return {"target": cell.target, "server": cell.server, "scenario": one.scenario.name, "problem": one.problem}
