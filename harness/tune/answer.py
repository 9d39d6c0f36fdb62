"""What tune found, as values: tune.json in the run's directory, `--json`, and the data of its two charts.

One chart shows `candidates`: throughput with its interval and p99 at each, ties shaded, the ceiling as a line, memory
on a second panel. The other shows `searched`: every rate tried, held or not, with the bracket of `capacity_rps`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from harness.errors import RecordError
from harness.judge.statistics import estimate
from harness.spec.percentiles import SAMPLES_BEYOND
from harness.strict import STRICT
from harness.tune.blocks import BlockOutcome, BlocksEnding, Measured, Setup
from harness.tune.bracket import Bracket, Stalls, conclude
from harness.tune.candidates import Candidate, Service
from harness.tune.choice import Choice, choose
from harness.tune.estimate import Fit, fit
from harness.tune.roster import follow
from harness.tune.rungs import Bound
from harness.tune.search import Search
from harness.tune.trials import Ending, RateTrial

BEYOND_P99 = 0.01
LEAST_BEYOND = 2
"""Answers of a block that must lie beyond its p99."""
FORMAT = 1
FILE = "tune.json"

Standing = Literal["recommended", "tie", "below", "behind", "failed"]
"""below: measured to the end and not within the margin; behind: not launched again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateRow:
    """One candidate, over all the blocks that it was in."""

    __pydantic_config__ = STRICT

    workers: int
    threads: int
    standing: Standing
    why: str | None
    """For behind and failed."""
    blocks: int
    throughput_rps: float | None
    """In the mean block: what a block has in common is taken out, so that any two candidates may be compared."""
    low_rps: float | None
    high_rps: float | None
    of_best: float | None
    """Throughput over that of the best."""
    p99_us: float | None
    """Geometric mean over the blocks; None where too few answers lie beyond it."""
    p99_low_us: float | None = None
    p99_high_us: float | None = None
    memory_bytes: int | None
    ceiling_rps: float | None
    limit: str | None
    worker_shares: tuple[float, ...]
    """Of the last block, falling."""
    share_of_picks: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RatePoint:
    """One trial of the search."""

    __pydantic_config__ = STRICT

    trial: RateTrial
    slow_spell: float
    """Probability that it fell into one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """What the search found."""

    __pydantic_config__ = STRICT

    low: float | None
    """The highest rate that holds; None: nothing does."""
    high: float | None
    """The lowest that does not; None: none was found."""
    connections: int | None = None
    """Over which the rates were offered."""
    launches: int = 0
    """Of the server, that the trials met."""
    trials: int
    low_trials: Bound | None
    high_trials: Bound | None
    probability: float
    """That the edge lies in the bracket or one step beside it."""
    settled: bool
    ending: Ending
    broke: str | None
    """The objective that broke first above."""
    cause: str | None
    """What most of its loss was."""
    limit: str | None
    stalls: Stalls | None = None
    """How the server stood still, where that is what broke it."""

    @property
    def known(self) -> bool:
        """Whether the trials say anything; no bound is known where none of them could be used."""
        return self.low is not None or self.high is not None or self.ending == "nothing holds"

    @property
    def holds(self) -> str:
        """The verb that its lower end has earned."""
        return "holds" if self.settled else "probably holds"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """All that tune found."""

    __pydantic_config__ = STRICT

    format: int = FORMAT
    target: str
    server: str
    scenario: str
    levels: tuple[str, ...] = ()
    """What else was set: client, middleware, gc."""
    service: Service | None = None
    margin: float
    budget_s: float
    elapsed_s: float = 0.0
    interrupted: bool = False
    failure: str | None = None
    """Of a launch or a load, that broke the tuning off."""
    slo: str | None = None
    capacity_rps: Capacity | None = None
    searched: tuple[RatePoint, ...] = ()
    recommended: Candidate | None = None
    ties: tuple[Candidate, ...] = ()
    ended: BlocksEnding | None = None
    """Why no further block was measured."""
    candidates: tuple[CandidateRow, ...] = ()
    explanation: str = ""
    command: tuple[str, ...] = ()
    """The server's argv to deploy."""
    caveats: tuple[str, ...] = ()


_ADAPTER = TypeAdapter(Answer)


def dump(answer: Answer) -> str:
    """The answer as JSON, for people too."""
    return _ADAPTER.dump_json(answer, indent=2).decode() + "\n"


def load(text: str | bytes, name: str = FILE) -> Answer:
    """Read what `dump` wrote; raises `RecordError` on anything else."""
    try:
        answer = _ADAPTER.validate_json(text)
    except ValidationError as error:
        problems = (f"{'.'.join(map(str, each['loc'])) or 'it'}: {each['msg']}" for each in error.errors())
        raise RecordError(f"{name} is not what tune writes: {'; '.join(problems)}") from error
    if answer.format != FORMAT:
        raise RecordError(f"{name} has format {answer.format}; this gatebench reads {FORMAT}")
    return answer


def capacity(search: Search, trials: Sequence[RateTrial], ending: Ending, connections: int | None = None) -> Capacity:
    """The search's answer; without a bound where no trial could be used, for then only the first guess is left."""
    bracket = conclude(search, trials)
    if all(trial.outcome == "invalid" for trial in trials):
        bracket = replace(bracket, low=None, high=None)
    return Capacity(
        low=bracket.low.rate_rps if bracket.low else None,
        high=bracket.high.rate_rps if bracket.high else None,
        connections=connections,
        launches=len({trial.launch for trial in trials}),
        trials=len(trials),
        low_trials=bracket.low,
        high_trials=bracket.high,
        probability=bracket.probability,
        settled=bracket.settled,
        ending=ending,
        broke=bracket.broke,
        cause=bracket.cause,
        limit=bracket.limit,
        stalls=bracket.stalls,
    )


def points(trials: Sequence[RateTrial], bracket: Bracket) -> tuple[RatePoint, ...]:
    """The search's chart."""
    return tuple(RatePoint(trial=one, slow_spell=spell) for one, spell in zip(trials, bracket.spells, strict=True))


def rows(setup: Setup, blocks: Sequence[BlockOutcome], choice: Choice | None = None) -> tuple[CandidateRow, ...]:
    """The candidates' chart: everything that was launched, rising."""
    choice = choice or choose(setup, blocks)
    roster = follow(setup, blocks)
    every = fit([block.rps for block in blocks])
    measured: dict[Candidate, list[Measured]] = {}
    for block in blocks:
        for each in block.measured:
            measured.setdefault(each.candidate, []).append(each)
    fits = [found for found in (roster.fitted, every) if found is not None]  # the choice was made by the first
    return tuple(
        _row(
            one,
            measured[one],
            next((found for found in fits if one in found.order), None),
            choice,
            roster.out.get(one),
        )
        for one in sorted(measured)
    )


def _row(
    one: Candidate, measured: Sequence[Measured], levels: Fit | None, choice: Choice | None, why: str | None
) -> CandidateRow:
    good = [found for found in measured if found.throughput_rps]
    low, high = levels.about(one).interval() if levels else (math.nan, math.nan)
    p99_us, p99_low_us, p99_high_us = _p99(good)
    compared = levels is not None and choice is not None and choice.best in levels.order
    return CandidateRow(
        workers=one.workers,
        threads=one.threads,
        standing=_standing(one, choice, why, good),
        why=why or (measured[-1].error if not good else None),
        blocks=len(good),
        throughput_rps=levels.rps(one) if levels else None,
        low_rps=math.exp(low) if levels else None,
        high_rps=math.exp(high) if levels else None,
        of_best=math.exp(levels.against(one, choice.best).mean) if compared and levels and choice else None,
        p99_us=p99_us,
        p99_low_us=p99_low_us,
        p99_high_us=p99_high_us,
        memory_bytes=max((found.memory_bytes for found in good if found.memory_bytes is not None), default=None),
        ceiling_rps=_middle(found.ceiling_rps for found in good),
        limit=_usual(good),
        worker_shares=good[-1].worker_shares if good else (),
        share_of_picks=choice.picks.get(one, 0.0) if choice else 0.0,
    )


def _standing(one: Candidate, choice: Choice | None, why: str | None, good: Sequence[Measured]) -> Standing:
    if not good:
        return "failed"
    if choice is not None and one == choice.recommended:
        return "recommended"
    if choice is not None and one in choice.ties:
        return "tie"
    return "behind" if why else "below"


def _p99(good: Sequence[Measured]) -> tuple[float | None, float | None, float | None]:
    """Over the blocks, with its interval; a block with a few answers beyond it tells of it, if all of them are enough.

    Of its logarithm, so that it is to be read like a ratio over blocks.
    """
    known = [(one.requests, one.p99_us) for one in good if one.p99_us and one.requests * BEYOND_P99 >= LEAST_BEYOND]
    if sum(requests for requests, _ in known) * BEYOND_P99 < SAMPLES_BEYOND:
        return None, None, None
    over_blocks = estimate([math.log(p99_us) for _, p99_us in known])
    low, high = over_blocks.interval() if len(known) > 1 else (math.nan, math.nan)
    ends = (None, None) if math.isnan(low) else (math.exp(low), math.exp(high))
    return math.exp(over_blocks.mean), *ends


def _middle(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None


def _usual(good: Sequence[Measured]) -> str | None:
    limits = Counter(found.limit for found in good if found.limit is not None)
    return limits.most_common(1)[0][0] if limits else None
