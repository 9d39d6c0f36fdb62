"""Whether the interval of a capacity holds what it promises, on machines whose capacity is known.

    .venv/bin/python -m bench.capacity_simulation          500 searches on each of three machines, about 2 minutes
    .venv/bin/python -m bench.capacity_simulation 50       so many of each

A machine whose speed wanders, one that toggles by 40 % within seconds, and one on which launches differ by 5 %. Each
search is that of `gatebench tune`, by the functions that it uses, with 300 s for it (`--budget 8m`). Then the
server is launched once more, and its capacity over the next 30 s is found without noise. The interval must cover it in
90 % of the searches, and its median width be at most 1.5 times the 95 % range of that capacity (logarithms of rates).

Prints PASS or FAIL for each claim with what came out, and ends with 1 when a claim fails. Nothing is measured here, so
what else the machine does changes only how long it takes.
"""
# ruff: noqa: PLR2004 - the numbers of a claim are its point

from __future__ import annotations

import math
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from harness.judge.slo import parse
from harness.tune import next_spell
from harness.tune.interval import Interval, interval
from harness.tune.next_rate import Try
from harness.tune.search import Search
from harness.tune.trials import RateTrial

SLO = parse("p99<100ms")
TICK_S, UNLOADED_S, LIMIT_S, ALLOWED = 0.05, 0.052, 0.1, 0.01
LAUNCH_S, OVERHEAD_S, START_S, NEXT_S = 3.0, 1.2, 0.6, 30.0
A_LAUNCH = 10
"""Trials of a search for the edge on one launch."""
RATE_RPS = 1000.0
KINDS = ("wanders", "toggles", "launches")
Speeds = NDArray[np.float64]


def wandering(chance: np.random.Generator, ticks: int, spread: float, kept_s: float) -> Speeds:
    """The logarithm of a speed that wanders and comes back."""
    kept = math.exp(-TICK_S / kept_s)
    level, levels = float(chance.normal(0, spread)), np.empty(ticks)
    for tick, step in enumerate(chance.normal(0, spread * math.sqrt(1 - kept * kept), ticks)):
        level = kept * level + step
        levels[tick] = level
    return levels


def toggling(chance: np.random.Generator, ticks: int) -> Speeds:
    """The logarithm of one of two speeds, each for two and a half seconds in the mean."""
    levels, tick, fast = np.empty(ticks), 0, bool(chance.random() < 0.5)
    while tick < ticks:
        lasts = max(1, int(chance.exponential(2.5) / TICK_S))
        levels[tick : tick + lasts] = 0.0 if fast else math.log(0.6)
        tick, fast = tick + lasts, not fast
    return levels


@dataclass
class Machine:
    """A queue whose server is as fast as machine and launch are; time passes with each trial."""

    kind: str
    seed: int
    search_s: float
    now_s: float = 0.0
    launch: int = -1
    factor: float = 1.0
    on_launch: int = 0

    def __post_init__(self) -> None:
        self.chance = np.random.default_rng(self.seed)
        ticks = int((self.search_s + 2 * NEXT_S) / TICK_S)
        wander = (0.06, 20.0) if self.kind == "wanders" else (0.02, 6.0)
        levels = wandering(self.chance, ticks, *wander)
        levels += toggling(self.chance, ticks) if self.kind == "toggles" else 0.0
        self.speed_rps: Speeds = RATE_RPS * np.exp(levels)

    def launched(self) -> None:
        """Start the server afresh."""
        self.factor = math.exp(self.chance.normal(0, 0.05 if self.kind == "launches" else 0.01))
        self.launch, self.on_launch = self.launch + 1, 0
        self.now_s += LAUNCH_S

    def trial(self, step: Try) -> RateTrial:
        """Offer a rate; stop once the objective is lost."""
        if step.afresh or self.launch < 0 or self.on_launch >= A_LAUNCH:
            self.launched()
        self.on_launch += 1
        start_s = self.now_s
        held, used_s = holds(step.rate_rps, self._speeds(START_S, step.up_to_s))
        self.now_s += used_s + OVERHEAD_S
        return RateTrial(
            rate_rps=step.rate_rps,
            planned_s=step.up_to_s,
            start_s=start_s,
            took_s=used_s + OVERHEAD_S,
            spell=step.spell,
            launch=self.launch,
            outcome="held" if held else "exceeded",
        )

    def next_capacity(self) -> float:
        """What the next launch holds over the next half minute."""
        self.launched()
        speeds = self._speeds(0.0, NEXT_S)
        low, high = 0.2 * RATE_RPS, 3 * RATE_RPS
        for _ in range(14):
            rate_rps = math.sqrt(low * high)
            low, high = (rate_rps, high) if holds(rate_rps, speeds)[0] else (low, rate_rps)
        return low

    def _speeds(self, after_s: float, lasts_s: float) -> Speeds:
        first = int((self.now_s + after_s) / TICK_S)
        return self.speed_rps[first : first + int(lasts_s / TICK_S)] * self.factor


def holds(rate_rps: float, speeds_rps: Speeds) -> tuple[bool, float]:
    """Whether at most one request in a hundred is late at these speeds, and after how many seconds that is known."""
    waiting = late = 0.0
    arrivals = rate_rps * TICK_S
    allowed = ALLOWED * arrivals * len(speeds_rps)
    for tick, speed_rps in enumerate(speeds_rps.tolist(), 1):
        waiting = max(0.0, waiting + arrivals - speed_rps * TICK_S)
        late += arrivals if UNLOADED_S + waiting / speed_rps > LIMIT_S else 0.0
        if late > allowed:
            return False, tick * TICK_S
    return True, len(speeds_rps) * TICK_S


def searched(kind: str, search_s: float, seed: int) -> tuple[Interval | None, float]:
    """The interval after a search, and the capacity that came next."""
    machine = Machine(kind, seed, search_s)
    search = Search(SLO, 0.9 * RATE_RPS * math.exp(machine.chance.normal(0, 0.3)))
    trials: tuple[RateTrial, ...] = ()
    while isinstance(step := next_spell.decide(search, trials, search_s - machine.now_s), Try):
        trials += (machine.trial(step),)
    return interval(search, trials), machine.next_capacity()


@dataclass(frozen=True)
class Outcome:
    """What many searches on one machine came to."""

    covered: float
    """Share of the intervals that held the next capacity; a search without an interval counts as one that did not."""
    width: float
    """Median width over the 95 % range of the next capacity, both in logarithms."""
    none: int
    """Searches that had no time for an interval."""


def judged(found: list[tuple[Interval | None, float]]) -> Outcome:
    """Count them."""
    known = [(each, capacity) for each, capacity in found if each is not None]
    inside = sum(each.low <= capacity <= each.high for each, capacity in known)
    low, high = np.quantile(np.log([capacity for _, capacity in found]), [0.025, 0.975])
    widths = [math.log(each.high / each.low) for each, _ in known]
    width = float(np.median(widths) / (high - low)) if widths else math.inf
    return Outcome(covered=inside / len(found), width=width, none=len(found) - len(known))


def main(count: int, search_s: float = 300.0) -> int:
    """Search on each machine; 1 when a claim fails."""
    failed = False
    with ProcessPoolExecutor() as pool:
        for kind in KINDS:
            seeds = range(10_000, 10_000 + count)
            outcome = judged(list(pool.map(partial(searched, kind, search_s), seeds, chunksize=5)))
            held = outcome.covered >= 0.9 and outcome.width <= 1.5
            failed |= not held
            covers = f"{outcome.covered:.1%} of {count} intervals cover the next half minute (at least 90 %)"
            width = f"their median width is {outcome.width:.2f} times its 95 % range (at most 1.5)"
            print(f"{'PASS' if held else 'FAIL'}  {kind}: {covers}, {width}, {outcome.none} had none", flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 500))
