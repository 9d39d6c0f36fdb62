"""The page of several runs: how the pairs changed, their curves over one another, and what changed around them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness import units
from harness.judge.compare.conditions import differences
from harness.judge.metrics import label
from harness.judge.verdicts import Comparison, PairVerdict
from harness.record import Run, durable
from harness.record.conditions import other_machine, sittings
from harness.record.folders import safe
from harness.report import style, words
from harness.report.drawing import draw
from harness.report.figures import Study, Value
from harness.report.figures.axis import limits_of
from harness.report.figures.rows import of_pair
from harness.report.overlays import Several, overlays
from harness.report.templating import render
from harness.report.view import Track, axis_of, track_of
from harness.suite import Factor
from harness.suite.layout import SHORT

MOST = len(style.RUNS)
"""So many runs can be told apart in a chart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One metric of one pair, after over before."""

    verdict: PairVerdict
    value: Value
    condition: str
    metric: str
    track: Track | None
    label: str
    sentence: str
    reasons: tuple[str, ...]
    """Why there is no ratio, or what would settle the verdict."""


def compare_page(studies: Sequence[Study], comparison: Comparison, out: Path) -> Path:
    """Write the page of two runs or more to `out`; `comparison` is that of the first and the last."""
    runs = [study.run for study in studies]
    primary = [verdict for verdict in comparison.pairs if verdict.primary]
    limits = limits_of(primary)
    margin, factors = runs[-1].info.plan.margin, runs[-1].info.plan.factors
    several = Several(tuple(studies))
    page = render(
        "compare.html.j2",
        light=style.properties(style.LIGHT) | style.run_properties(dark=False),
        dark=style.properties(style.DARK) | style.run_properties(dark=True),
        runs=[run.info for run in runs],
        headings=_headings(len(runs)),
        headline=words.changed(primary, factors),
        warnings=list(_warnings(runs, comparison)),
        margin=margin,
        axis=axis_of(limits, margin, None),
        rows=[_change(verdict, limits, factors) for verdict in primary],
        others=[_change(verdict, limits, factors) for verdict in comparison.pairs if not verdict.primary],
        charts=draw(list(overlays(several)), png=False),
        changes=differences(runs),
        caveats=comparison.caveats,
        arms=comparison.arms,
        facts=_facts(runs),
    )
    with durable.explained(out.parent, f"gatebench compare {' '.join(run.path for run in runs)}"):
        durable.make_folder(out.parent, exist_ok=True)
        durable.replace(out, page.encode())
    return out


def page_name(*names: str) -> str:
    """What the page of these runs is called, beside their folders; a name that is no file's leads nowhere else.

    Of more than two it has the first, the last, and a digest of all: a file's name cannot be of any length.
    """
    digest = hashlib.sha256("\n".join(names).encode(errors="surrogatepass")).hexdigest()[:8]
    more = f"-{digest}" if len(names) > 2 else ""  # noqa: PLR2004 - two need no digest
    return f"compare-{safe(names[0])}-{safe(names[-1])}{more}.html"


def _headings(count: int) -> list[str]:
    return ["before", "after"] if count == 2 else [f"run {number}" for number in range(1, count + 1)]  # noqa: PLR2004


def _warnings(runs: Sequence[Run], comparison: Comparison) -> Iterator[str]:
    unfinished = sum(run.info.finished is None for run in runs)
    if unfinished:
        yield f"{'One' if unfinished == 1 else unfinished} of the runs did not come to its end."
    if comparison.unjudged:
        yield words.shown(f"No verdicts: {comparison.unjudged}. What differs may be the machine.")
    elif differing := other_machine([run.info for run in runs]):
        listed = "; ".join(f"{name} {was} and {now}" for name, (was, now) in differing.items())
        yield words.shown(f"Not all runs were measured on one machine ({listed}). What differs may be the machine.")


def _change(verdict: PairVerdict, limits: tuple[float, float], factors: Sequence[Factor]) -> Change:
    value = of_pair(verdict)
    condition = words.shared(verdict, factors)
    name = f"{words.shown(verdict.scenario)}, {condition}"
    reasons = verdict.reasons if verdict.ratio is None else filter(None, (verdict.settle, *verdict.caveats))
    return Change(
        verdict=verdict,
        value=value,
        condition=condition,
        metric=label(verdict.metric),
        track=track_of(verdict, limits) if verdict.primary else None,
        label=f"{name}: {words.interval(value)}, {verdict.verdict}",
        sentence=words.change(verdict),
        reasons=words.alike(map(words.first_line, reasons)),
    )


def _facts(runs: Sequence[Run]) -> list[tuple[str, list[str]]]:
    def facts(run: Run) -> dict[str, str]:
        valid = sum(trial.valid and trial.error is None for trial in run.trials)
        return {
            "run": run.info.run,
            "started": run.info.started,
            "suite": run.info.plan.suite,
            "blocks": f"{run.info.plan.blocks}",
            "trials": f"{valid} of {units.plural(len(run.trials), 'trial')} valid",
            "gatebench": run.info.gatebench,
            "commits": ", ".join(f"{name} {commit[:SHORT]}" for name, commit in sittings(run.info)[0].commits.items()),
        }

    each = [facts(run) for run in runs]
    return [(name, [facts[name] for facts in each]) for name in each[0] if any(facts[name] for facts in each)]
