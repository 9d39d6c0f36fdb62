"""`gatebench list`: what can be measured, and what was."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from harness.cli.options import RESULTS, AsJson, Results
from harness.cli.output import answers, print_json
from harness.errors import GatebenchError
from harness.record import folders, read
from harness.suite import Factor, load_definitions, load_suite, suite_names

Row = dict[str, Any]


class What(StrEnum):
    """What can be listed."""

    targets = "targets"
    servers = "servers"
    scenarios = "scenarios"
    factors = "factors"
    suites = "suites"
    runs = "runs"


def list_(
    what: Annotated[What | None, typer.Argument(help="All but runs if not given.")] = None,
    *,
    results: Results = RESULTS,
    as_json: AsJson = False,
) -> None:
    """What there is: targets, servers, scenarios, factors, suites, runs.

    Examples: `gatebench list`, `gatebench list servers`, `gatebench list runs --json`.
    """
    kinds = [what] if what else [kind for kind in What if kind is not What.runs]
    tables = {kind.value: list(_rows(kind, results)) for kind in kinds}
    if as_json:
        print_json(tables)
        return
    console = answers()
    for kind, rows in tables.items():
        table = Table(title=kind, title_justify="left", box=None, pad_edge=False, padding=(0, 2, 0, 0))
        for column in rows[0] if rows else ["nothing here"]:
            table.add_column(column)
        for row in rows:
            table.add_row(*(str(value) for value in row.values()))
        console.print(table)
        console.print()


def _rows(kind: What, results: Results) -> Iterable[Row]:
    if kind is What.runs:
        return (_run(path) for path in reversed(folders(results)))
    if kind is What.suites:
        suites = (load_suite(name)[1] for name in suite_names())
        return ({"name": suite.name, "pairs": len(suite.pairs), "about": _first(suite.about)} for suite in suites)
    definitions = load_definitions()
    if kind is What.targets:
        return (
            {
                "name": target.name,
                "interface": target.interface,
                "handler": target.handler,
                "about": _first(target.about),
            }
            for target in definitions.targets.values()
        )
    if kind is What.factors:
        return (_factor(factor) for factor in definitions.factors.values())
    if kind is What.servers:
        return (
            {
                "name": server.name,
                "interface": server.interface,
                "keep_alive": server.keep_alive,
                "packages": ", ".join(server.packages),
            }
            for server in definitions.servers.values()
        )
    return (
        {
            "name": scenario.name,
            "request": ", ".join(f"{asked.method} {asked.path}" for asked in scenario.requests),
            "about": _first(scenario.about),
        }
        for scenario in definitions.scenarios.values()
    )


def _factor(factor: Factor) -> Row:
    levels = "any whole number" if factor.levels == "count" else ", ".join(map(str, factor.levels))
    told_by = factor.env or ("its place in a server's argv" if not factor.is_count else "")
    return {"name": factor.name, "levels": levels, "default": factor.default, "on": factor.on, "told by": told_by}


def _run(path: Path) -> Row:
    try:
        run = read(path)
    except GatebenchError as error:
        return {"run": path.name, "suite": "?", "trials": 0, "valid": 0, "finished": str(error)}
    valid = sum(trial.valid for trial in run.trials)
    finished = run.info.finished or "interrupted"
    return {
        "run": path.name,
        "suite": run.info.plan.suite,
        "trials": len(run.trials),
        "valid": valid,
        "finished": finished,
    }


def _first(about: str) -> str:
    """All of a short text, the first sentence of a long one."""
    text = " ".join(about.split())
    return text.partition(". ")[0].rstrip(".") if len(text) > 90 else text  # noqa: PLR2004 - a line of the table
