"""Two runs: how each pair's ratio changed, and whether anything got worse."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from harness.errors import UsageError
from harness.judge.compare.blocks import Sample, Trials, refuse, sample
from harness.judge.compare.conditions import (
    ACROSS_REMEDY,
    BETTER_WAY,
    across_machines,
    caveats,
    environment_changes,
    shared_cpu,
)
from harness.judge.compare.verdict import MIN_BLOCKS, common, factors, judge
from harness.judge.metrics import Metric, metrics
from harness.judge.statistics import geometric_mean, ratio_of, welch
from harness.judge.verdicts import ArmChange, Caveat, Comparison, PairVerdict, Verdict
from harness.record import Run
from harness.suite import NONE, Arm, Factor, Group, Pair


@dataclass(frozen=True, slots=True)
class Place:
    """Where a run has a pair: its group and the trials."""

    run: Run
    trials: Trials
    group: Group
    pair: Pair

    @property
    def arms(self) -> tuple[Arm, Arm]:
        """The two arms, a and b."""
        by_id = {arm.id: arm for arm in self.group.arms}
        return by_id[self.pair.a], by_id[self.pair.b]

    def metric(self, name: str) -> Metric | None:
        """The metric of that name, if the group's phases show it."""
        return next((metric for metric in metrics(self.group) if metric.name == name), None)

    def sample(self, metric: Metric) -> Sample:
        """What the pair's blocks show of `metric`."""
        return sample(self.trials, self.pair, metric)


def between(before: Run, after: Run, *, judge_across: bool = False) -> Comparison:
    """How `after` differs from `before`, pair by pair: ratio = (b / a after) / (b / a before).

    Of runs of different machines there are figures and no verdicts, unless `judge_across` asks for them.
    Raises `RecordError` when a record cannot be true, `UsageError` when no pair is common.
    """
    refuse(before)
    refuse(after)
    old, new = places(before, after), places(after, before)
    shared = [key for key in new if key in old]
    if not shared:
        message = f"no pair is common to {before.path} and {after.path}: compare runs of the same suite"
        raise UsageError(message)
    changes = environment_changes(before, after)
    pairs = tuple(verdict for key in shared for verdict in _verdicts(old[key], new[key]))
    arms = _arms(old, new, shared)
    apart = across_machines(before, after)
    unjudged = None if judge_across else apart
    if unjudged:
        pairs = tuple(_not_judged(verdict) for verdict in pairs)
    return Comparison(
        runs=(before.path, after.path),
        pairs=pairs,
        unjudged=unjudged,
        caveats=(
            *shared_cpu(before),
            *shared_cpu(after),
            *_apart(apart, judged=judge_across),
            *caveats(changes),
            *_unmatched(old, new),
            *_baseline_moved(pairs, arms),
        ),
        environment_changes=changes,
        arms=arms,
    )


def _not_judged(verdict: PairVerdict) -> PairVerdict:
    """The same figures without a verdict."""
    return verdict if verdict.ratio is None else replace(verdict, verdict="not judged", settle=None, caveats=())


def _apart(apart: str | None, *, judged: bool) -> Iterator[Caveat]:
    if apart:
        says = "a verdict may be one about them" if judged else "there are figures and no verdict"
        yield Caveat(kind="across-machines", text=f"{apart}: {says}", remedy=BETTER_WAY if judged else ACROSS_REMEDY)


def places(run: Run, other: Run) -> dict[tuple[Any, ...], Place]:
    """The pairs of a run by what they compare: cells, loads, and their number among pairs that are alike."""
    trials = Trials(run.trials)
    known = {factor.name for factor in other.info.plan.factors}
    unknown = [factor for factor in run.info.plan.factors if factor.name not in known]
    places: dict[tuple[Any, ...], Place] = {}
    for group in run.info.plan.groups:
        for pair in group.pairs:
            place = Place(run, trials, group, pair)
            sides = tuple((compared(arm, unknown), arm.connections, arm.rate_rps) for arm in place.arms)
            alike = sum(1 for key in places if key[:2] == (sides, pair.null))
            places[sides, pair.null, alike] = place
    return places


def compared(arm: Arm, unknown: Iterable[Factor]) -> tuple[tuple[str, Any], ...]:
    """The keys of a cell that tell it apart; of a factor that the other run does not know, only what is no default.

    A record from before there was a factor was measured at its default.
    """
    usual = {factor.name: (NONE, factor.default_of(arm.target)) for factor in unknown}
    return tuple(sorted((key, level) for key, level in arm.cell.keys.items() if level not in usual.get(key, ())))


def _verdicts(old: Place, new: Place) -> Iterator[PairVerdict]:
    for metric in metrics(new.group):
        earlier = old.metric(metric.name)
        if earlier is not None and earlier.phase == metric.phase:
            yield _verdict(old, new, metric)


def _verdict(old: Place, new: Place, metric: Metric) -> PairVerdict:
    a, b = new.arms
    before, after = old.sample(metric), new.sample(metric)
    left, right = ([trials[side] for trials in after.usable] for side in (0, 1))
    shortfalls = [
        f"in the run {when} {text}"
        for when, place, sample in (("before", old, before), ("after", new, after))
        if (text := sample.shortfall(place.run.info.plan.blocks))
    ]
    return PairVerdict(
        pair=new.pair.id,
        scenario=new.group.scenario,
        factors=factors(a, b, metric, new.run.info.plan, left),
        a=a.label,
        b=b.label,
        metric=metric.name,
        primary=metric.primary,
        higher_is_better=metric.higher_is_better,
        blocks_measured=min(before.measured, after.measured),
        a_limit=common(trial.limit for trial in left),
        b_limit=common(trial.limit for trial in right),
        phase=metric.phase,
        null=new.pair.null,
        **_change(metric, before, after, new.run.info.plan.margin, shortfalls),
    )


def _change(metric: Metric, before: Sample, after: Sample, margin: float, shortfalls: Sequence[str]) -> dict[str, Any]:
    """Ratio, interval and verdict, or why there are none."""
    blocks = min(len(before.values), len(after.values))
    reasons = tuple(f"{when}: {why}" for when, each in (("before", before), ("after", after)) for why in each.reasons)
    if blocks < 2:  # noqa: PLR2004 - one block has no spread
        return {"verdict": _missing(before, after), "reasons": reasons or ("fewer than two blocks show it",)}
    estimated = welch(list(after.values.values()), list(before.values.values()))
    low, high = estimated.interval()
    decision: Verdict = "inconclusive"
    if blocks >= MIN_BLOCKS:
        decision = judge(estimated, margin, higher_is_better=metric.higher_is_better)
    open_ = decision == "inconclusive"
    return {
        "ratio": ratio_of(estimated.mean),
        "low": ratio_of(low),
        "high": ratio_of(high),
        "blocks": blocks,
        "verdict": decision,
        "reasons": reasons,
        "settle": "; ".join((*shortfalls, f"more blocks in both runs, or {BETTER_WAY}")) if open_ else None,
        "caveats": () if open_ else tuple(shortfalls),
        "standard_error": estimated.standard_error,
        "degrees": estimated.degrees,
    }


def _missing(before: Sample, after: Sample) -> Verdict:
    """The verdict where there is no ratio."""
    if before.usable and after.usable:
        return "not resolved"
    return "error" if before.failed or after.failed else "invalid"


def _arms(
    old: dict[tuple[Any, ...], Place], new: dict[tuple[Any, ...], Place], shared: Iterable[tuple[Any, ...]]
) -> tuple[ArmChange, ...]:
    """The absolute throughputs of the shared pairs' arms, before and after."""
    changes: list[ArmChange] = []
    for key in shared:
        earlier, later = old[key], new[key]
        for index, side in enumerate(("a", "b")):
            before, after = _rps(earlier, index), _rps(later, index)
            if before and after:
                arm = later.arms[index]
                changes.append(
                    ArmChange(
                        pair=later.pair.id,
                        side="a" if side == "a" else "b",
                        scenario=later.group.scenario,
                        arm=arm.label,
                        before_rps=before,
                        after_rps=after,
                        ratio=after / before,
                    )
                )
    return tuple(changes)


def _rps(place: Place, side: int) -> float | None:
    trials = place.trials.of(place.arms[side].id, "closed").values()
    values = [trial.throughput_rps for trial in trials if trial.valid and trial.throughput_rps]
    return geometric_mean(values) if values else None


def _unmatched(old: dict[tuple[Any, ...], Place], new: dict[tuple[Any, ...], Place]) -> Iterator[Caveat]:
    for where, mine, others in (("before", old, new), ("after", new, old)):
        for key, place in mine.items():
            if key not in others:
                a, b = place.arms
                yield Caveat(
                    kind="unmatched",
                    text=f"only in the run {where}: {place.group.scenario}, {b.label} against {a.label}",
                    remedy="compare runs of the same suite",
                )


def _baseline_moved(pairs: Iterable[PairVerdict], arms: Iterable[ArmChange]) -> Iterator[Caveat]:
    """A caveat for each pair whose ratio changed more through its baseline than through its candidate."""
    baselines = {change.pair: change for change in arms if change.side == "a"}
    candidates = {change.pair: change for change in arms if change.side == "b"}
    for verdict in pairs:
        baseline, candidate = baselines.get(verdict.pair), candidates.get(verdict.pair)
        decided = verdict.primary and verdict.verdict in ("better", "worse")
        if not decided or baseline is None or candidate is None:
            continue
        if abs(math.log(baseline.ratio)) > abs(math.log(candidate.ratio)):
            yield Caveat(
                kind="baseline-moved",
                pair=verdict.pair,
                text=(
                    f"{verdict.scenario}: the ratio changed more because {baseline.arm} went from "
                    f"{baseline.before_rps:.0f} to {baseline.after_rps:.0f}/s than because {candidate.arm} changed"
                ),
                remedy=BETTER_WAY,
            )
