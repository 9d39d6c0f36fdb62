"""The block as the sample: the trials of a pair, block by block."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from harness.errors import RecordError
from harness.judge.metrics import Metric
from harness.judge.validity import impossible
from harness.record import Run, Trial
from harness.suite import Pair, Phase


class Trials:
    """Trials by arm, phase and block; of two with the same name (measured again on resume) the last counts."""

    def __init__(self, trials: Iterable[Trial]) -> None:
        self._found: dict[tuple[str, Phase], dict[int, Trial]] = {}
        for trial in trials:
            self._found.setdefault((trial.arm, trial.phase), {})[trial.block] = trial

    def of(self, arm: str, phase: Phase) -> dict[int, Trial]:
        """By block."""
        return self._found.get((arm, phase), {})

    def both(self, pair: Pair, phase: Phase) -> Iterator[tuple[int, Trial, Trial]]:
        """The blocks in which both arms of a pair have a row, whatever it says."""
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
    failed: bool
    """Whether a trial of the pair failed, rather than being invalid."""
    reasons: tuple[str, ...]
    """Why blocks are missing from `usable`."""


def sample(trials: Trials, pair: Pair, metric: Metric) -> Sample:
    """Collect `metric` of `pair` over the blocks in which both its arms are valid."""
    rows = list(trials.both(pair, metric.phase))
    usable = {block: (a, b) for block, a, b in rows if counts(a) and counts(b)}
    seen = {block: metric.log_ratio(a, b) for block, (a, b) in usable.items()}
    values = {block: value for block, value in seen.items() if value is not None}
    unfit = [one for _, a, b in rows for one in (a, b) if not counts(one)]
    return Sample(
        values=values if len(values) == len(seen) else {},
        usable=tuple(usable.values()),
        measured=len(rows),
        failed=any(one.error is not None for one in unfit),
        reasons=tuple(dict.fromkeys(f"{one.arm}: {reason}" for one in unfit for reason in _why(one))),
    )


def refuse(run: Run) -> None:
    """Raise `RecordError` naming every trial of `run` that cannot be true."""
    calls = {arm.id: arm.scenario.upstream_calls for group in run.info.plan.groups for arm in group.arms}
    found = [
        f"{run.path}: trial {trial.trial}: {what}"
        for trial in run.trials
        for what in impossible(trial, run.info.plan.thresholds, upstream_calls=calls.get(trial.arm, 1))
    ]
    if found:
        raise RecordError("\n".join(found))


def counts(trial: Trial) -> bool:
    """Whether its numbers count."""
    return trial.valid and trial.error is None


def _why(trial: Trial) -> tuple[str, ...]:
    return (trial.error,) if trial.error is not None else trial.reasons
