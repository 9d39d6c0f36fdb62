"""The summary in a terminal: one table fit for a screenshot."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from harness import units
from harness.plan import Arm
from harness.record import Run
from harness.report.charts.forest import reach
from harness.report.charts.latency import highest, percentile_of
from harness.report.comparing import headline as changed
from harness.report.comparing import shared
from harness.report.study import Study
from harness.report.tuned import tuned
from harness.report.values import of_candidate
from harness.report.words import (
    SYMBOLS,
    ends,
    headline,
    interval,
    name,
    own,
    plural,
    reason,
    same_sides,
    setup,
    shown,
    told,
    under,
)
from harness.tune.answer import Answer
from harness.units import TIMES
from harness.verdicts import Comparison, PairVerdict

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
CAVEATS = 6
"""So many are printed; the report has them all."""


def terminal(run: Run, comparison: Comparison, console: Console) -> None:
    """Print what a run shows."""
    study = Study(run, comparison, tuned(Path(run.path)))
    pairs = [pair for pair in study.pairs if study.verdict(pair)]
    parts: list[RenderableType] = [Text(headline(study), style="bold")]
    parts += [_table(study, pairs, console.width)] if pairs else []
    parts += [_candidates(study.tuned), Text(shown(study.tuned.explanation)), Text()] if study.tuned else []
    parts += _foot(study)
    _print(console, parts, f" {shown(run.info.plan.suite)}", f" · {shown(run.info.run)}")


def between(before: Run, after: Run, comparison: Comparison, console: Console) -> None:
    """Print how two runs differ: each pair's ratio after over before."""
    primary = [verdict for verdict in comparison.pairs if verdict.primary]
    parts: list[RenderableType] = [Text(changed(primary), style="bold"), _changes(primary)]
    unsettled = dict.fromkeys(verdict.settle for verdict in primary if verdict.settle)
    parts += [Text(f"? undecided: {shown(settle)}", style="dim") for settle in unsettled]
    news = comparison.environment_changes.items()
    parts += [Text(f"{shown(what)}: {shown(old)} → {shown(new)}") for what, (old, new) in news]
    parts += [_caveat(shown(caveat.text), caveat.remedy) for caveat in comparison.caveats]
    _print(console, parts, f" {shown(before.info.run)} → {shown(after.info.run)}")


def _print(console: Console, parts: Sequence[RenderableType], title: str, more: str = "") -> None:
    console.print(
        Panel(
            Group(*parts),
            title=Text.assemble(("gatebench", "bold"), title, (more, "dim")),
            title_align="left",
            box=box.ROUNDED,
            border_style="dim",
            padding=(1, 1),
        )
    )


def _changes(verdicts: Sequence[PairVerdict]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="dim")
    for heading in ("scenario", "a", "b"):
        table.add_column(heading)
    table.add_column("after / before", justify="right")
    table.add_column("verdict")
    for verdict in verdicts:
        ratio = Text(units.ratio(verdict.ratio), style=STYLES.get(verdict.verdict, ""))
        if verdict.low is not None:
            ratio.append(f"\n{units.ratio(verdict.low)} to {units.ratio(verdict.high)}", style="not bold dim")
        scenario = Text(shown(verdict.scenario), style="bold")
        scenario.append(f"\n{shared(verdict)}", style="not bold dim")
        table.add_row(scenario, Text(shown(verdict.a)), Text(shown(verdict.b)), ratio, _word(verdict))
    return table


def _candidates(answer: Answer) -> Table:
    """What tune tried."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for heading in ("workers", "threads", "throughput", "of the best", "memory", "picked"):
        table.add_column(heading, justify="right")
    table.add_column("standing")
    for row in answer.candidates:
        metrics = ("throughput_rps", "of_best", "memory_bytes", "share_of_picks")
        figures = (interval(of_candidate(row, metric)) for metric in metrics)
        style = "bold blue" if row.standing == "recommended" else "" if row.standing == "tie" else "dim"
        table.add_row(f"{row.workers}", f"{row.threads}", *figures, row.standing, style=style)
    return table


def _table(study: Study, pairs: Sequence[str], width: int) -> Table:
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
    found: dict[str, tuple[Text | str, dict[str, Any]]] = {"scenario": ("scenario", {"min_width": 18 if roomy else 12})}
    if width >= NARROW:
        for side, head, least in zip("ab", heads, (19, 14), strict=True):
            found[side] = (head, {"justify": "right", "min_width": least if roomy else 8})
    found["ratio"] = ("b / a", {"justify": "right", "no_wrap": True})
    if roomy:
        found["strip"] = (_scale(study), {"no_wrap": True})
    found["verdict"] = ("verdict", {"min_width": 14, "max_width": 15})
    if width >= WIDER and any(highest(study, pair) for pair in pairs):
        found["latency"] = ("latency b / a\nequal rates", {"justify": "right", "no_wrap": True, "min_width": 13})
    return found


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


def _word(verdict: PairVerdict) -> Text:
    return Text(f"{SYMBOLS[verdict.verdict]} {verdict.verdict}", style=STYLES.get(verdict.verdict, "dim"))


def _settled(verdict: PairVerdict) -> Text:
    more = shown(verdict.settle) if verdict.settle else ""
    return _word(verdict).append(f"\n{more}" if more else "", style="not bold dim")


def _latency(study: Study, pair: str) -> Text:
    verdict = highest(study, pair)
    if verdict is None:
        return Text("not resolved", style="dim")
    text = Text(f"{percentile_of(verdict)}  {units.ratio(verdict.ratio)}")
    if verdict.low is not None:
        text.append(f"\n{units.ratio(verdict.low)} to {units.ratio(verdict.high)}", style="dim")
    return text


def _scale(study: Study) -> Text:
    low, high = reach(study)
    one = _column(1, (low, high))
    text = f"{low:.2g}{TIMES}".ljust(one) + "1"
    return Text(text + f"{high:.2g}{TIMES}".rjust(STRIP - len(text)))


def _column(ratio: float, limits: tuple[float, float]) -> int:
    low, high = limits
    return min(STRIP - 1, max(0, round((STRIP - 1) * math.log(ratio / low) / math.log(high / low))))


def _strip(study: Study, verdict: PairVerdict) -> Text:
    limits = reach(study)
    cells = [" "] * STRIP
    cells[_column(1, limits)] = "│"
    if verdict.low is not None and verdict.high is not None:
        for index in range(_column(verdict.low, limits), _column(verdict.high, limits) + 1):
            cells[index] = "━"
    cells[_column(verdict.ratio or 1, limits)] = "○" if verdict.verdict == "inconclusive" else "●"
    return Text("".join(cells), style=STYLES.get(verdict.verdict, ""))


def _foot(study: Study) -> Iterator[Text]:
    trials = study.run.trials
    failed = sum(trial.error is not None for trial in trials)
    invalid = sum(not trial.valid and trial.error is None for trial in trials)
    facts = [f"{len(trials) - failed - invalid} of {plural(len(trials), 'trial')} valid"]
    facts += [f"{invalid} invalid"] if invalid else []
    facts += [f"{failed} failed"] if failed else []
    facts += [f"servers on {plural(study.cores, 'core')}"]
    facts += [] if study.run.info.finished else ["interrupted"]
    yield Text(" · ".join(facts), style="dim")
    for noise in study.comparison.noise:
        if noise.metric == "throughput_rps":
            yield Text(f"A/A throughput {units.ratio(noise.ratio, noise.low, noise.high)}", style="dim")
    for pair in study.pairs:
        verdict = study.verdict(pair)
        if verdict is not None and verdict.ratio is None:
            why = "; ".join(reason(study, text) for text in verdict.reasons)
            yield Text.assemble((f"{SYMBOLS[verdict.verdict]} ", "red"), f"{name(study, pair)}: ", (why, "dim"))
    caveats = study.comparison.caveats
    for caveat in caveats[:CAVEATS]:
        yield _caveat(told(study, caveat), caveat.remedy)
    if len(caveats) > CAVEATS:
        yield Text(f"  and {len(caveats) - CAVEATS} more in the report", style="dim")


def _caveat(text: str, remedy: str) -> Text:
    line = Text.assemble(("! ", "bold yellow"), text)
    return line.append(f" → {shown(remedy)}", style="dim") if remedy else line
