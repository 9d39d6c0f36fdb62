"""What a tuning comes to, as values: tune.json in the run's directory, `--json`, and the data of its two charts.

One chart shows `candidates`: the throughput of each with its interval, and its p99; ties are shaded, the ceiling is a
line, and a second panel has the memory. The other shows `searched`: every rate that was tried, whether it held, and the
bracket of `capacity_rps`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from harness.errors import RecordError
from harness.strict import STRICT
from harness.tune.blocks import BlocksEnding
from harness.tune.bracket import Stalls
from harness.tune.candidates import Candidate, Service
from harness.tune.interval import Interval
from harness.tune.most.verdict import Held, Rounds
from harness.tune.rate.answer import RateAnswer
from harness.tune.rate.next_group import RateEnding
from harness.tune.resources import Resources
from harness.tune.rungs import End
from harness.tune.trials import Ending, RateTrial
from harness.tune.variants import VariantRow

FORMAT = 1
FILE = "tune.json"

Standing = Literal["recommended", "tie", "below", "behind", "failed"]
"""below: measured to the end, and not within the margin; behind: not launched again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateRow:
    """One candidate, over all blocks that measured it."""

    __pydantic_config__ = STRICT

    workers: int
    threads: int
    standing: Standing
    why: str | None
    """Why it is behind or failed; None of the others."""
    blocks: int
    throughput_rps: float | None
    """In the mean block: what a block's arms have in common is taken out, so any two candidates may be compared."""
    low_rps: float | None
    high_rps: float | None
    of_best: float | None
    """Its throughput over that of the best."""
    p99_us: float | None
    """Under closed load, geometric mean over the blocks; None where too few responses were slower."""
    p99_low_us: float | None = None
    p99_high_us: float | None = None
    memory_bytes: int | None
    ceiling_rps: float | None
    limit: str | None
    worker_shares: tuple[float, ...]
    """Share of the requests by worker process in the last block, falling."""
    share_of_picks: float
    """How often it is recommended when the rounds, or without any the blocks, come out otherwise."""
    held: Held | None = None
    """What it holds of the objectives; None where it was offered no rate."""
    shared_bytes: int | None = None
    """Of the memory the pages that are not one process's alone, the most seen; None where it was not read."""
    shared_lost_bytes: int | None = None
    """What less of these there was after a launch's last slice than before any load, median; None where not read."""
    first_answer_s: float | None = None
    """From its start, beside the others of its block, to its first answer: median over its launches, and the range."""
    first_answer_low_s: float | None = None
    first_answer_high_s: float | None = None
    """None of a single launch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RatePoint:
    """One trial of the search, as a point of its chart."""

    __pydantic_config__ = STRICT

    trial: RateTrial
    slow_spell: float
    """Probability that it fell into a slow spell of the machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """The capacity: the bracket that the search ended with."""

    __pydantic_config__ = STRICT

    low: float | None
    """The highest rate that holds; None where no rate does, or where nothing is `known`."""
    high: float | None
    """The lowest rate that does not hold; None where none was found."""
    connections: int | None = None
    """Over which the rates were offered."""
    launches: int = 0
    """How many launches of the server answered the trials."""
    trials: int
    """Of the search, whether they could be used or not."""
    low_trials: End | None
    high_trials: End | None
    probability: float
    """That the edge lies in the bracket or one step beside it."""
    settled: bool
    ending: Ending
    broke: str | None
    """The objective that broke first above."""
    cause: str | None
    """What most of its loss was: late, errors or never sent."""
    limit: str | None
    """What stopped the server above."""
    stalls: Stalls | None = None
    """How the server stood still, where that is what broke the objective."""

    interval: Interval | None = None
    """The capacity of the next launch over the next half minute; None where there was no time to find it."""

    @property
    def known(self) -> bool:
        """Whether a bound is known: none is where no trial could be used."""
        return self.low is not None or self.high is not None or self.ending == "nothing holds"

    @property
    def holds(self) -> str:
        """What may be said of the lower bound: that it holds, or, unsettled, that it probably does."""
        return "holds" if self.settled else "probably holds"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommendation:
    """What to deploy, what load it holds, and what that rests on."""

    __pydantic_config__ = STRICT

    format: int = FORMAT
    target: str
    server: str
    scenario: str
    levels: tuple[str, ...] = ()
    """What else was set, in words: client, middleware, gc, its pod."""
    resources: Resources | None = None
    """The pod in which it was measured, as the `resources` of a container in Kubernetes; None without a pod."""
    service: Service | None = None
    margin: float
    budget_s: float
    elapsed_s: float = 0.0
    interrupted: bool = False
    failure: str | None = None
    """What a launch or a load said that failed and so broke the tuning off."""
    slo: str | None = None
    slo_given: bool = True
    """Whether that is the user's; else it is what is usual."""
    rounds: Rounds | None = None
    """The rounds of open load that chose; None where there was no time for any, and of a question with a rate."""
    rate: RateAnswer | None = None
    """The rate that was asked for, and what each candidate made of it; None where none was."""
    capacity_rps: Capacity | None = None
    searched: tuple[RatePoint, ...] = ()
    recommended: Candidate | None = None
    ties: tuple[Candidate, ...] = ()
    ended: BlocksEnding | RateEnding | None = None
    """Why no further block was measured; None where the tuning was interrupted or broken off before."""
    candidates: tuple[CandidateRow, ...] = ()
    variants: tuple[VariantRow, ...] = ()
    """What is recommended, then the same at other levels of factors that are for memory, in one block; may be empty."""
    explanation: str = ""
    command: tuple[str, ...] = ()
    """The server's argv to deploy."""
    caveats: tuple[str, ...] = ()


_ADAPTER = TypeAdapter(Recommendation)


def dump(recommendation: Recommendation) -> str:
    """The recommendation as JSON, indented for people."""
    return _ADAPTER.dump_json(recommendation, indent=2).decode() + "\n"


def load(text: str | bytes, name: str = FILE) -> Recommendation:
    """Read what `dump` wrote; raises `RecordError`, with `name` in it, on anything else."""
    try:
        recommendation = _ADAPTER.validate_json(text)
    except ValidationError as error:
        problems = (f"{'.'.join(map(str, problem['loc'])) or 'it'}: {problem['msg']}" for problem in error.errors())
        raise RecordError(f"{name} is not what tune writes: {'; '.join(problems)}") from error
    if recommendation.format != FORMAT:
        raise RecordError(f"{name} has format {recommendation.format}; this gatebench reads {FORMAT}")
    return recommendation
