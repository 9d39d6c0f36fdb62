"""The summary in a terminal: one table fit for a screenshot."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rich import box
from rich.console import Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from harness import units
from harness.report.study import Study
from harness.report.words import SYMBOLS, condition, own, setup, shown

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from harness.record import Run
    from harness.verdicts import Comparison, PairVerdict

STYLES = {"better": "bold blue", "worse": "bold dark_orange3", "equivalent": "bold", "inconclusive": "dim"}
STRIP = 25
"""Characters of the small forest plot."""


def terminal(run: Run, comparison: Comparison, console: Console) -> None:
    """Print what a run shows."""
    study = Study(run, comparison)
    parts: list[RenderableType] = [_table(study)]
    parts += [Text(line) for line in _foot(study)]
    title = Text.assemble(("gatebench", "bold"), f" {shown(run.info.plan.suite)} · {shown(run.info.run)}")
    console.print(Panel(Group(*parts), title=title, title_align="left", box=box.ROUNDED, border_style="dim"))


def _table(study: Study) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, expand=False, header_style="dim")
    table.add_column("scenario")
    for name in ("a", "b"):
        table.add_column(name, justify="right")
    table.add_column("b / a (95 %)", justify="right")
    table.add_column(_scale(study), no_wrap=True)
    table.add_column("verdict")
    table.add_column("p99 b / a" if _shared(study) else "", justify="right")
    for pair in study.pairs:
        verdict = study.verdict(pair)
        if verdict is not None:
            table.add_row(*_row(study, pair, verdict))
    return table


def _row(study: Study, pair: str, verdict: PairVerdict) -> list[Text]:
    planned = study.pairs[pair]
    a, b = study.arms[planned.a], study.arms[planned.b]
    scenario = Text(shown(a.cell.scenario), style="bold")
    scenario.append(f"\n{condition(a)}", style="not bold dim")
    if verdict.ratio is None:
        why = Text("; ".join(map(shown, verdict.reasons)) or "no result", style="dim")
        return [scenario, _side(study, planned.a), _side(study, planned.b), Text(units.MISSING), why, _word(verdict)]
    ratio = Text(units.ratio(verdict.ratio), style=STYLES.get(verdict.verdict, ""))
    interval = f"\n{units.ratio(verdict.low)} to {units.ratio(verdict.high)}" if verdict.low else "\none block only"
    ratio.append(interval, style="not bold dim")
    word = _word(verdict)
    limits = [f"{arm}: {name}" for arm, name in (("a", verdict.a_limit), ("b", verdict.b_limit)) if name]
    word.append("\n" + ", ".join(limits), style="not bold dim")
    return [
        scenario,
        _side(study, planned.a),
        _side(study, planned.b),
        ratio,
        _strip(study, verdict),
        word,
        _latency(study, pair),
    ]


def _side(study: Study, arm_id: str) -> Text:
    arm = study.arms[arm_id]
    value = study.arm(arm_id, "throughput_rps")
    text = Text(units.rps(value.value if value else None))
    text.append(f"\n{setup(arm)}", style="dim")
    if own(arm):
        text.append(f"\n{own(arm)}", style="dim")
    return text


def _word(verdict: PairVerdict) -> Text:
    return Text(f"{SYMBOLS[verdict.verdict]} {verdict.verdict}", style=STYLES.get(verdict.verdict, "dim"))


def _latency(study: Study, pair: str) -> Text:
    verdict = study.verdict(pair, "latency_p99_us")
    if verdict is None:
        return Text("")
    if verdict.ratio is None:
        return Text(verdict.verdict, style="dim")
    text = Text(units.ratio(verdict.ratio))
    if verdict.low is not None:
        text.append(f"\n{units.ratio(verdict.low)} to {units.ratio(verdict.high)}", style="dim")
    return text


def _shared(study: Study) -> bool:
    return any(study.verdict(pair, "latency_p99_us") for pair in study.pairs)


def _reach(study: Study) -> float:
    """The factor at either end of the strip."""
    verdicts = [v for pair in study.pairs if (v := study.verdict(pair)) and v.ratio]
    ends = [abs(math.log(x)) for v in verdicts for x in (v.ratio, v.low, v.high) if x]
    return math.exp(max([*ends, math.log(1.25)]))


def _scale(study: Study) -> Text:
    reach = _reach(study)
    low, high = f"{1 / reach:.2g}×", f"{reach:.2g}×"
    side = STRIP // 2
    return Text(f"{low:<{side}}1{high:>{side}}")


def _strip(study: Study, verdict: PairVerdict) -> Text:
    reach = math.log(_reach(study))
    middle = STRIP // 2

    def column(ratio: float) -> int:
        return min(STRIP - 1, max(0, round(middle + middle * math.log(ratio) / reach)))

    cells = [" "] * STRIP
    cells[middle] = "│"
    if verdict.low and verdict.high:
        for index in range(column(verdict.low), column(verdict.high) + 1):
            cells[index] = "━"
    cells[column(verdict.ratio or 1)] = "○" if verdict.verdict == "inconclusive" else "●"
    return Text("".join(cells), style=STYLES.get(verdict.verdict, ""))


def _foot(study: Study) -> list[str]:
    cores = study.cores
    invalid = sum(not t.valid and t.error is None for t in study.run.trials)
    failed = sum(t.error is not None for t in study.run.trials)
    facts = [f"{len(study.run.trials)} trials", f"server on {cores} core{'s' if cores != 1 else ''}"]
    facts += [f"{invalid} invalid"] if invalid else []
    facts += [f"{failed} failed"] if failed else []
    lines = [" · ".join(facts)]
    for noise in study.comparison.noise:
        lines.append(f"A/A {noise.metric}: {units.ratio(noise.ratio, noise.low, noise.high)}")
    for caveat in study.comparison.caveats:
        lines.append(f"! {shown(caveat.text)}{f' → {shown(caveat.remedy)}' if caveat.remedy else ''}")
    return lines

