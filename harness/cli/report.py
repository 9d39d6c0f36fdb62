"""`gatebench report`: draw a run's report again from its records."""

from __future__ import annotations

import webbrowser
from typing import Annotated

import typer

from harness import record
from harness.cli.options import RESULTS, Results, RunName
from harness.cli.output import answers


def report(
    run: RunName,
    *,
    open_: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
    results: Results = RESULTS,
) -> None:
    """Build report.html, summary.md, summary.csv and charts/ again from the records.

    Examples: `gatebench report latest --open`, `gatebench report results/20261124T090000Z-quick`.
    """
    from harness.judge.compare import within
    from harness.report import build, index, terminal

    folder = record.find(run, results)
    run_read = record.read(folder)
    page = build(folder)
    if folder.resolve().parent == results.resolve():
        index(results)
    terminal(run_read, within(run_read), answers())
    answers().print(f"\nreport: {page}", soft_wrap=True)
    if open_:
        webbrowser.open(page.resolve().as_uri())
