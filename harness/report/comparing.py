"""The page of two runs: how each pair's ratio changed, and what changed in the environment."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.judge.metrics import label
from harness.judge.verdicts import Comparison, PairVerdict
from harness.record import Run, durable
from harness.record.folders import safe
from harness.report import words
from harness.report.figures import Value
from harness.report.figures.axis import limits_of
from harness.report.figures.rows import of_pair
from harness.report.templating import render
from harness.report.view import Track, axis_of, track_of
from harness.suite import Factor


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


def compare_page(before: Run, after: Run, comparison: Comparison, out: Path) -> Path:
    """Write the page of two runs to `out`."""
    primary = [verdict for verdict in comparison.pairs if verdict.primary]
    limits = limits_of(primary)
    margin, factors = after.info.plan.margin, after.info.plan.factors
    page = render(
        "compare.html.j2",
        before=before.info,
        after=after.info,
        headline=words.changed(primary, factors),
        warnings=list(_warnings(before, after, comparison)),
        margin=margin,
        axis=axis_of(limits, margin, None),
        rows=[_change(verdict, limits, factors) for verdict in primary],
        others=[_change(verdict, limits, factors) for verdict in comparison.pairs if not verdict.primary],
        changes=comparison.environment_changes,
        caveats=comparison.caveats,
        arms=comparison.arms,
        facts=_facts(before, after),
    )
    with durable.explained(out.parent, f"gatebench compare {before.path} {after.path}"):
        durable.make_folder(out.parent, exist_ok=True)
        durable.replace(out, page.encode())
    return out


def page_name(before: str, after: str) -> str:
    """What the page of two runs is called, beside their folders; a name that is no file's leads nowhere else."""
    return f"compare-{safe(before)}-{safe(after)}.html"


def _warnings(before: Run, after: Run, comparison: Comparison) -> Iterator[str]:
    if not (before.info.finished and after.info.finished):
        yield "One of the runs did not come to its end."
    if comparison.unjudged:
        yield words.shown(f"No verdicts: {comparison.unjudged}. What differs may be the machine.")


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


def _facts(before: Run, after: Run) -> list[tuple[str, str, str]]:
    def facts(run: Run) -> dict[str, str]:
        valid = sum(trial.valid and trial.error is None for trial in run.trials)
        return {
            "run": run.info.run,
            "started": run.info.started,
            "suite": run.info.plan.suite,
            "blocks": f"{run.info.plan.blocks}",
            "trials": f"{valid} of {len(run.trials)} valid",
            "gatebench": run.info.gatebench,
        }

    old, new = facts(before), facts(after)
    return [(name, old[name], new[name]) for name in old]
