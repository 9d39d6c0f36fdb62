"""Capacity under an objective: which rate to try next, and what the trials say; pure.

The driver offers an open load at the rate it is told, judges it (`harness.judge.slo`), and asks again with all
trials so far:

    trials = ()
    while isinstance(step := decide(search, trials, left_s), Try):
        trials += (RateTrial(...),)
    bracket = conclude(search, trials)

Nothing is kept between the calls, so a search resumes from its records, and an interrupted one has the best answer so
far. Rates lie on a ladder of 4 % steps, so that the answer is two neighbours: of the lower most trials held, of the
upper most did not. Short trials halve the range until the edge is known to a few steps (each is told to the Belief
and none is final); then both bounds of the likeliest bracket are tried in turn, and every third trial goes elsewhere,
where the evidence is thinner.

Why not the MLRsearch library (1.2.1; IETF draft-ietf-bmwg-mlrsearch)? Its measures are ours: loss ratio goal, trials
of growing length, several of them on a bound, of which a share may exceed the goal. But it owns its loop and its clock
and raises when the time is up; it begins at the highest load, which here leaves a queue that takes longer to drain than
the trial lasted; it repeats a load back to back, where one slow spell meets all repeats; and a load that once became an
upper bound is never tried again, since its lowest upper bound is final. The last two are what a shared machine needs.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from harness.errors import UsageError
from harness.judge.limits import stands_still
from harness.judge.slo import Slo
from harness.strict import STRICT
from harness.tune.belief import Evidence, believe

STEP = 1.04
"""Ratio of neighbouring rates, and so of the bounds of an answer."""
DOWN, UP = 64.0, 8.0
"""How far below and above the closed capacity the search may go."""
COARSE_S, EDGE_S, LONGEST_S = 2.0, 3.0, 30.0
"""Length of a trial far from the edge, near it, and the most that any may last."""
SLACKS = 30.0
"""Time limits that a trial near the edge lasts: an overload by 1/30 then shows as lateness before its end."""
SLACKS_S = 20.0
"""The most that is spent on that."""
COARSE_SPREAD = 3.0
"""Steps of spread from which trials are short."""
REPEATS = 7
"""Trials that each bound of a settled answer has at least."""
SURE, LIKELY = 0.95, 0.5
"""Probability around the bracket at which it is settled, and below which it is given wider."""
DOUBTS, NOTHING = 4, 3
"""Failures without one trial that held after which the lowest rate is tried; failures there that say: nothing holds."""
ELSEWHERE = 3
"""Every so many trials one looks away from the bounds."""
UNUSABLE = 8
"""Trials in a row that may not be used, after which the search gives up."""
GOLDEN = (math.sqrt(5) - 1) / 2

Outcome = Literal["held", "exceeded", "invalid"]
Ending = Literal["settled", "time is up", "nothing holds", "generator", "unusable", "failed", "interrupted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RateTrial:
    """One rate that was tried, and what came of it."""

    __pydantic_config__ = STRICT

    rate_rps: float
    planned_s: float
    start_s: float
    """Since the search began."""
    took_s: float
    """With starting, draining and stopping."""
    launch: int = 0
    """Which launch of the server it met."""
    outcome: Outcome
    loss_ratio: float | None = None
    """Of the objective that was missed by most or came closest to it."""
    objective: str | None = None
    """That objective, as text."""
    cause: str | None = None
    """What most of its loss was: late, errors or never sent."""
    p99_us: float | None = None
    stalls: int = 0
    """Times that the server stood still: nothing was answered while requests came in."""
    stalled_s: float = 0.0
    """Time that it did in all, of the `lasted_s` that the trial lasted."""
    lasted_s: float = 0.0
    cpu_s_per_request: float | None = None
    limit: str | None = None
    """What bound it, as `harness.judge.limits` says."""
    reasons: tuple[str, ...] = ()
    """Why it is invalid."""
    saturated: bool = False
    """The generator could not offer this rate: nothing above it can be tried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    """Offer `rate_rps` for `up_to_s`; stop as soon as an objective's `stops` are exceeded."""

    rate_rps: float
    up_to_s: float
    stops: tuple[tuple[int | None, int], ...]
    """For each objective its limit in microseconds (None: errors only) and the losses that the whole trial may have.

    Beyond them the verdict is certain whatever follows. No earlier bound is used: late answers come in runs, as queues
    do, and a binomial bound, for which they are independent, would be sure too soon.
    """
    queue: int
    """Arrivals that may wait for a connection; more could only be answered too late, and take long to drain."""
    near_edge: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """No trial is needed, or none fits into the time that is left."""

    ending: Ending


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """One end of the bracket."""

    __pydantic_config__ = STRICT

    rate_rps: float
    held: int
    exceeded: int

    @property
    def trials(self) -> int:
        """All of them."""
        return self.held + self.exceeded


@dataclass(frozen=True, slots=True, kw_only=True)
class Stalls:
    """A server that stood still now and then."""

    __pydantic_config__ = STRICT

    per_s: float
    """How often."""
    mean_s: float
    """For how long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bracket:
    """What a search found."""

    low: Bound | None
    """The highest rate that holds; None: nothing does."""
    high: Bound | None
    """The lowest that does not; None: not reached."""
    probability: float
    """That the edge lies here or one step beside."""
    settled: bool
    broke: str | None
    """The objective that broke first above."""
    cause: str | None
    limit: str | None
    stalls: Stalls | None
    """How the server stood still where that is what broke it."""
    spells: tuple[float, ...]
    """For each trial the probability that it fell into a slow spell; of invalid ones 0."""


@dataclass(frozen=True)
class Search:
    """What is looked for, and from where: `seed_rps` is the closed capacity, or any guess within a factor of three."""

    slo: Slo
    seed_rps: float

    def __post_init__(self) -> None:
        slowest = self.slo.arrivals_needed / LONGEST_S
        if self.seed_rps < slowest:
            needed_s = self.slo.arrivals_needed / self.seed_rps
            raise UsageError(
                f"{self.slo.text} needs {self.slo.arrivals_needed} arrivals in a trial, which take {needed_s:.0f} s "
                f"at {self.seed_rps:.3g}/s: state a lower percentile, such as p90, or a larger share of errors"
            )

    @cached_property
    def rates(self) -> NDArray[np.float64]:
        """The ladder, rising."""
        lowest = max(self.seed_rps / DOWN, self.slo.arrivals_needed / LONGEST_S)
        below = math.floor(math.log(self.seed_rps / lowest) / math.log(STEP) + 1e-9)
        above = math.floor(math.log(UP) / math.log(STEP))
        return np.array([float(f"{self.seed_rps * STEP**k:.5g}") for k in range(-below, above + 1)])

    def up_to_s(self, rate_rps: float, *, near_edge: bool) -> float:
        """How long a trial at that rate lasts."""
        resolved_s = self.slo.arrivals_needed / rate_rps
        if near_edge:
            return min(max(EDGE_S, min(SLACKS * self.slo.slack_s, SLACKS_S), resolved_s), LONGEST_S)
        return min(max(COARSE_S, resolved_s / 4), LONGEST_S)


def decide(search: Search, trials: Sequence[RateTrial], left_s: float) -> Try | Done:
    """What to do after `trials` with `left_s` seconds left for trials."""
    view = _View(search, trials)
    if view.settled:
        return Done(ending="nothing holds" if view.edge == 0 else "settled" if view.edge < view.top else "generator")
    step = view.next()
    overhead_s = max((trial.took_s - trial.planned_s for trial in trials), default=1.0)
    return Done(ending="time is up") if step.up_to_s + max(overhead_s, 0.5) > left_s else step


def conclude(search: Search, trials: Sequence[RateTrial]) -> Bracket:
    """The best answer that `trials` give."""
    view = _View(search, trials)
    low = high = view.edge
    if view.probability < LIKELY and not view.supported:
        low, high = min(low, view.belief.quantile(0.1)), max(high, view.belief.quantile(0.9))
    spells = iter(view.belief.spells)
    above = [
        trial
        for trial in view.counted
        if trial.outcome == "exceeded" and view.index(trial.rate_rps) in range(high, high + 4)
    ]
    broke = Counter((trial.objective, trial.cause, trial.limit) for trial in above)
    objective, cause, limit = broke.most_common(1)[0][0] if broke else (None, None, None)
    return Bracket(
        low=view.bound(low - 1) if low > 0 else None,
        high=view.bound(high) if high < view.top else None,
        probability=view.probability,
        settled=view.settled,
        broke=objective,
        cause=cause,
        limit=limit,
        stalls=_stalls([trial for trial in above if trial.limit == limit]) if limit != "server-cpu" else None,
        spells=tuple(next(spells) if trial.outcome != "invalid" else 0.0 for trial in trials),
    )


class _View:
    """The trials of a search, as they stand on its ladder."""

    def __init__(self, search: Search, trials: Sequence[RateTrial]) -> None:
        self.search, self.number = search, len(trials)
        self.counted = [trial for trial in trials if trial.outcome != "invalid"]
        unoffered = min((trial.rate_rps for trial in trials if trial.saturated), default=math.inf)
        self.rates = search.rates[: max(2, int(np.searchsorted(search.rates, unoffered)))]
        self.top = len(self.rates)
        """The edge above all rates."""
        self.belief = believe(self.rates, search.seed_rps, [_evidence(search, trial) for trial in self.counted])
        self.doubtful = len(self.counted) >= DOUBTS and all(trial.outcome == "exceeded" for trial in self.counted)
        """Whether nothing has held so far."""
        self.nothing = self.doubtful and self.bound(0).exceeded >= NOTHING
        self.edge = 0 if self.nothing else self._edge()
        self.probability = 1.0 if self.nothing else self.belief.around(self.edge)

    def index(self, rate_rps: float) -> int:
        """The rung nearest to a rate."""
        return int(np.argmin(np.abs(np.log(self.rates / rate_rps))))

    def bound(self, index: int) -> Bound:
        """How the trials at that rung went that were as long as near the edge; at the lowest, all of them."""
        rate = float(self.rates[index])
        least_s = self.search.up_to_s(rate, near_edge=index > 0) - 1e-9
        here = [t.outcome for t in self.counted if self.index(t.rate_rps) == index and t.planned_s >= least_s]
        return Bound(rate_rps=rate, held=here.count("held"), exceeded=here.count("exceeded"))

    def _edge(self) -> int:
        """The likeliest, but below every rate of which most trials failed: bad luck does not explain so many."""
        edge = self.belief.likeliest
        while edge > 0 and (below := self.bound(edge - 1)).trials >= REPEATS and below.held < below.exceeded:
            edge -= 1
        return edge

    @property
    def supported(self) -> bool:
        """Whether both bounds were tried often enough, most trials agreeing."""
        low = self.bound(self.edge - 1) if self.edge > 0 else None
        high = self.bound(self.edge) if self.edge < self.top else None
        return (low is None or (low.trials >= REPEATS and low.held > low.exceeded)) and (
            high is None or (high.trials >= REPEATS and high.exceeded > high.held)
        )

    @property
    def settled(self) -> bool:
        """Whether the bracket is likely enough and supported, or nothing holds."""
        return self.nothing or (self.probability >= SURE and self.supported)

    def next(self) -> Try:
        """The trial that tells most."""
        if self.doubtful:
            return self._try(0, near_edge=False)
        if self.belief.spread > COARSE_SPREAD * math.log(STEP):
            return self._try(self.belief.quantile(0.5), near_edge=False)
        if self.number % ELSEWHERE == 0:
            share = self.number * GOLDEN % 1  # goes round evenly, and the same way again on resume
            other = self.belief.quantile(share, temper=0.5)
            return self._try(other if share > 0.5 else other - 1, near_edge=True)  # noqa: PLR2004 - either side of it
        low, high = max(self.edge - 1, 0), min(self.edge, self.top - 1)
        return self._try(low if self.bound(low).trials <= self.bound(high).trials else high, near_edge=True)

    def _try(self, index: int, *, near_edge: bool) -> Try:
        rate = float(self.rates[min(max(index, 0), self.top - 1)])
        slo, up_to_s = self.search.slo, self.search.up_to_s(rate, near_edge=near_edge)
        longest_us = max((o.limit_us for o in slo.objectives if o.limit_us is not None), default=1_000_000)
        return Try(
            rate_rps=rate,
            up_to_s=up_to_s,
            stops=tuple((each.limit_us, each.allowed(rate * up_to_s)) for each in slo.objectives),
            queue=max(100, math.ceil(2e-6 * rate * longest_us)),
            near_edge=near_edge,
        )


def _stalls(trials: Sequence[RateTrial]) -> Stalls | None:
    """How the server stood still in these trials, if that makes their p99."""
    count, stalled_s = sum(trial.stalls for trial in trials), sum(trial.stalled_s for trial in trials)
    lasted_s = sum(trial.lasted_s for trial in trials)
    if not stands_still(count, stalled_s, lasted_s):
        return None
    return Stalls(per_s=count / lasted_s, mean_s=stalled_s / count)


def _evidence(search: Search, trial: RateTrial) -> Evidence:
    """A queue that grows by less than the time limit during the trial goes unseen."""
    return Evidence(
        rate_rps=trial.rate_rps,
        held=trial.outcome == "held",
        start_s=trial.start_s,
        blur=search.slo.slack_s / (2 * trial.planned_s),
    )
