"""What the memory of a server does as it answers: growth a request, and what follows from it for a limit; pure.

Growth is that of the anonymous memory of its processes within the windows of its slices: pages of files do not count,
nor do pages that a forked worker no longer shares with the others.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from harness import units
from harness.judge.statistics import Estimate, estimate
from harness.judge.validity import kept
from harness.judge.verdicts import Caveat
from harness.record import SliceRow, Trial
from harness.suite import Arm

LEAST = 100.0
"""Bytes a request, below which nothing is called growth."""
STEADY = 0.75
"""Share of the slices that must have grown: caches and pools grow too, and stop."""
LAUNCHES = 3
"""From so many launches on they are the sample, else their slices are."""
FILLED = 0.9
"""Share of a limit up to which memory may grow."""
JITTER = 0.1
"""Of the requests after which a worker ends, so that not all end at once: gunicorn's --max-requests-jitter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """Bytes a request with their 95 % interval, and what they rest on."""

    bytes_per_request: float
    low: float
    high: float
    launches: int
    slices: int


def growth(trials: Iterable[Trial]) -> Growth | None:
    """How the memory of an arm grows, by all its trials, valid or not; None where no growth is seen.

    The first slice of a launch is left out: a server that has just started still fills its pools. Some go on for a few
    thousand requests, slower and slower: growth must be seen in the later half of the slices alone, too.
    """
    launches: dict[tuple[str, int], list[SliceRow]] = {}
    for trial in trials:
        launches.setdefault((trial.group, trial.block), []).extend(
            row for row in kept(trial) if row.grown_bytes is not None and row.requests
        )
    settled = [sorted(rows, key=lambda row: row.start_s)[1:] for rows in launches.values()]
    settled = [rows for rows in settled if rows]
    found = _seen(settled)
    if found is None or _seen([rows[len(rows) // 2 :] for rows in settled]) is None:
        return None
    low, high = found.interval()
    return Growth(
        bytes_per_request=found.mean, low=low, high=high, launches=len(settled), slices=sum(map(len, settled))
    )


def _seen(settled: Sequence[Sequence[SliceRow]]) -> Estimate | None:
    """Bytes a request by the slices of each launch; None where these do not show that it grows."""
    rows = [row for each in settled for row in each]
    values = [_rate(each) for each in settled] if len(settled) >= LAUNCHES else [_rate([row]) for row in rows]
    grew = sum((row.grown_bytes or 0) > 0 for row in rows)
    if len(values) <= 1 or grew < STEADY * len(rows):
        return None
    found = estimate(values)
    return found if found.interval()[0] >= LEAST else None


def max_requests(grows: Growth, limit_bytes: int, before_bytes: int, workers: int) -> int | None:
    """After how many requests a worker must end, so that `workers` of them stay below FILLED of a limit.

    `before_bytes` is what they take together before they grow; None where that leaves nothing to grow into.
    """
    room = FILLED * limit_bytes - before_bytes
    count = math.floor(room / workers / ((1 + JITTER) * grows.high))
    return count if count > 0 else None


def before_growth(trials: Iterable[Trial]) -> int | None:
    """What the pod had taken before its memory grew, the least over the trials; None where no pod counted it."""
    taken = [
        trial.peak_memory_bytes - sum(max(0, row.grown_bytes or 0) for row in trial.slices)
        for trial in trials
        if trial.peak_memory_bytes is not None and trial.slices
    ]
    return min(taken, default=None)


def shared_lost(trial: Trial) -> int | None:
    """What its processes share less after its last slice than before any load; None where one of the two is not known.

    Whatever a worker writes to, were it a counter of references, it has for itself from then on.
    """
    after = [row.shared_bytes for row in sorted(trial.slices, key=lambda row: row.start_s)]
    if trial.shared_before_bytes is None or not after or after[-1] is None:
        return None
    return trial.shared_before_bytes - after[-1]


def growths(arms: Iterable[Arm], trials: Sequence[Trial]) -> Iterator[Caveat]:
    """The growth of each arm in which it is seen, with what keeps it below the limit of its pod."""
    for arm in arms:
        mine = [trial for trial in trials if trial.arm == arm.id and trial.error is None]
        if (grows := growth(mine)) is not None:
            yield Caveat(
                kind="memory-growth",
                text=(
                    f"its memory grows with each request by {units.bytes_(grows.bytes_per_request)} "
                    f"({units.bytes_(grows.low)} to {units.bytes_(grows.high)}, by {grows.slices} slices; launches: "
                    f"{grows.launches})"
                ),
                remedy=f"find out what it keeps; until then {_until_then(grows, arm, mine)}",
                arm=arm.id,
                pair=arm.pair,
            )


def _until_then(grows: Growth, arm: Arm, trials: Iterable[Trial]) -> str:
    limit, before = arm.cell.memory_limit_bytes, before_growth(trials)
    if limit is None or before is None:
        return "restart each worker in time: under --memory it is said after how many requests"
    count = max_requests(grows, limit, before, arm.cell.workers)
    if count is None:
        return f"give it more than {units.bytes_(limit)}, which leaves it nothing to grow into"
    return (
        f"restart each worker after {count} requests, which stays below {units.bytes_(limit)} (gunicorn: "
        f"--max-requests {count} --max-requests-jitter {math.floor(JITTER * count)}; uvicorn: --limit-max-requests "
        f"{count})"
    )


def _rate(rows: Sequence[SliceRow]) -> float:
    """Bytes a request over those slices."""
    return sum(row.grown_bytes or 0 for row in rows) / sum(row.requests for row in rows)
