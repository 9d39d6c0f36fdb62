"""Which rate a search offers next, and for how long; pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from harness.judge.slo import Slo
from harness.tune.rungs import Rungs
from harness.tune.search import STEP, Search
from harness.tune.trials import Ending, RateTrial

COARSE_SPREAD = 3.0
"""Steps of spread of the belief above which trials are short."""
ELSEWHERE = 3
"""Every so many trials the rate is not one of the two bounds."""
GOLDEN = (math.sqrt(5) - 1) / 2
LEAST_OVERHEAD_S, USUAL_OVERHEAD_S = 0.5, 1.0
"""What a trial takes beyond its load: at least, and before any trial has shown it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    """Offer `rate_rps` for `up_to_s`; stop as soon as an objective's `stops` are exceeded."""

    rate_rps: float
    up_to_s: float
    stops: tuple[tuple[int | None, int], ...]
    """For each objective its limit in microseconds (None: errors only) and the losses that the whole trial may have.

    With more losses than that, the objective is missed whatever follows. No earlier end is used: late answers come in
    runs, as queues do, and a binomial bound takes them for independent, so it would be sure too soon.
    """
    queue: int
    """Arrivals that may wait for a connection; more could only be answered too late, and take long to drain."""
    near_edge: bool
    afresh: bool = False
    """Whether the server is to be launched afresh for it."""
    spell: bool = False
    """Whether it is to show the machine's spells (`next_spell`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """No trial is needed, or none fits into the time that is left."""

    ending: Ending


def decide(search: Search, trials: Sequence[RateTrial], left_s: float) -> Try | Done:
    """What to do after `trials`, with `left_s` seconds left for more."""
    rungs = Rungs(search, trials)
    if rungs.settled:
        return Done(ending="nothing holds" if rungs.edge == 0 else "settled" if rungs.edge < rungs.top else "generator")
    step = _most_telling(rungs)
    overhead_s = max((trial.took_s - trial.planned_s for trial in trials), default=USUAL_OVERHEAD_S)
    return Done(ending="time is up") if step.up_to_s + max(overhead_s, LEAST_OVERHEAD_S) > left_s else step


def _most_telling(rungs: Rungs) -> Try:
    """The trial that says most about the edge."""
    if rungs.doubtful:
        return _try(rungs, 0, near_edge=False)
    if rungs.belief.spread > COARSE_SPREAD * math.log(STEP):
        return _try(rungs, rungs.belief.quantile(0.5), near_edge=False)
    if rungs.number % ELSEWHERE == 0:
        share = rungs.number * GOLDEN % 1  # goes round evenly, and the same way again on resume
        edge = rungs.belief.quantile(share, temper=0.5)
        return _try(rungs, edge if share > 0.5 else edge - 1, near_edge=True)  # noqa: PLR2004 - either side of it
    low, high = max(rungs.edge - 1, 0), min(rungs.edge, rungs.top - 1)
    return _try(rungs, low if rungs.end(low).trials <= rungs.end(high).trials else high, near_edge=True)


def _try(rungs: Rungs, index: int, *, near_edge: bool) -> Try:
    """A trial at that rung, or at the nearest rung that there is."""
    rate = float(rungs.rates[min(max(index, 0), rungs.top - 1)])
    return offering(rungs.search.slo, rate, rungs.search.up_to_s(rate, near_edge=near_edge), near_edge=near_edge)


def offering(slo: Slo, rate_rps: float, up_to_s: float, *, near_edge: bool) -> Try:
    """A trial at that rate, of that length."""
    return Try(
        rate_rps=rate_rps,
        up_to_s=up_to_s,
        stops=tuple((objective.limit_us, objective.allowed(rate_rps * up_to_s)) for objective in slo.objectives),
        queue=queue(slo, rate_rps),
        near_edge=near_edge,
    )


def queue(slo: Slo, rate_rps: float) -> int:
    """Arrivals that may wait at that rate: those of twice the longest time limit, a hundred at least."""
    limits_us = [objective.limit_us for objective in slo.objectives if objective.limit_us is not None]
    return max(100, math.ceil(2e-6 * rate_rps * max(limits_us, default=1_000_000)))
