"""What a reader must know of a run of several sittings: other conditions, disturbances, blocks that were added."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from harness import units
from harness.judge.verdicts import Caveat
from harness.record import Run
from harness.record.conditions import DISTURBANCES, Changes, changes, sittings


def resumed(run: Run) -> Iterator[Caveat]:
    """A line for each sitting that went on under other conditions or was disturbed, and one where blocks were added."""
    yield from _other_conditions(run)
    yield from _more_blocks(run)
    yield from _disturbed(run)


def _other_conditions(run: Run) -> Iterator[Caveat]:
    """A sitting that has left no row has changed nothing: each is compared with the one before that has some."""
    rows, since = sittings(run.info), _first_blocks(run)
    for before, now in pairwise(sorted(since)):
        if now < len(rows) and (changed := changes(rows[before], rows[now])):
            yield Caveat(
                kind="resumed",
                text=f"went on with --accept-changes, and from block {since[now] + 1} on was measured under other "
                f"conditions: {_listed(changed)}",
                remedy="where a small difference matters, measure it as a whole under one set of conditions",
            )


def _disturbed(run: Run) -> Iterator[Caveat]:
    """What the look before a sitting found; of a sitting that has left no row nothing is to be said."""
    rows = sittings(run.info)
    for sitting, block in sorted(_first_blocks(run).items()):
        found = rows[sitting].environment.get(DISTURBANCES, ()) if sitting < len(rows) else ()
        if isinstance(found, list | tuple) and found:
            when = "the start" if sitting == 0 else f"block {block + 1}, with which --resume went on"
            yield Caveat(
                kind="disturbed",
                text=f"before {when}, this was found to disturb the machine: {'; '.join(map(str, found))}",
                remedy="`gatebench doctor` says what to do about each",
            )


def _first_blocks(run: Run) -> dict[int, int]:
    """Sitting -> the first block that it measured."""
    since: dict[int, int] = {}
    for trial in run.trials:
        since[trial.sitting] = min(trial.block, since.get(trial.sitting, trial.block))
    return since


def _listed(changed: Changes) -> str:
    """Each change by its name; the digests of two codes say nothing to a reader."""
    said = (
        name if name.startswith("code: ") else f"{name}: {before} before, {after} then"
        for name, (before, after) in changed.items()
    )
    return "; ".join(said)


def _more_blocks(run: Run) -> Iterator[Caveat]:
    before, now = sittings(run.info)[0].blocks, run.info.plan.blocks
    if run.info.kind == "suite" and before is not None and before < now:
        yield Caveat(
            kind="extended",
            text=f"was extended from {units.plural(before, 'block')} to {now}: who looks first and then adds blocks "
            "finds a difference by chance more often than one time in twenty",
            remedy="for a decision, plan all blocks beforehand",
        )
