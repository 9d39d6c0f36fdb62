"""`gatebench export`: a run, or the difference of two, in the format of another tool."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from harness import record
from harness.cli.gate import AllowFailedBlocks, FailOnInconclusive, GateMetrics, demands
from harness.cli.options import RESULTS, AcrossMachines, Results, RunName, fraction
from harness.errors import UsageError
from harness.record import durable

NAMES = ("junit", "bmf", "github-bigger", "github-smaller")


def export(
    run: RunName,
    after: Annotated[
        str | None, typer.Argument(metavar="[RUN]", help="A second, later run: how did each pair change?")
    ] = None,
    *,
    format_: Annotated[str, typer.Option("--format", metavar="NAME", help=f"{', '.join(NAMES)}.")],
    threshold: Annotated[
        str | None,
        typer.Option(metavar="5%", help="Of junit: by how much b may be worse; default: the margin of the run."),
    ] = None,
    allow_failed_blocks: AllowFailedBlocks = None,
    metric: GateMetrics = None,
    fail_on_inconclusive: FailOnInconclusive = False,
    across_machines: AcrossMachines = False,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Where to; default: standard output.")] = None,
    results: Results = RESULTS,
) -> None:
    """A run, or the difference of two, for another tool.

    `junit`: a test case a pair. `bmf`: Bencher. `github-bigger`, `github-smaller`: the customBiggerIsBetter and
    customSmallerIsBetter of github-action-benchmark. It judges as the gate does, but ends with 0: the gate is that of
    `run` and `compare`.

    Examples: `gatebench export latest --format junit > junit.xml`, `gatebench export BEFORE AFTER --format bmf`.
    """
    from harness.judge.compare import between, gate, within
    from harness.report.exports import FORMATS, Shown

    if format_ not in FORMATS:
        raise UsageError(f"--format {format_!r}: it must be one of {', '.join(FORMATS)}")
    limit = None if threshold is None else fraction(threshold)
    asked = demands("5%", allow_failed_blocks, metric, fail_on_inconclusive=fail_on_inconclusive)
    runs = [record.read(record.find(name, results)) for name in (run, after) if name is not None]
    last = runs[-1].info
    if last.kind == "tune":
        raise UsageError(f"{runs[-1].path}: a tuning compares no pairs, so there is nothing to export")
    comparison = within(runs[0]) if after is None else between(*runs, judge_across=across_machines)
    if asked is not None:
        asked = replace(asked, threshold=last.plan.margin if limit is None else limit)
        text = FORMATS[format_](Shown(runs=runs, comparison=comparison, gate=gate(comparison, runs, asked)))
        _written(text, out)


def _written(text: str, out: Path | None) -> None:
    if out is None:
        sys.stdout.write(text)
        return
    with durable.explained(out, "gatebench export"):
        durable.make_folder(out.parent, exist_ok=True)
        durable.replace(out, text.encode())
