"""What the blocks under a rate come to: the settings to deploy or the nearest miss, and a row for each candidate; pure.

Cheapest is what takes least memory; where memory is within 5 % it is equal, and the fewest workers are cheapest, then
the fewest threads.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Literal

from harness.strict import STRICT
from harness.tune.candidates import Candidate
from harness.tune.launches import shown
from harness.tune.rate.asked import Asked, RateBlock, each
from harness.tune.rate.grid import naive, untried
from harness.tune.rate.standing import Standing, Standings, cpu_s, stand, usual

ALIKE = 0.05
"""Share by which memory may differ and is still called equal."""

RateStanding = Literal["recommended", "holds", "open", "misses", "failed"]
"""open: neither was settled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RateRow:
    """One candidate under the rate, over all blocks that count."""

    __pydantic_config__ = STRICT

    workers: int
    threads: int
    standing: RateStanding
    why: str | None
    """Why it failed; None of the others."""
    held: int
    missed: int
    """Blocks in which the objectives held, and did not."""
    p99_us: float | None
    loss_ratio: float | None
    """Of the objective that was missed by most or came closest to it."""
    answered_rps: float | None
    """Good answers a second, late ones too: what a setting that misses could do at most. These three are medians."""
    memory_bytes: int | None
    cpu_s_per_request: float | None
    limit: str | None
    cause: str | None
    """What stopped it where it missed, and what most of its loss was."""
    naive: bool = False
    """Whether these are the 2C + 1 workers of the rule of thumb."""
    shared_bytes: int | None = None
    shared_lost_bytes: int | None = None
    first_answer_s: float | None = None
    first_answer_low_s: float | None = None
    first_answer_high_s: float | None = None
    """The last five as in `harness.tune.recommendation.CandidateRow`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RateAnswer:
    """What was asked, and what each candidate made of it."""

    __pydantic_config__ = STRICT

    rate_rps: float
    headroom: float
    offered_rps: float
    """The rate with its headroom, as every candidate was offered it."""
    connections: int
    slice_s: float
    blocks: int
    dropped: int
    """Blocks that do not count: nothing held in them, so the machine was at fault."""
    settled: bool
    """Whether what is recommended holds beyond doubt and nothing cheaper is open."""
    nearest: Candidate | None
    """The nearest miss, where nothing holds."""
    untried: tuple[str, ...]
    """Settings that were not tried, each with why they cannot matter."""
    rows: tuple[RateRow, ...]


def chosen(standings: Standings) -> Candidate | None:
    """The cheapest that holds; of those only that are settled, where there is one."""
    settled = [candidate for candidate, standing in standings.items() if standing.decision == "holds"]
    leading = [
        candidate for candidate, standing in standings.items() if standing.decision is None and standing.lead > 0
    ]
    return cheapest(settled or leading, standings)


def cheapest(candidates: Iterable[Candidate], standings: Standings) -> Candidate | None:
    """By memory, then by workers, then by threads; by the last two alone where a memory is not known."""
    return least({candidate: standings[candidate].memory_bytes for candidate in candidates})


def least(memory_bytes: Mapping[Candidate, int | None]) -> Candidate | None:
    """The cheapest of candidates whose memory is known, or None where it is not; None of none."""
    every = dict(memory_bytes)
    known = [memory for memory in every.values() if memory is not None]
    if len(known) == len(every) > 0:
        every = {each: memory for each, memory in every.items() if (memory or 0) <= min(known) * (1 + ALIKE)}
    return min(every, default=None)


def nearest(standings: Standings) -> Candidate | None:
    """What lost least of what may be lost, of those that missed."""
    missed = [candidate for candidate, standing in standings.items() if standing.missed]
    return min(missed, key=lambda candidate: (standings[candidate].excess, candidate), default=None)


def answer(asked: Asked, blocks: Sequence[RateBlock], *, settled: bool) -> RateAnswer:
    """The best answer that `blocks` give."""
    standings = stand(blocks)
    best = chosen(standings)
    launches = {name: shown(one for one in each(blocks) if one.candidate == name) for name in standings}
    return RateAnswer(
        rate_rps=asked.rate_rps,
        headroom=asked.headroom,
        offered_rps=asked.offered_rps,
        connections=asked.connections,
        slice_s=asked.slice_s,
        blocks=len(blocks),
        dropped=len(blocks) - len(usual(blocks)),
        settled=settled and best is not None,
        nearest=nearest(standings) if best is None else None,
        untried=untried(asked, cpu_s(standings.values())),
        rows=tuple(
            replace(_row(asked, candidate, standings[candidate], best), **launches[candidate])
            for candidate in sorted(standings)
        ),
    )


def _row(asked: Asked, candidate: Candidate, standing: Standing, best: Candidate | None) -> RateRow:
    trials = [each.trial for each in standing.trials]
    missed = [trial for trial in trials if trial.outcome == "exceeded"]
    thumb = naive(asked)
    return RateRow(
        workers=candidate.workers,
        threads=candidate.threads,
        standing="recommended" if candidate == best else _word(standing),
        why=standing.why if not trials else None,
        held=standing.held,
        missed=standing.missed,
        p99_us=_middle(trial.p99_us for trial in trials),
        loss_ratio=_middle(trial.loss_ratio for trial in trials),
        answered_rps=_middle(each.throughput_rps for each in standing.trials),
        memory_bytes=standing.memory_bytes,
        cpu_s_per_request=_middle(trial.cpu_s_per_request for trial in trials),
        limit=standing.limit,
        cause=missed[-1].cause if missed else None,
        naive=thumb is not None and candidate.workers == thumb.workers,
    )


def _word(standing: Standing) -> RateStanding:
    if not standing.trials:
        return "failed"
    return {"holds": "holds", "misses": "misses", "out": "failed", None: "open"}[standing.decision]  # type: ignore[return-value]  # the words are the same


def _middle(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None
