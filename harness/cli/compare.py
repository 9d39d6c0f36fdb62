"""`gatebench compare`: verdicts within a run, or between two."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness import record
from harness.cli.gate import AllowFailedBlocks, FailOnInconclusive, FailOnRegression, GateMetrics, demands, enforce
from harness.cli.options import RESULTS, AcrossMachines, AsJson, Results, RunName, runs_from
from harness.cli.output import answers, print_json, remarks
from harness.errors import UsageError


def compare(
    run: RunName,
    later: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RUN]...",
            help="Later runs: how did each pair change from the first to the last?",
            autocompletion=runs_from,
        ),
    ] = None,
    *,
    fail_on_regression: FailOnRegression = None,
    allow_failed_blocks: AllowFailedBlocks = None,
    metric: GateMetrics = None,
    fail_on_inconclusive: FailOnInconclusive = False,
    across_machines: AcrossMachines = False,
    page: Annotated[
        Path | None, typer.Option(metavar="FILE", help="With several runs: where their page is written.")
    ] = None,
    results: Results = RESULTS,
    as_json: AsJson = False,
) -> None:
    """Verdicts within a run, or between runs.

    With one run the ratio is b / a of each pair. With several it is how each pair's ratio changed from the first to the
    last, which is also what the gate judges; their page lays the curves of all over one another. A baseline measured
    beside the candidate in one run (`gatebench run --baseline`) beats that on a noisy machine. Of runs of different
    machines there are figures and no verdict.

    Examples: `gatebench compare latest`, `gatebench compare BEFORE AFTER --fail-on-regression 5%`.
    """
    from harness.judge.compare import as_json as comparison_json
    from harness.judge.compare import between, gate
    from harness.report.comparing import compare_page, page_name
    from harness.report.figures import study
    from harness.report.index import index
    from harness.report.terminal import between as terminal_between
    from harness.report.terminal import terminal

    asked = demands(fail_on_regression, allow_failed_blocks, metric, fail_on_inconclusive=fail_on_inconclusive)
    opened = [study(record.find(name, results)) for name in _several(run, later)]
    runs = [opened[0].run, opened[-1].run][: len(opened)]
    if len(opened) == 1:
        comparison = opened[0].comparison
        if not as_json:
            terminal(opened[0], answers())
    else:
        first, last = runs
        comparison = between(first, last, judge_across=across_machines)
        where = page or results / page_name(*(each.run.info.run for each in opened))
        compare_page(opened, comparison, where)
        index(results)
        if not as_json:
            terminal_between(first, last, comparison, answers())
            answers().print(f"\npage: {where}", soft_wrap=True)
    for caveat in comparison.caveats if as_json else ():
        remarks().print(f"{caveat.text} {caveat.remedy}".strip(), soft_wrap=True)
    decision = gate(comparison, runs, asked) if asked is not None else None
    if as_json:
        print_json(comparison_json(comparison, decision))
    if decision is not None:
        enforce(decision)


def _several(run: str, later: list[str] | None) -> list[str]:
    """The names of all runs; raises `UsageError` where they are more than can be told apart."""
    from harness.report.comparing import MOST

    names = [run, *(later or ())]
    if len(names) > MOST:
        raise UsageError(f"{len(names)} runs: at most {MOST} can be told apart on one page")
    return names
