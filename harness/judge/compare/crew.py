"""What a reader must know of trials that only some of several generators drove."""

from __future__ import annotations

from collections.abc import Iterator

from harness import units
from harness.judge.verdicts import Caveat
from harness.record import Run


def absent(run: Run) -> Iterator[Caveat]:
    """A caveat where generators were absent from trials that have figures."""
    short = [trial for trial in run.trials if trial.absent]
    if not short:
        return
    why = "; ".join(dict.fromkeys(each for trial in short for each in trial.absent))
    yield Caveat(
        kind="absent",
        text=(
            f"{units.plural(len(short), 'trial')} of {len(run.trials)} were driven by those of "
            f"{run.info.plan.generators} generators that were left, with the same load in all: {why}"
        ),
        remedy="see logs/generator.log; both arms of a pair had the same generators in each phase",
    )
