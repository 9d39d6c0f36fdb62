"""`gatebench calibrate`: the instrument itself."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from harness import record, units
from harness import suite as planning
from harness.calibrate import Calibration, as_json, store, whole
from harness.calibrate import calibrate as pieces
from harness.cli.options import RESULTS, AsJson, Results, fresh_seed, placed
from harness.cli.output import answers, print_json, remarks
from harness.cli.run import new_info
from harness.suite import load_suite


def calibrate(
    *,
    null: Annotated[
        bool, typer.Option("--null/--no-null", help="Also compare a cell with itself: three quarters of a minute.")
    ] = True,
    results: Results = RESULTS,
    as_json_: AsJson = False,
) -> None:
    """The instrument itself: its ceiling, its floor, its clock, and a comparison of equals; kept beside the runs.

    Reports of runs on this machine quote it. Examples: `gatebench calibrate`, `gatebench calibrate --no-null --json`.
    """
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="gatebench-") as folder:
        for what, piece in pieces(placed(None), Path(folder)):
            remarks().print(f"{what} measured")
            found |= piece
    if null:
        found["null"] = _null(results)
    calibration = whole(found)
    path = store(calibration, results)
    if as_json_:
        print_json(as_json(calibration))
    else:
        answers().print(_table(calibration))
        answers().print(f"\nkept in {path}; reports quote it", soft_wrap=True)


def _null(results: Path) -> dict[str, Any]:
    """The first comparison of the suite null, through the whole pipeline."""
    from harness.cli.progress import shown
    from harness.judge.compare import within
    from harness.measure import measure
    from harness.subject.receipts import receipts

    definitions, suite = load_suite("null")
    laid = planning.build(definitions, suite, planning.Options(seed=fresh_seed(None)))
    laid = replace(laid, groups=laid.groups[:1])
    folder = record.new_folder(results, "calibration")
    stock = receipts(arm for group in laid.groups for arm in group.arms)
    placement = placed(None)
    info = replace(new_info(folder, laid, placement), versions=stock.versions)
    with record.writing(folder, info) as writer, shown(remarks()) as say:
        measure(laid, placement, writer, stock.missing, say)
    verdict = next(one for one in within(record.read(folder)).pairs if one.primary)
    return {"ratio": verdict.ratio, "low": verdict.low, "high": verdict.high, "blocks": verdict.blocks}


def _table(found: Calibration) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    seen = f"{units.rps(found.seen_rps)} seen at {found.seen_cpu_percent:.0f} % of the core"
    table.add_row("ceiling", f"{units.rps(found.ceiling_rps)} a generator core, closed ({seen})")
    table.add_row("to be trusted up to", units.rps(found.trusted_rps))
    if found.fasthttp_rps:
        ratio = found.seen_rps / found.fasthttp_rps
        table.add_row("stock FastHttpUser", f"{units.rps(found.fasthttp_rps)}: ours does {ratio:.1f} times that")
    if found.wrk_rps:
        table.add_row("wrk", f"{units.rps(found.wrk_rps)} on the same server, ours {units.rps(found.seen_rps)}")
    else:
        table.add_row("wrk", found.wrk)
    floor, blocking = found.floor, found.floor_blocking
    table.add_row("floor", f"p50 {units.duration_us(floor.p50_us)}, p99 {units.duration_us(floor.p99_us)}")
    table.add_row(
        "a blocking socket", f"p50 {units.duration_us(blocking.p50_us)}, p99 {units.duration_us(blocking.p99_us)}"
    )
    for name, timing in (("clock", found.timer), ("gevent's clock", found.timer_gevent)):
        late = f"late by p50 {units.duration_us(timing.p50_us)}, p99 {units.duration_us(timing.p99_us)}"
        table.add_row(name, f"{late} at 10,000 arrivals a second")
    table.add_row("histogram", f"off by at most {found.histogram_error:.3%}")
    if found.null is not None:
        null = found.null
        table.add_row("A/A", f"{units.ratio(null['ratio'], null['low'], null['high'])} over {null['blocks']} blocks")
    return table
