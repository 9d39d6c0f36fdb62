"""`gatebench doctor`: whether this machine is fit."""

from __future__ import annotations

from dataclasses import asdict

from rich.table import Table

from harness.cli.options import AsJson
from harness.cli.output import answers, print_json
from harness.errors import GateError
from harness.machine.doctor import examine
from harness.machine.look import Finding

STYLES = {"ok": None, "warning": "yellow", "unfit": "bold red"}


def doctor(*, as_json: AsJson = False) -> None:
    """Is this machine fit to measure on: CPUs, limits, noise, ports, services; what each finding costs, its remedy.

    Exit code 1 when it is not. Examples: `gatebench doctor`, `gatebench doctor --json`.
    """
    findings = list(examine())
    unfit = [finding for finding in findings if finding.grade == "unfit"]
    if as_json:
        print_json({"fit": not unfit, "findings": [asdict(finding) for finding in findings]})
    else:
        answers().print(_table(findings))
    if unfit:
        raise GateError("unfit: " + "; ".join(f"{finding.what}: {finding.remedy}" for finding in unfit))


def _table(findings: list[Finding]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    for finding in findings:
        table.add_row(
            finding.what, finding.grade, finding.seen, finding.effect, finding.remedy, style=STYLES[finding.grade]
        )
    return table
