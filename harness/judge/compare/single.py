"""One run: its pairs, its noise, its effects, and what a reader must know."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from harness import units
from harness.judge.compare.blocks import Trials, refuse, sample
from harness.judge.compare.conditions import shared_cpu
from harness.judge.compare.crew import absent
from harness.judge.compare.effects import effects
from harness.judge.compare.links import links
from harness.judge.compare.running import running
from harness.judge.compare.sittings import resumed
from harness.judge.compare.verdict import verdict
from harness.judge.limits import diagnoses
from harness.judge.memory import growths
from harness.judge.metrics import metrics
from harness.judge.verdicts import Caveat, Comparison, Noise, PairVerdict
from harness.record import Run, Trial
from harness.record.conditions import of_servers
from harness.suite import PHASES, Arm


def within(run: Run) -> Comparison:
    """What `run` shows of its pairs; raises `RecordError` when a record cannot be true."""
    refuse(run)
    trials = Trials(run.trials)
    pairs = tuple(pair_verdicts(run, trials))
    noise = tuple(_noise(pairs))
    doubts = {each.metric: _doubt(each) for each in noise if each.excludes_one}
    return Comparison(
        runs=(run.path,),
        pairs=tuple(_doubted(pair, doubts) for pair in pairs),
        noise=noise,
        effects=effects(run),
        caveats=(
            *shared_cpu(run),
            *resumed(run),
            *running(run),
            *links(run),
            *absent(run),
            *_noise_caveats(noise),
            *_torn(run),
            *_diagnoses(run, trials),
            *growths(_arms(run).values(), run.trials),
        ),
    )


def pair_verdicts(run: Run, trials: Trials) -> Iterator[PairVerdict]:
    """Every metric of every planned pair, in the plan's order."""
    plan = run.info.plan
    for group in plan.groups:
        for pair in group.pairs:
            for metric in metrics(group):
                yield verdict(group, pair, metric, sample(trials, pair, metric), plan)


def _noise(pairs: Iterable[PairVerdict]) -> Iterator[Noise]:
    for pair in pairs:
        # The memory of two copies always differs by a page or two, which says nothing of the instrument.
        comparable = pair.null and pair.metric != "memory_bytes"
        if comparable and pair.ratio is not None and pair.low is not None and pair.high is not None:
            yield Noise(
                metric=pair.metric,
                low=pair.low,
                high=pair.high,
                ratio=pair.ratio,
                excludes_one=not pair.low <= 1 <= pair.high,
            )


def _noise_caveats(noise: Iterable[Noise]) -> Iterator[Caveat]:
    for each in noise:
        if each.excludes_one:
            yield Caveat(
                kind="noise",
                text=_doubt(each),
                remedy="take every verdict on it with caution; measure again with more blocks on a quieter machine",
            )


def _doubt(noise: Noise) -> str:
    return f"an A/A pair differs in {noise.metric}: {units.ratio(noise.ratio, noise.low, noise.high)}"


def _doubted(pair: PairVerdict, doubts: Mapping[str, str]) -> PairVerdict:
    """The verdict with the doubt about its metric, if there is one."""
    doubt = doubts.get(pair.metric)
    return pair if doubt is None else replace(pair, caveats=(*pair.caveats, doubt))


def _torn(run: Run) -> Iterator[Caveat]:
    if run.torn:
        yield Caveat(
            kind="torn",
            text=f"the last line of {run.path} was torn and is left out",
            remedy="run again with --resume to measure it",
        )


def _diagnoses(run: Run, trials: Trials) -> Iterator[Caveat]:
    """The diagnoses of each arm in each phase, by its typical trial; those of the other arms are its siblings."""
    arms = _arms(run)
    host = of_servers(run.info).get("cpus")
    for phase in PHASES:
        typical = {name: trial for name in arms if (trial := _typical(trials.of(name, phase).values()))}
        for name, trial in typical.items():
            siblings = [sibling for arm, sibling in typical.items() if arm != name]
            for caveat in diagnoses(trial, arms[name], siblings, run.info.plan, run.info.placement, host):
                # Where the load bounds the candidates of a tuning, its answer says so, once for all of them.
                if not (run.info.kind == "tune" and caveat.kind == "few-connections"):
                    yield caveat


def _arms(run: Run) -> dict[str, Arm]:
    return {arm.id: arm for group in run.info.plan.groups for arm in group.arms}


def _typical(trials: Iterable[Trial]) -> Trial | None:
    """The valid trial of median throughput.

    Where no trial is valid, that of those that answered: what is wrong with the arm may be why they are not valid.
    """
    answered = [trial for trial in trials if trial.throughput_rps and trial.error is None]
    candidates = sorted(
        [trial for trial in answered if trial.valid] or answered, key=lambda trial: trial.throughput_rps or 0.0
    )
    return candidates[len(candidates) // 2] if candidates else None
