"""May the candidates be merged? What `--fail-on-regression` asks, and its answer as a value."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from harness.judge.compare.conditions import ACROSS_REMEDY, SHARED, SHARED_REMEDY
from harness.judge.compare.runs import Place, places
from harness.judge.compare.spoiled import Spoiled, by_blocks, spoiled
from harness.judge.compare.verdict import MIN_BLOCKS
from harness.judge.demands import THROUGHPUT, Demands
from harness.judge.statistics import Estimate, holm
from harness.judge.verdicts import Blame, Comparison, Gate, GateFinding, GateKind, PairVerdict
from harness.record import Run

ALPHA = 0.05
"""Chance, over all pairs and metrics together, that the gate fails although nothing got worse."""
NOT_SHOWN = "no load of the pair shows it: throughput needs a closed load, p99 an open one (phases)"


@dataclass(frozen=True, slots=True)
class Contest:
    """A pair whose candidate is judged: its place in the run, its verdicts, and why blocks of it do not count."""

    place: Place
    verdicts: dict[str, PairVerdict]
    """The gated metrics that the comparison shows, by name."""
    wanted: tuple[str, ...]
    """The metrics that it must have a verdict on."""
    spoiled: tuple[Spoiled, ...]

    def finding(self, kind: GateKind, faults: tuple[Blame, ...], reasons: tuple[str, ...]) -> GateFinding:
        """A finding about this pair as a whole."""
        return GateFinding(
            pair=self.place.pair.id,
            scenario=self.place.group.scenario,
            candidate=self.place.arms[1].label,
            kind=kind,
            faults=faults,
            reasons=reasons,
        )


def gate(comparison: Comparison, runs: Sequence[Run], demands: Demands) -> Gate:
    """Whether the candidates in the last of `runs`, of which `comparison` was made, are what `demands` ask for.

    A candidate fails by a credible regression and by a block that it spoiled. What has no verdict by another's fault is
    undecided. A pair that failed is not undecided too. A/A pairs are not judged.
    """
    contests = _contests(comparison, runs, demands)
    if any(run.info.shared_cpu for run in runs):
        return _ungated(contests, demands, f"{SHARED}: {SHARED_REMEDY}")
    if comparison.unjudged:
        return _ungated(contests, demands, f"{comparison.unjudged}: {ACROSS_REMEDY}")
    failed = _spoiled_blocks(contests, demands.allow_failed_blocks)
    judged = [verdict for contest in contests for verdict in contest.verdicts.values()]
    failed += [_finding(verdict, kind="regression") for verdict in _worse(judged, demands.threshold)]
    gone = [finding for contest in contests for finding in _without_verdict(contest)]
    failed += [finding for finding in gone if finding.faults == ("candidate",)]
    if demands.fail_on_inconclusive:
        failed += _inconclusive(judged, demands.threshold, {(each.pair, each.metric) for each in failed})
    out = {finding.pair for finding in failed}
    return Gate(
        threshold=demands.threshold,
        metrics=demands.metrics,
        allowed_failed_blocks=demands.allow_failed_blocks,
        pairs=tuple(contest.place.pair.id for contest in contests),
        failed=tuple(failed),
        undecided=tuple(finding for finding in gone if finding.pair not in out),
    )


def _ungated(contests: Sequence[Contest], demands: Demands, why: str) -> Gate:
    """Of different machines, or of servers and load generator on one CPU: nobody knows whose fault anything is."""
    return Gate(
        threshold=demands.threshold,
        metrics=demands.metrics,
        allowed_failed_blocks=demands.allow_failed_blocks,
        pairs=tuple(contest.place.pair.id for contest in contests),
        failed=(),
        undecided=tuple(
            replace(contest.finding("no verdict", ("machine",), (why,)), metric=metric)
            for contest in contests
            for metric in contest.wanted
        ),
    )


def regressions(
    comparison: Comparison, threshold: float, metrics: Sequence[str] = (THROUGHPUT,)
) -> tuple[PairVerdict, ...]:
    """The verdicts on `metrics` that are credibly worse by more than `threshold`; A/A pairs are not judged."""
    return _worse([each for each in comparison.pairs if each.metric in metrics and not each.null], threshold)


def _worse(verdicts: Iterable[PairVerdict], threshold: float) -> tuple[PairVerdict, ...]:
    """Those that are credibly worse.

    The p values are corrected for the number of pairs and metrics (Holm). They are two-sided against the threshold, so
    that a single pair fails exactly when its 95 % interval lies beyond it.
    """
    judged = [verdict for verdict in verdicts if _has_verdict(verdict)]
    adjusted = holm([_p_worse(verdict, threshold) for verdict in judged])
    return tuple(
        replace(verdict, adjusted_p=p, verdict="worse")
        for verdict, p in zip(judged, adjusted, strict=True)
        if p < ALPHA
    )


def _contests(comparison: Comparison, runs: Sequence[Run], demands: Demands) -> list[Contest]:
    """The pairs of the last run.

    A pair that an earlier run does not have can spoil blocks, but there is nothing to have a verdict on.
    """
    earlier = places(runs[0], runs[-1]) if len(runs) > 1 else None
    shown = {(each.pair, each.metric): each for each in comparison.pairs}
    contests = []
    for key, place in places(runs[-1], runs[0]).items():
        if place.pair.null:
            continue
        common = earlier is None or key in earlier
        wanted = _wanted(place, demands.metrics) if common else ()
        reasons = spoiled(place)
        if earlier is not None and common:
            reasons += spoiled(earlier[key], earlier=True)
        verdicts = {name: shown[place.pair.id, name] for name in wanted if (place.pair.id, name) in shown}
        contests.append(Contest(place, verdicts, wanted, reasons))
    return contests


def _wanted(place: Place, metrics: Sequence[str]) -> tuple[str, ...]:
    """Throughput is always gated, but where there is only an open load the metrics that were asked for do."""
    if "closed" in place.group.phases or set(metrics) == {THROUGHPUT}:
        return tuple(metrics)
    return tuple(name for name in metrics if name != THROUGHPUT)


def _spoiled_blocks(contests: Iterable[Contest], allowed: int) -> list[GateFinding]:
    """A finding for each candidate that spoiled blocks; none where they are no more than allowed."""
    findings = []
    for contest in contests:
        own = [each for each in contest.spoiled if each.blame == "candidate"]
        if blocks := sorted({each.block for each in own}):
            finding = contest.finding("spoiled", ("candidate",), by_blocks(own))
            findings.append(replace(finding, blocks=tuple(blocks)))
    return findings if sum(len(finding.blocks) for finding in findings) > allowed else []


def _without_verdict(contest: Contest) -> Iterator[GateFinding]:
    for metric in contest.wanted:
        verdict = contest.verdicts.get(metric)
        if verdict is not None and _has_verdict(verdict):
            continue
        own = [each for each in contest.spoiled if verdict is not None and each.phase == verdict.phase]
        faults: tuple[Blame, ...] = tuple(dict.fromkeys(each.blame for each in own)) or ("unclear",)
        finding = contest.finding("no verdict", faults, by_blocks(own) or _unexplained(verdict))
        yield replace(finding, metric=metric)


def _unexplained(verdict: PairVerdict | None) -> tuple[str, ...]:
    """Why there is no verdict where every row that there is may be used."""
    if verdict is None:
        return (NOT_SHOWN,)
    few = f"{verdict.blocks} of {verdict.blocks_measured} blocks count, a verdict needs {MIN_BLOCKS}: measure more"
    return verdict.reasons or (few,)


def _inconclusive(
    verdicts: Iterable[PairVerdict], threshold: float, failed: set[tuple[str, str | None]]
) -> Iterator[GateFinding]:
    """A finding for each verdict whose interval reaches beyond the threshold on the bad side."""
    for verdict in verdicts:
        if not _has_verdict(verdict) or (verdict.pair, verdict.metric) in failed:
            continue
        low, high = _estimate(verdict).interval()
        edge = math.log1p(threshold)
        if (low < -edge) if verdict.higher_is_better else (high > edge):
            yield _finding(verdict, kind="inconclusive")


def _finding(verdict: PairVerdict, *, kind: GateKind) -> GateFinding:
    return GateFinding(
        pair=verdict.pair,
        scenario=verdict.scenario,
        candidate=verdict.b,
        kind=kind,
        metric=verdict.metric,
        faults=("candidate",) if kind == "regression" else ("unclear",),
        ratio=verdict.ratio,
        low=verdict.low,
        high=verdict.high,
        adjusted_p=verdict.adjusted_p,
    )


def _has_verdict(verdict: PairVerdict) -> bool:
    return verdict.standard_error is not None and verdict.blocks >= MIN_BLOCKS


def _estimate(verdict: PairVerdict) -> Estimate:
    return Estimate(
        mean=math.log(verdict.ratio or 1.0),
        standard_error=verdict.standard_error or 0.0,
        degrees=verdict.degrees or 0.0,
    )


def _p_worse(verdict: PairVerdict, threshold: float) -> float:
    """Small when the pair is credibly worse by more than `threshold`."""
    edge = math.log1p(threshold)
    estimated = _estimate(verdict)
    p = estimated.p_below(-edge) if verdict.higher_is_better else estimated.p_above(edge)
    return min(1.0, 2 * p)
