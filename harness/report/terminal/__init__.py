"""The summary in a terminal: one table fit for a screenshot."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich import box
from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from harness import units
from harness.judge.verdicts import Comparison, PairVerdict
from harness.record import Run
from harness.report.figures import Study
from harness.report.terminal.pairs import STYLES, table, word
from harness.report.terminal.tuned import tried
from harness.report.words import (
    changed,
    disturbed,
    headline,
    sentence,
    shared,
    shown,
    told,
    warning,
    without_result,
)
from harness.suite import Factor

__all__ = ["between", "terminal"]

CAVEATS = 6
"""Caveats that are printed; the report has them all."""
FEW = 8
"""Up to so many pairs, each has its sentence above the table; of more the report has them."""


def terminal(study: Study, console: Console) -> None:
    """Print what a run shows."""
    pairs = [pair for pair in study.pairs if study.verdict(pair)]
    parts: list[RenderableType] = [Text(headline(study), style="bold")]
    parts += _beside(study)
    parts += _answers(study, pairs)
    parts += [table(study, pairs, console.width)] if pairs else []
    parts += [tried(study.tuned), Text(shown(study.tuned.explanation)), Text()] if study.tuned else []
    parts += _foot(study)
    _print(console, parts, f" {shown(study.run.info.plan.suite)}", f" · {shown(study.run.info.run)}")


def between(before: Run, after: Run, comparison: Comparison, console: Console) -> None:
    """Print how two runs differ: each pair's ratio after over before."""
    primary = [verdict for verdict in comparison.pairs if verdict.primary]
    factors = after.info.plan.factors
    parts: list[RenderableType] = [Text(changed(primary, factors), style="bold"), _changes(primary, factors)]
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


def _changes(verdicts: Sequence[PairVerdict], factors: Sequence[Factor]) -> Table:
    changes = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="dim")
    for heading in ("scenario", "a", "b"):
        changes.add_column(heading)
    changes.add_column("after / before", justify="right")
    changes.add_column("verdict")
    for verdict in verdicts:
        ratio = Text(units.ratio(verdict.ratio), style=STYLES.get(verdict.verdict, ""))
        if verdict.low is not None:
            ratio.append(f"\n{units.ratio(verdict.low)} to {units.ratio(verdict.high)}", style="not bold dim")
        scenario = Text(shown(verdict.scenario), style="bold")
        scenario.append(f"\n{shared(verdict, factors)}", style="not bold dim")
        changes.add_row(scenario, Text(shown(verdict.a)), Text(shown(verdict.b)), ratio, word(verdict))
    return changes


def _foot(study: Study) -> Iterator[Text]:
    trials = study.run.trials
    failed = sum(trial.error is not None for trial in trials)
    invalid = sum(not trial.valid and trial.error is None for trial in trials)
    facts = [f"{len(trials) - failed - invalid} of {units.plural(len(trials), 'trial')} valid"]
    facts += [f"{invalid} invalid"] if invalid else []
    facts += [f"{failed} failed"] if failed else []
    episodes = study.run.episodes
    facts += [f"{sum(e.valid for e in episodes)} of {units.plural(len(episodes), 'episode')} valid"] if episodes else []
    facts += [f"servers on {units.plural(study.cores, 'core')}"]
    facts += [] if study.run.info.finished else ["interrupted"]
    yield Text(" · ".join(facts), style="dim")
    for noise in study.comparison.noise:
        if noise.metric == "throughput_rps":
            yield Text(f"A/A throughput {units.ratio(noise.ratio, noise.low, noise.high)}", style="dim")
    for names, why in without_result(study):
        yield Text.assemble(("✕ ", "red"), f"{'; '.join(names)}: ", (why, "dim"))
    caveats = study.comparison.caveats
    for caveat in caveats[:CAVEATS]:
        yield _caveat(warning(study, caveat), caveat.remedy)
    if len(caveats) > CAVEATS:
        yield Text(f"  and {len(caveats) - CAVEATS} more in the report", style="dim")


def _beside(study: Study) -> Iterator[RenderableType]:
    """What the disturbance of each pair showed, where the headline does not say it."""
    said = headline(study)
    told_of = [sentence for pair in disturbed(study) if (sentence := told(study, pair)).rstrip(".") != said]
    if told_of:
        sentences = Table.grid(padding=(0, 1))
        for text in told_of:
            sentences.add_row("•", Text(text))
        yield sentences


def _answers(study: Study, pairs: Sequence[str]) -> Iterator[RenderableType]:
    """What each pair says, in a sentence, where they are a few; of a single one the headline says it."""
    real = [pair for pair in pairs if not study.pairs[pair].null]
    answers = [pair for pair in real if (value := study.pair(pair)) and value.value is not None]
    if 1 < len(real) <= FEW and answers:
        sentences = Table.grid(padding=(0, 1))
        for pair in answers:
            sentences.add_row("•", Text(sentence(study, pair)))
        yield sentences


def _caveat(says: str, remedy: str) -> Text:
    line = Text.assemble(("! ", "bold yellow"), says)
    return line.append(f" → {shown(remedy)}", style="dim") if remedy else line
