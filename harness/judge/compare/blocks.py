"""The block as the sample: the trials of a pair, block by block."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from harness.errors import RecordError
from harness.judge import episodes
from harness.judge.metrics import Metric
from harness.judge.validity import impossible
from harness.record import Run, Trial
from harness.suite import Pair, Phase

FIGURES = re.compile(r"\d[\d.,]*")
"""What differs between two reasons of the same rule."""


class Trials:
    """Trials by arm, phase and block; of two with the same name (measured again on resume) the last counts."""

    def __init__(self, trials: Iterable[Trial]) -> None:
        self._by_arm_and_phase: dict[tuple[str, Phase], dict[int, Trial]] = {}
        for trial in trials:
            self._by_arm_and_phase.setdefault((trial.arm, trial.phase), {})[trial.block] = trial

    def of(self, arm: str, phase: Phase) -> dict[int, Trial]:
        """The trials of an arm in a phase, by block."""
        return self._by_arm_and_phase.get((arm, phase), {})

    def both(self, pair: Pair, phase: Phase) -> Iterator[tuple[int, Trial, Trial]]:
        """The blocks in which both arms of a pair have a row, valid or not: block, trial of a, trial of b."""
        a, b = self.of(pair.a, phase), self.of(pair.b, phase)
        for block in sorted(a.keys() & b.keys()):
            yield block, a[block], b[block]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What a pair's blocks show of one metric."""

    values: dict[int, float]
    """Log ratio by block; empty when any valid block does not show the metric."""
    usable: tuple[tuple[Trial, Trial], ...]
    """The trials of the blocks in which both are valid."""
    measured: int
    """Blocks in which both arms have a row, valid or not."""
    failed: bool
    """Whether a trial of the pair failed, rather than being invalid."""
    reasons: tuple[str, ...]
    """Why blocks are missing from `usable`, each with its arm in front."""
    main_reason: str | None = None
    """Why most of them are missing, without arm and remedy; None when none is missing."""

    def shortfall(self, planned: int) -> str | None:
        """That some blocks were not valid, and mainly why; None when as many as were `planned` are.

        Blocks that are still to be measured are no shortfall.
        """
        valid = len(self.usable)
        if valid >= min(self.measured, planned):
            return None
        return f"only {valid} of {self.measured} blocks {'was' if valid == 1 else 'were'} valid: {self.main_reason}"


@dataclass(frozen=True, slots=True)
class Shown:
    """What one block shows of one metric of a pair: all that takes a look through its rows."""

    trials: tuple[Trial, Trial]
    usable: bool
    value: float | None
    """The log ratio, if the block is usable and shows it."""

    @classmethod
    def by(cls, a: Trial, b: Trial, metric: Metric) -> Shown:
        """By the trials of its two arms."""
        usable = counts(a) and counts(b)
        return cls((a, b), usable, metric.log_ratio(a, b) if usable else None)


def sample(trials: Trials, pair: Pair, metric: Metric) -> Sample:
    """Collect `metric` of `pair` over the blocks in which both its arms are valid."""
    return gathered({block: Shown.by(a, b, metric) for block, a, b in trials.both(pair, metric.phase)})


def gathered(blocks: Mapping[int, Shown]) -> Sample:
    """The sample that these blocks make up, in the order of their numbers."""
    rows = [(block, blocks[block]) for block in sorted(blocks)]
    usable = [(block, shown) for block, shown in rows if shown.usable]
    values = {block: shown.value for block, shown in usable if shown.value is not None}
    unfit = [trial for _, shown in rows for trial in shown.trials if not counts(trial)]
    return Sample(
        values=values if len(values) == len(usable) else {},
        usable=tuple(shown.trials for _, shown in usable),
        measured=len(rows),
        failed=any(trial.error is not None for trial in unfit),
        reasons=tuple(dict.fromkeys(f"{trial.arm}: {reason}" for trial in unfit for reason in _reasons(trial))),
        main_reason=_main_reason(unfit),
    )


def refuse(run: Run) -> None:
    """Raise `RecordError` naming every trial and every episode of `run` that cannot be true."""
    calls = {arm.id: arm.scenario.upstream_calls for group in run.info.plan.groups for arm in group.arms}
    contradictions = [
        f"{run.path}: trial {trial.trial}: {what}"
        for trial in run.trials
        for what in impossible(trial, run.info.plan.thresholds, upstream_calls=calls.get(trial.arm, 1))
    ]
    contradictions += [
        f"{run.path}: episode {episode.episode}: {what}"
        for episode in run.episodes
        for what in episodes.impossible(episode, run.info.plan)
    ]
    if contradictions:
        raise RecordError("\n".join(contradictions))


def counts(trial: Trial) -> bool:
    """Whether its numbers count."""
    return trial.valid and trial.error is None


def _reasons(trial: Trial) -> tuple[str, ...]:
    return (trial.error,) if trial.error is not None else trial.reasons


def _main_reason(unfit: Iterable[Trial]) -> str | None:
    """The commonest of their reasons; reasons that differ only in their figures are counted together."""
    texts = [text for trial in unfit for text in _without_remedies(trial)]
    kinds = Counter(FIGURES.sub("#", text) for text in texts)
    return max(texts, key=lambda text: kinds[FIGURES.sub("#", text)], default=None)


def _without_remedies(trial: Trial) -> tuple[str, ...]:
    """What a reason says before its colon; of an error the first line."""
    if trial.error is not None:
        return (trial.error.partition("\n")[0],)
    return tuple(reason.partition(": ")[0] for reason in trial.reasons)
