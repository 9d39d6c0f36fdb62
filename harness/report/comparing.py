"""The page of two runs: how each pair's ratio changed, and what changed in the environment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from harness.judge.metrics import label
from harness.judge.verdicts import Comparison, PairVerdict
from harness.record import Run
from harness.report import words
from harness.report.charts.forest import limits_of
from harness.report.rows import of_pair
from harness.report.templating import render
from harness.report.values import Value
from harness.report.view import Track, axis_of, track_of


@dataclass(frozen=True, slots=True)
class Change:
    """One metric of one pair, after over before."""

    verdict: PairVerdict
    value: Value
    condition: str
    metric: str
    track: Track | None
    label: str


def compare_page(before: Run, after: Run, comparison: Comparison, out: Path) -> Path:
    """Write the page of two runs to `out`."""
    primary = [verdict for verdict in comparison.pairs if verdict.primary]
    limits = limits_of(primary)
    margin = after.info.plan.margin
    page = render(
        "compare.html.j2",
        before=before.info,
        after=after.info,
        headline=headline(primary),
        warnings=[] if before.info.finished and after.info.finished else ["One of the runs did not come to its end."],
        margin=margin,
        axis=axis_of(limits, margin, None),
        rows=[_change(verdict, limits) for verdict in primary],
        others=[_change(verdict, limits) for verdict in comparison.pairs if not verdict.primary],
        changes=comparison.environment_changes,
        caveats=comparison.caveats,
        arms=comparison.arms,
        facts=_facts(before, after),
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(page, encoding="utf-8")
    return out


def page_name(before: str, after: str) -> str:
    """What the page of two runs is called, beside their folders."""
    return f"compare-{before}-{after}.html"


def headline(verdicts: Iterable[PairVerdict]) -> str:
    """How many pairs changed, in a sentence."""
    real = [verdict for verdict in verdicts if not verdict.null]
    counted: Counter[str] = Counter(verdict.verdict for verdict in real)
    said = (
        ("worse", "worse"),
        ("better", "better"),
        ("equivalent", "unchanged"),
        ("inconclusive", "undecided"),
    )
    parts = [f"{counted[verdict]} {word}" for verdict, word in said if counted[verdict]]
    lost = len(real) - sum(counted[verdict] for verdict, _ in said)
    parts += [f"{lost} without result"] if lost else []
    return f"Of {words.plural(len(real), 'pair')}: {', '.join(parts)}" if parts else "No pair could be compared"


def _change(verdict: PairVerdict, limits: tuple[float, float]) -> Change:
    value = of_pair(verdict, verdict.factors.get("rate_rps"))
    condition = shared(verdict)
    name = f"{words.shown(verdict.scenario)}, {condition}"
    said = f"{name}: {words.interval(value)}, {verdict.verdict}"
    track = track_of(verdict, limits) if verdict.primary else None
    return Change(verdict, value, condition, label(verdict.metric), track, said)


def shared(verdict: PairVerdict) -> str:
    """What both sides of a pair have in common, from its verdict alone."""
    factors = verdict.factors
    parts = [words.plural(int(factors.get("workers", 1)), "worker")]
    parts += [f"{name} {factors[name]}" for name in ("pooling", "cache") if factors.get(name, "none") != "none"]
    parts += [words.plural(int(factors.get("connections", 1)), "connection")]
    return ", ".join(parts) + (", A/A" if verdict.null else "")


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
