"""Two runs: how each pair's ratio changed, and whether anything got worse."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from harness.errors import UsageError
from harness.judge.compare.blocks import Sample, Trials, refuse, sample
from harness.judge.compare.conditions import BETTER_WAY, caveats, environment_changes
from harness.judge.compare.verdict import MIN_BLOCKS, common, factors, judge
from harness.judge.metrics import Metric, metrics
from harness.judge.statistics import geometric_mean, welch
from harness.judge.verdicts import ArmChange, Caveat, Comparison, PairVerdict, Verdict
from harness.record import Run
from harness.suite import Arm, Group, Pair


@dataclass(frozen=True, slots=True)
class Place:
    """A pair where a run has it."""

    run: Run
    trials: Trials
    group: Group
    pair: Pair

    @property
    def arms(self) -> tuple[Arm, Arm]:
        """The two arms, a and b."""
        found = {arm.id: arm for arm in self.group.arms}
        return found[self.pair.a], found[self.pair.b]

    def metric(self, name: str) -> Metric | None:
        """The metric of that name, if the group's phases show it."""
        return next((one for one in metrics(self.group) if one.name == name), None)


def between(before: Run, after: Run) -> Comparison:
    """How `after` differs from `before`, pair by pair: ratio = (b / a after) / (b / a before).

    Raises `RecordError` when a record cannot be true, `UsageError` when no pair is common.
    """
    refuse(before)
    refuse(after)
    old, new = _places(before), _places(after)
    shared = [key for key in new if key in old]
    if not shared:
        message = f"no pair is common to {before.path} and {after.path}: compare runs of the same suite"
        raise UsageError(message)
    changes = environment_changes(before, after)
    pairs = tuple(verdict for key in shared for verdict in _verdicts(old[key], new[key]))
    return Comparison(
        runs=(before.path, after.path),
        pairs=pairs,
        caveats=(*caveats(changes), *_alone(old, new), *_baseline_moved(pairs, arms := _arms(old, new, shared))),
        environment_changes=changes,
        arms=arms,
    )


def _places(run: Run) -> dict[tuple[Any, ...], Place]:
    """The pairs of a run by what they compare; of pairs that are alike each has its number."""
    trials = Trials(run.trials)
    found: dict[tuple[Any, ...], Place] = {}
    for group in run.info.plan.groups:
        for pair in group.pairs:
            place = Place(run, trials, group, pair)
            sides = tuple((arm.cell, arm.connections, arm.rate_rps) for arm in place.arms)
            same = sum(1 for key in found if key[:2] == (sides, pair.null))
            found[sides, pair.null, same] = place
    return found


def _verdicts(old: Place, new: Place) -> Iterator[PairVerdict]:
    for metric in metrics(new.group):
        earlier = old.metric(metric.name)
        if earlier is not None and earlier.phase == metric.phase:
            yield _verdict(new, metric, sample(old.trials, old.pair, metric), sample(new.trials, new.pair, metric))


def _verdict(new: Place, metric: Metric, old_seen: Sample, new_seen: Sample) -> PairVerdict:
    a, b = new.arms
    left, right = ([pair[side] for pair in new_seen.usable] for side in (0, 1))
    return PairVerdict(
        pair=new.pair.id,
        scenario=new.group.scenario,
        factors=factors(a, b, metric),
        a=a.label,
        b=b.label,
        metric=metric.name,
        primary=metric.primary,
        higher_is_better=metric.higher_is_better,
        blocks_measured=min(old_seen.measured, new_seen.measured),
        a_limit=common(one.limit for one in left),
        b_limit=common(one.limit for one in right),
        phase=metric.phase,
        null=new.pair.null,
        **_change(metric, old_seen, new_seen, new.run.info.plan.margin),
    )


def _change(metric: Metric, old: Sample, new: Sample, margin: float) -> dict[str, Any]:
    blocks = min(len(old.values), len(new.values))
    reasons = tuple(f"{when}: {why}" for when, seen in (("before", old), ("after", new)) for why in seen.reasons)
    if blocks < 2:  # noqa: PLR2004 - one block has no spread
        return {"verdict": _missing(old, new), "reasons": reasons or ("fewer than two blocks show it",)}
    estimated = welch(list(new.values.values()), list(old.values.values()))
    low, high = estimated.interval()
    said: Verdict = "inconclusive"
    if blocks >= MIN_BLOCKS:
        said = judge(estimated, margin, higher_is_better=metric.higher_is_better)
    return {
        "ratio": math.exp(estimated.mean),
        "low": math.exp(low),
        "high": math.exp(high),
        "blocks": blocks,
        "verdict": said,
        "reasons": reasons,
        "settle": f"more blocks in both runs, or {BETTER_WAY}" if said == "inconclusive" else None,
        "standard_error": estimated.standard_error,
        "degrees": estimated.degrees,
    }


def _missing(old: Sample, new: Sample) -> Verdict:
    if any(seen.usable for seen in (old, new)) and all(seen.usable for seen in (old, new)):
        return "not resolved"
    return "error" if old.failed or new.failed else "invalid"


def _arms(
    old: dict[tuple[Any, ...], Place], new: dict[tuple[Any, ...], Place], shared: Iterable[tuple[Any, ...]]
) -> tuple[ArmChange, ...]:
    """Absolute throughputs of the shared pairs' arms."""
    found: list[ArmChange] = []
    for key in shared:
        earlier, later = old[key], new[key]
        for index, side in enumerate(("a", "b")):
            before, after = _rps(earlier, index), _rps(later, index)
            if before and after:
                arm = later.arms[index]
                found.append(
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
    return tuple(found)


def _rps(place: Place, side: int) -> float | None:
    trials = place.trials.of(place.arms[side].id, "closed").values()
    values = [one.throughput_rps for one in trials if one.valid and one.throughput_rps]
    return geometric_mean(values) if values else None


def _alone(old: dict[tuple[Any, ...], Place], new: dict[tuple[Any, ...], Place]) -> Iterator[Caveat]:
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
    """A ratio that rose because its baseline fell is no improvement."""
    baselines = {one.pair: one for one in arms if one.side == "a"}
    candidates = {one.pair: one for one in arms if one.side == "b"}
    for one in pairs:
        base, candidate = baselines.get(one.pair), candidates.get(one.pair)
        if one.primary and base and candidate and one.verdict in ("better", "worse") and one.ratio:
            moved, stood = abs(math.log(base.ratio)), abs(math.log(candidate.ratio))
            if moved > stood:
                yield Caveat(
                    kind="baseline-moved",
                    pair=one.pair,
                    text=(
                        f"{one.scenario}: the ratio changed more because {base.arm} went from {base.before_rps:.0f} to "
                        f"{base.after_rps:.0f}/s than because {candidate.arm} changed"
                    ),
                    remedy=BETTER_WAY,
                )
