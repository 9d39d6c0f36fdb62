"""Which rate a search offers next: short trials until the edge is known roughly, then trials of a spell; pure.

The rates of spells go evenly through what is believed of the next capacity, for its scatter shows only beside its
middle; and the server is launched afresh after every second trial, for launches scatter too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from harness.tune import next_rate
from harness.tune.interval import LEAST_LAUNCHES, LEAST_TRIALS, Spread, long, spell_s
from harness.tune.next_rate import GOLDEN, LEAST_OVERHEAD_S, USUAL_OVERHEAD_S, Done, Try, offering
from harness.tune.search import Search
from harness.tune.trials import RateTrial

AROUND = 0.9
"""Share of the probability through which the rates go, around its middle: what lies far from it shows the scatter."""
A_LAUNCH = 2
"""Trials of a launch."""
ENOUGH, MOST = 10, 40
"""Trials from which the interval is settled; and after which it gets no narrower that is worth the time."""
LAUNCH_S = 3.0
"""What a launch takes, before any has shown it."""


def decide(search: Search, trials: Sequence[RateTrial], left_s: float) -> Try | Done:
    """What to offer after `trials`, with `left_s` seconds left: what finds the edge roughly, and then spells.

    Where the time does not do for the spells of an interval, the edge is searched for with short trials to the end.
    """
    step = next_rate.decide(search, trials, left_s)
    begun = any(trial.spell for trial in trials)
    if isinstance(step, Done) and step.ending in ("nothing holds", "generator"):
        return step
    if not begun and (isinstance(step, Done) or not step.near_edge or left_s < _least_s(search)):
        return step
    return _spell(search, trials, left_s)


def _least_s(search: Search) -> float:
    """About how many seconds the fewest spells of an interval take."""
    trial_s = spell_s(search, search.seed_rps) + USUAL_OVERHEAD_S
    return LEAST_TRIALS * trial_s + LEAST_LAUNCHES * LAUNCH_S


def _spell(search: Search, trials: Sequence[RateTrial], left_s: float) -> Try | Done:
    spells = [trial for trial in trials if trial.spell]
    counted = len(long(trials))
    if counted >= MOST:
        return Done(ending="settled")
    share = 0.5 + AROUND * ((len(spells) + 1) * GOLDEN % 1 - 0.5)
    rate_rps = math.exp(Spread(search, trials).quantile(share))
    step = replace(
        offering(search.slo, float(f"{rate_rps:.5g}"), spell_s(search, rate_rps), near_edge=True),
        afresh=len(spells) % A_LAUNCH == 0,
        spell=True,
    )
    overhead_s = max((trial.took_s - trial.planned_s for trial in spells), default=USUAL_OVERHEAD_S)
    needed_s = step.up_to_s + max(overhead_s, LEAST_OVERHEAD_S) + LAUNCH_S * step.afresh
    if needed_s > left_s:
        return Done(ending="settled" if counted >= ENOUGH else "time is up")
    return step
