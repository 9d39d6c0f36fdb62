"""The pairs of a run as a table for a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from harness import units
from harness.judge.verdicts import PairVerdict
from harness.report.figures import Study
from harness.report.figures.axis import place, reach
from harness.report.words import (
    SYMBOLS,
    ends,
    own,
    percentile,
    same_sides,
    setup,
    shown,
    under,
)
from harness.suite import Arm
from harness.units import TIMES

STYLES = {
    "better": "bold blue",
    "worse": "bold dark_orange3",
    "equivalent": "bold",
    "invalid": "red",
    "error": "red",
}
STRIP = 15
"""Characters of the small forest plot."""
NARROW, WIDE, WIDER = 80, 118, 134
"""Columns of a terminal from which the throughputs fit, the small forest plot, and latencies."""


def table(study: Study, pairs: Sequence[str], width: int) -> Table:
    """A row a pair: throughputs, ratio and interval, a small forest plot, verdict, latency."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="not bold dim", padding=(0, 2, 0, 0))
    columns = _columns(study, pairs, width)
    for heading, how in columns.values():
        table.add_column(heading, **how)
    for pair in pairs:
        verdict = study.verdict(pair)
        if verdict:
            cells = _row(study, pair, verdict)
            table.add_row(*(cells[column] for column in columns))
            table.add_row()
    return table


def _columns(study: Study, pairs: Sequence[str], width: int) -> dict[str, tuple[Text | str, dict[str, Any]]]:
    """Headings, and how wide: as many columns as the terminal has room for, and the ratio always."""
    same = same_sides(study, study.pairs)
    heads = [Text(f"{x}\n{same[i].replace(' on ', chr(10) + 'on ')}" if same else x) for i, x in enumerate("ab")]
    roomy = width >= WIDE
    columns: dict[str, tuple[Text | str, dict[str, Any]]] = {
        "scenario": ("scenario", {"min_width": 18 if roomy else 12})
    }
    if width >= NARROW:
        for side, head, least in zip("ab", heads, (19, 14), strict=True):
            columns[side] = (head, {"justify": "right", "min_width": least if roomy else 8})
    columns["ratio"] = ("b / a", {"justify": "right", "no_wrap": True})
    if roomy:
        columns["strip"] = (_scale(study), {"no_wrap": True})
    columns["verdict"] = ("verdict", {"min_width": 14, "max_width": 15})
    if width >= WIDER and any(study.latency(pair) for pair in pairs):
        columns["latency"] = ("latency b / a\nequal rates", {"justify": "right", "no_wrap": True, "min_width": 13})
    return columns


def _row(study: Study, pair: str, verdict: PairVerdict) -> dict[str, Text]:
    a, b = study.sides(pair)
    named = same_sides(study, study.pairs) is None or study.pairs[pair].null
    scenario = Text(shown(a.cell.scenario), style="bold")
    scenario.append(f"\n{under(study, pair)}", style="not bold dim")
    ratio, strip = Text(units.MISSING), Text()
    if verdict.ratio is not None:
        ratio = Text(units.ratio(verdict.ratio), style=STYLES.get(verdict.verdict, ""))
        ratio.append(f"\n{ends(study.pair(pair)) or 'one block'}", style="not bold dim")
        strip = _strip(study, verdict)
    return {
        "scenario": scenario,
        "a": _side(study, a, verdict.a_limit, named=named),
        "b": _side(study, b, verdict.b_limit, named=named),
        "ratio": ratio,
        "strip": strip,
        "verdict": _settled(verdict),
        "latency": _latency(study, pair),
    }


def _side(study: Study, arm: Arm, limit: str | None, *, named: bool) -> Text:
    value = study.arm(arm.id, "throughput_rps")
    text = Text(units.rps(value.value if value else None))
    about = [setup(arm)] if named else []
    about += [own(arm)] if own(arm) else []
    about += [shown(limit)] if limit else []
    return text.append("".join(f"\n{line}" for line in about), style="dim")


def _settled(verdict: PairVerdict) -> Text:
    few = verdict.verdict == "inconclusive" and verdict.blocks < verdict.blocks_measured
    more = f"{verdict.blocks} of {verdict.blocks_measured} blocks valid" if few else shown(verdict.settle or "")
    return word(verdict).append(f"\n{more}" if more else "", style="not bold dim")


def _latency(study: Study, pair: str) -> Text:
    verdict = study.latency(pair)
    if verdict is None:
        return Text("not resolved", style="dim")
    text = Text(f"{percentile(verdict.metric)}  {units.ratio(verdict.ratio)}")
    if verdict.low is not None:
        text.append(f"\n{units.ratio(verdict.low)} to {units.ratio(verdict.high)}", style="dim")
    return text


def _scale(study: Study) -> Text:
    low, high = reach(study)
    middle = _column(1, (low, high))
    text = f"{low:.2g}{TIMES}".ljust(middle) + "1"
    return Text(text + f"{high:.2g}{TIMES}".rjust(STRIP - len(text)))


def _column(ratio: float, limits: tuple[float, float]) -> int:
    return round((STRIP - 1) * place(ratio, limits))


def _strip(study: Study, verdict: PairVerdict) -> Text:
    limits = reach(study)
    cells = [" "] * STRIP
    cells[_column(1, limits)] = "│"
    if verdict.low is not None and verdict.high is not None:
        for index in range(_column(verdict.low, limits), _column(verdict.high, limits) + 1):
            cells[index] = "━"
    cells[_column(verdict.ratio or 1, limits)] = "○" if verdict.verdict == "inconclusive" else "●"
    return Text("".join(cells), style=STYLES.get(verdict.verdict, ""))


def word(verdict: PairVerdict) -> Text:
    """A verdict with its sign, in its colour."""
    return Text(f"{SYMBOLS[verdict.verdict]} {verdict.verdict}", style=STYLES.get(verdict.verdict, "dim"))
