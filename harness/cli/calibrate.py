"""`gatebench calibrate`: the instrument itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from harness import units
from harness.cli.before import disturbances
from harness.cli.beside import announced
from harness.cli.options import RESULTS, AsJson, Results, fresh_seed, placed
from harness.cli.output import answers, print_json, remarks
from harness.record.calibration import Calibration, Timing, as_json, store
from harness.suite import Thresholds


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
    with announced("calibrate"):
        calibration, path = _measured(results, null=null)
    if as_json_:
        print_json(as_json(calibration))
    else:
        answers().print(_table(calibration))
        answers().print(f"\nkept in {path}; reports quote it", soft_wrap=True)


def _measured(results: Path, *, null: bool) -> tuple[Calibration, Path]:
    from harness import calibrate as instrument
    from harness.cli.progress import shown

    placement = placed(None)
    disturbances([], placement, Thresholds(), strict=False, shared_cpu=True)
    calibration = instrument.calibrate(placement, lambda name: remarks().print(f"{name} measured"))
    path = store(calibration, results)  # now, so that a comparison that fails or is interrupted costs only itself
    if null:
        with shown(remarks()) as say:
            equal_pair = instrument.equal_pair(placement, results, calibration, fresh_seed(None), say)
        calibration = replace(calibration, null=equal_pair)
        store(calibration, results)
    return calibration, path


def _table(calibration: Calibration) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    seen = f"{units.rps(calibration.seen_rps)} seen at {calibration.seen_cpu_percent:.0f} % of the core"
    table.add_row("ceiling", f"{units.rps(calibration.ceiling_rps)} a generator core, closed ({seen})")
    table.add_row("to be trusted up to", units.rps(calibration.trusted_rps))
    if calibration.fasthttp_rps:
        times = f"ours does {calibration.seen_rps / calibration.fasthttp_rps:.1f} times that"
        table.add_row("stock FastHttpUser", f"{units.rps(calibration.fasthttp_rps)}: {times}")
    if calibration.wrk_rps:
        ours = units.rps(calibration.seen_rps)
        table.add_row("wrk", f"{units.rps(calibration.wrk_rps)} on the same server, ours {ours}")
    else:
        table.add_row("wrk", calibration.wrk)
    table.add_row("floor", _percentiles(calibration.floor))
    table.add_row("a blocking socket", _percentiles(calibration.floor_blocking))
    for clock, lateness in (("clock", calibration.timer), ("gevent's clock", calibration.timer_gevent)):
        table.add_row(clock, f"late by {_percentiles(lateness)} at 10,000 arrivals a second")
    table.add_row("histogram", f"off by at most {calibration.histogram_error:.3%}")
    if calibration.null is not None:
        null = calibration.null
        table.add_row("A/A", f"{units.ratio(null['ratio'], null['low'], null['high'])} over {null['blocks']} blocks")
    return table


def _percentiles(timing: Timing) -> str:
    return f"p50 {units.duration_us(timing.p50_us)}, p99 {units.duration_us(timing.p99_us)}"
