"""Why blocks of a pair do not count, and whose fault that is: the candidate's, the baseline's, or neither's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from harness.errors import Fault
from harness.judge.compare.blocks import FIGURES
from harness.judge.compare.runs import Place
from harness.judge.validity import causes
from harness.judge.verdicts import Blame
from harness.record import Trial
from harness.suite import Phase


@dataclass(frozen=True, slots=True)
class Spoiled:
    """A reason why a block does not count in a phase."""

    block: int
    phase: Phase
    blame: Blame
    reason: str
    """The arm's id, what happened, and the remedy."""


def spoiled(place: Place, *, earlier: bool = False) -> tuple[Spoiled, ...]:
    """Every reason why a block of the pair at `place` does not count, from the records alone.

    What is an arm's own fault is the candidate's on side b and the baseline's on side a. In the `earlier` of two runs
    both sides are the baseline.
    """
    baseline, candidate = place.arms
    return tuple(
        Spoiled(block, phase, _blame(cause.fault, mine=arm is candidate and not earlier), f"{arm.id}: {cause.reason}")
        for phase in place.group.phases
        for arm, partner in ((baseline, candidate), (candidate, baseline))
        for block, trial, beside in _rows(place, arm.id, partner.id, phase)
        for cause in causes(
            trial, place.run.info.plan.thresholds, beside=beside, upstream_calls=arm.scenario.upstream_calls
        )
    )


def by_blocks(reasons: Iterable[Spoiled]) -> tuple[str, ...]:
    """Each kind of reason once, with the blocks that it spoiled; those that differ only in their figures are one."""
    first: dict[str, str] = {}
    blocks: dict[str, set[int]] = {}
    for each in reasons:
        kind = FIGURES.sub("#", each.reason)
        first.setdefault(kind, each.reason)
        blocks.setdefault(kind, set()).add(each.block)
    return tuple(f"{_numbers(blocks[kind])}: {text}" for kind, text in first.items())


def _rows(place: Place, arm: str, partner: str, phase: Phase) -> Iterator[tuple[int, Trial, Trial | None]]:
    beside = place.trials.of(partner, phase)
    for block, trial in sorted(place.trials.of(arm, phase).items()):
        yield block, trial, beside.get(block)


def _blame(fault: Fault, *, mine: bool) -> Blame:
    if fault != "arm":
        return fault
    return "candidate" if mine else "baseline"


def _numbers(blocks: Iterable[int]) -> str:
    numbers = sorted(blocks)
    return ("block " if len(numbers) == 1 else "blocks ") + ", ".join(map(str, numbers))
