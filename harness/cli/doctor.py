"""`gatebench doctor`: whether this machine is fit."""

from __future__ import annotations

from dataclasses import asdict

from rich.table import Table

from harness.cli.options import AsJson
from harness.cli.output import answers, print_json
from harness.errors import GateError
from harness.machine.doctor import examine

STYLES = {"ok": "green", "warning": "yellow", "unfit": "bold red"}


def doctor(*, as_json: AsJson = False) -> None:
    """Is this machine fit to measure on: CPUs, limits, ports, Redis, noise; each finding with its remedy.

    Exit code 1 when it is not. Examples: `gatebench doctor`, `gatebench doctor --json`.
    """
    findings = list(examine())
    unfit = [one for one in findings if one.grade == "unfit"]
    if as_json:
        print_json({"fit": not unfit, "findings": [asdict(one) for one in findings]})
    else:
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
        for one in findings:
            table.add_row(
                one.what, one.grade, one.seen, one.remedy, style=None if one.grade == "ok" else STYLES[one.grade]
            )
        answers().print(table)
    if unfit:
        raise GateError("unfit: " + "; ".join(f"{one.what}: {one.remedy}" for one in unfit))
