"""One run: its pairs, its noise, its effects, and what a reader must know."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from harness import units
from harness.judge.compare.blocks import Trials, refuse, sample
from harness.judge.compare.effects import effects
from harness.judge.compare.verdict import verdict
from harness.judge.limits import diagnoses
from harness.judge.metrics import metrics
from harness.judge.verdicts import Caveat, Comparison, Noise, PairVerdict
from harness.record import Run, Trial
from harness.suite import PHASES


def within(run: Run) -> Comparison:
    """What `run` shows of its pairs; raises `RecordError` when a record cannot be true."""
    refuse(run)
    trials = Trials(run.trials)
    pairs = tuple(pair_verdicts(run, trials))
    noise = tuple(_noise(pairs))
    doubts = {one.metric: _doubt(one) for one in noise if one.excludes_one}
    return Comparison(
        runs=(run.path,),
        pairs=tuple(replace(one, caveats=(doubts[one.metric],)) if one.metric in doubts else one for one in pairs),
        noise=noise,
        effects=effects(run),
        caveats=(*_noise_caveats(noise), *_torn(run), *_diagnoses(run, trials)),
    )


def pair_verdicts(run: Run, trials: Trials) -> Iterator[PairVerdict]:
    """Every metric of every planned pair, in the plan's order."""
    plan = run.info.plan
    for group in plan.groups:
        for pair in group.pairs:
            for metric in metrics(group):
                yield verdict(group, pair, metric, sample(trials, pair, metric), plan)


def _noise(pairs: Iterable[PairVerdict]) -> Iterator[Noise]:
    for one in pairs:
        # Two copies' memory differs by a page or two for certain, which says nothing of the instrument.
        comparable = one.null and one.metric != "memory_bytes"
        if comparable and one.ratio is not None and one.low is not None and one.high is not None:
            yield Noise(
                metric=one.metric,
                low=one.low,
                high=one.high,
                ratio=one.ratio,
                excludes_one=not one.low <= 1 <= one.high,
            )


def _noise_caveats(noise: Iterable[Noise]) -> Iterator[Caveat]:
    for one in noise:
        if one.excludes_one:
            yield Caveat(
                kind="noise",
                text=_doubt(one),
                remedy="take every verdict on it with caution; measure again with more blocks on a quieter machine",
            )


def _doubt(noise: Noise) -> str:
    return f"an A/A pair differs in {noise.metric}: {units.ratio(noise.ratio, noise.low, noise.high)}"


def _torn(run: Run) -> Iterator[Caveat]:
    if run.torn:
        yield Caveat(
            kind="torn",
            text=f"the last line of {run.path} was torn and is left out",
            remedy="run again with --resume to measure it",
        )


def _diagnoses(run: Run, trials: Trials) -> Iterator[Caveat]:
    """Of each arm by its median trial of either phase, with those of the other arms as siblings.

    Where no trial is valid, by the median of those that answered: what is wrong with the arm may be why.
    """
    arms = {arm.id: arm for group in run.info.plan.groups for arm in group.arms}
    for phase in PHASES:
        typical = {name: trial for name in arms if (trial := _typical(trials.of(name, phase).values()))}
        for name, trial in typical.items():
            siblings = [other for key, other in typical.items() if key != name]
            for found in diagnoses(trial, arms[name], siblings, run.info.plan, run.info.placement):
                # A tuning's answer says itself, and once, when the load is the limit of its candidates.
                if not (run.info.kind == "tune" and found.kind == "few-connections"):
                    yield found


def _typical(trials: Iterable[Trial]) -> Trial | None:
    answered = [one for one in trials if one.throughput_rps and one.error is None]
    fit = [one for one in answered if one.valid] or answered
    return sorted(fit, key=lambda one: one.throughput_rps or 0.0)[len(fit) // 2] if fit else None
