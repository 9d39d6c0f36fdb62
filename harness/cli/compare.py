"""`gatebench compare`: verdicts within a run, or between two."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness import record
from harness.cli.gate import AllowFailedBlocks, FailOnInconclusive, FailOnRegression, GateMetrics, demands, enforce
from harness.cli.options import RESULTS, AcrossMachines, AsJson, Results, RunName
from harness.cli.output import answers, print_json, remarks


def compare(
    run: RunName,
    after: Annotated[
        str | None, typer.Argument(metavar="[RUN]", help="A second, later run: how did each pair change?")
    ] = None,
    *,
    fail_on_regression: FailOnRegression = None,
    allow_failed_blocks: AllowFailedBlocks = None,
    metric: GateMetrics = None,
    fail_on_inconclusive: FailOnInconclusive = False,
    across_machines: AcrossMachines = False,
    page: Annotated[
        Path | None, typer.Option(metavar="FILE", help="With two runs: where their page is written.")
    ] = None,
    results: Results = RESULTS,
    as_json: AsJson = False,
) -> None:
    """Verdicts within a run, or between two.

    With one run the ratio is b / a of each pair. With two it is how each pair's ratio changed; a baseline measured
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
    earlier = record.find(run, results)
    if after is None:
        opened = study(earlier)
        comparison, runs = opened.comparison, [opened.run]
        if not as_json:
            terminal(opened, answers())
    else:
        first, second = record.read(earlier), record.read(record.find(after, results))
        runs = [first, second]
        comparison = between(first, second, judge_across=across_machines)
        where = page or results / page_name(first.info.run, second.info.run)
        compare_page(first, second, comparison, where)
        index(results)
        if not as_json:
            terminal_between(first, second, comparison, answers())
            answers().print(f"\npage: {where}", soft_wrap=True)
    for caveat in comparison.caveats if as_json else ():
        remarks().print(f"{caveat.text} {caveat.remedy}".strip(), soft_wrap=True)
    decision = gate(comparison, runs, asked) if asked is not None else None
    if as_json:
        print_json(comparison_json(comparison, decision))
    if decision is not None:
        enforce(decision)
