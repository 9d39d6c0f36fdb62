"""`gatebench compare`: verdicts within a run, or between two."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness import record, units
from harness.cli.options import RESULTS, AsJson, Results, RunName, fraction
from harness.cli.output import answers, print_json, remarks
from harness.errors import GateError


def compare(
    run: RunName,
    after: Annotated[
        str | None, typer.Argument(metavar="[RUN]", help="A second, later run: how did each pair change?")
    ] = None,
    *,
    fail_on_regression: Annotated[
        str | None, typer.Option(metavar="5%", help="Exit 1 when a throughput verdict is worse by that margin (Holm).")
    ] = None,
    page: Annotated[
        Path | None, typer.Option(metavar="FILE", help="With two runs: where their page is written.")
    ] = None,
    results: Results = RESULTS,
    as_json: AsJson = False,
) -> None:
    """Verdicts within a run, or between two.

    With one run the ratio is b / a of each pair. With two it is how each pair's ratio changed; a baseline measured
    beside the candidate in one run (`gatebench run --baseline`) beats that on a noisy machine.

    Examples: `gatebench compare latest`, `gatebench compare BEFORE AFTER --fail-on-regression 5%`.
    """
    from harness.judge.compare import as_json as comparison_json
    from harness.judge.compare import between, regressions
    from harness.report.comparing import compare_page
    from harness.report.figures import study
    from harness.report.index import index
    from harness.report.terminal import between as terminal_between
    from harness.report.terminal import terminal

    threshold = fraction(fail_on_regression) if fail_on_regression else None
    earlier = record.find(run, results)
    if after is None:
        opened = study(earlier)
        comparison = opened.comparison
        if not as_json:
            terminal(opened, answers())
    else:
        first = record.read(earlier)
        second = record.read(record.find(after, results))
        comparison = between(first, second)
        where = page or results / f"compare-{first.info.run}-{second.info.run}.html"
        compare_page(first, second, comparison, where)
        index(results)
        if not as_json:
            terminal_between(first, second, comparison, answers())
            answers().print(f"\npage: {where}", soft_wrap=True)
    for caveat in comparison.caveats if as_json else ():
        remarks().print(f"{caveat.text} {caveat.remedy}".strip(), soft_wrap=True)
    if as_json:
        print_json(comparison_json(comparison))
    if threshold is not None and (worse := regressions(comparison, threshold)):
        listed = "; ".join(f"{one.pair} {one.scenario}: {units.ratio(one.ratio, one.low, one.high)}" for one in worse)
        raise GateError(f"{len(worse)} regression(s) beyond {units.percent(threshold)}: {listed}")
