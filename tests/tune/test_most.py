"""The settings of highest capacity under the objectives: decisions on services whose capacity is known."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from harness.tune import next_block
from harness.tune.blocks import BlockOutcome, Measured, Setup
from harness.tune.candidates import Candidate, ample, candidates
from harness.tune.most.next_round import Enough, Round, decide
from harness.tune.most.race import Race
from harness.tune.most.usual import usual
from harness.tune.most.verdict import choose, held, offered
from harness.tune.rate.asked import Offered, RateBlock, asked_of
from harness.tune.session import CHOOSING, CLOSED, LAID_OUT
from tests.tune.rate_systems import MIB, SLO, Machine, System, system, trial_of
from tests.tune.tune_support import service

MARGIN = 0.05
TOLERANCE = 0.02
"""What a machine that scatters by two per cent from slice to slice does not tell apart in five minutes."""
BUDGET_S = 285.0


@dataclass(frozen=True)
class Peculiar(System):
    """A setting has a per cent of its own, and loses up to `crowd` where a worker has many threads."""

    seed: int = 0
    crowd: float = 0.0

    def capacity(self, candidate: Candidate) -> float:
        """What closed load does not show is in it."""
        own = np.random.default_rng([self.seed, candidate.workers, candidate.threads]).normal(0, 0.01)
        crowded = 1 - self.crowd * min(1.0, candidate.threads / 64)
        return super().capacity(candidate) * math.exp(own) * crowded

    def closed_rps(self, candidate: Candidate) -> float:
        """Throughput under a closed load with connections enough."""
        slots = min(self.slots(candidate), self.known.connections)
        return min(slots / self.response_s, min(candidate.workers, self.known.cores) / self.cpu_s)


def peculiar(chance: np.random.Generator, kind: Any, seed: int) -> Peculiar:
    """A service, with a closed load that fills it; workers of one request wait for less, so that they are few."""
    real = system(chance, kind)
    if kind == "one":
        shorter = 0.2 * real.response_s
        known = replace(real.known, cores=1, unloaded_s=0.2 * real.known.unloaded_s)
        real = replace(real, known=known, response_s=shorter)
    known = real.known
    connections = ample(known.cores, known.unloaded_s, known.cpu_s_per_request)
    crowd = float(chance.choice([0.0, 0.05, 0.1]))
    return Peculiar(replace(known, connections=connections), real.response_s, real.cpu_s, seed, crowd)


def closed(real: Peculiar, group: tuple[Candidate, ...], chance: np.random.Generator) -> BlockOutcome:
    """A closed block: it scatters by 2 % beside what its candidates have in common."""
    mood = math.exp(chance.normal(0, 0.05))
    shown = tuple(
        Measured(
            candidate=candidate,
            throughput_rps=real.closed_rps(candidate) * mood * math.exp(chance.normal(0, 0.02)),
            memory_bytes=real.memory(candidate),
        )
        for candidate in group
    )
    return BlockOutcome(measured=shown, took_s=sum(2.6 + 0.25 * candidate.workers for candidate in group))


def raced(real: Peculiar, chance: np.random.Generator, budget_s: float = BUDGET_S) -> tuple[Race, float, str]:
    """Blocks and rounds as a session has them: the race, the seconds that it took, why it ended."""
    setup = next_block.begin(real.known, LAID_OUT * budget_s)
    blocks: list[BlockOutcome] = []
    rounds: list[RateBlock] = []
    took_s, machine = 0.0, Machine(chance)
    while not Race(setup, blocks, rounds).shown:
        closed_step = next_block.decide(setup, blocks, CLOSED * budget_s - took_s)
        if not isinstance(closed_step, next_block.Measure):
            break
        blocks.append(closed(real, closed_step.candidates, chance))
        took_s += blocks[-1].took_s
    while isinstance(step := decide(setup, blocks, rounds, SLO, CHOOSING * budget_s - took_s), Round):
        rounds.append(machine.block(real, step.candidates, step.asked))
        took_s += rounds[-1].took_s
    return Race(setup, blocks, rounds), took_s, step.why


def dearer(real: Peculiar, chosen: Candidate, every: set[Candidate]) -> bool:
    """Whether something that takes less, and two numbers of workers fewer or more, has clearly enough capacity."""
    best = max(map(real.capacity, every))
    enough = [each for each in every if real.capacity(each) >= (1 - MARGIN + TOLERANCE) * best]
    least = min(map(real.memory, enough))
    cheapest = min(each for each in enough if real.memory(each) <= 1.05 * least)
    counts = sorted({each.workers for each in every})
    return counts.index(chosen.workers) > counts.index(cheapest.workers) + 1


@pytest.mark.parametrize("kind", ["threads", "one", "loop"])
def test_the_settings_hold_nearly_the_most_and_cost_no_more_than_the_cheapest_and_a_step(kind: str) -> None:
    """In 95 of 100 at least, and never out of time."""
    right = 0
    for seed in range(100):
        chance = np.random.default_rng(seed)
        real = peculiar(chance, kind, seed)
        race, took_s, _ = raced(real, chance)
        assert took_s <= CHOOSING * BUDGET_S
        every = {arm.candidate for block in race.blocks for arm in block.measured} | set(candidates(real.known))
        assert race.chosen is not None
        floor = (1 - MARGIN - TOLERANCE) * max(map(real.capacity, every))
        right += real.capacity(race.chosen) >= floor and not dearer(real, race.chosen, every)
    assert right >= 95


FEW, SOME, MANY = Candidate(1, 20), Candidate(1, 33), Candidate(1, 64)


def setup() -> Setup:
    """Three numbers of threads on one core."""
    known = service(slots="threads", connections=128, unloaded_s=0.022, cpu_s_per_request=0.001)
    return Setup(service=known, first=((FEW, SOME, MANY),))


def blocks(**rps: float) -> list[BlockOutcome]:
    """Two closed blocks, by names like t33."""
    shown = tuple(
        Measured(candidate=Candidate(1, int(name[1:])), throughput_rps=value, memory_bytes=40 * MIB)
        for name, value in rps.items()
    )
    return [BlockOutcome(measured=shown, took_s=9.0)] * 2


ALIKE = blocks(t20=980.0, t33=1000.0, t64=1000.0)


def at(rate_rps: float, *held_by: Candidate, missed_by: tuple[Candidate, ...] = ()) -> RateBlock:
    """A round in which these held that rate and those did not."""
    asked = asked_of(setup().service, SLO, rate_rps, headroom=0.0)
    shown = dict.fromkeys(held_by, 0.5) | dict.fromkeys(missed_by, 4.0)
    offered_ = tuple(
        Offered(candidate=candidate, trial=trial_of(asked, excess), memory_bytes=40 * MIB)
        for candidate, excess in shown.items()
    )
    return RateBlock(offered=offered_, took_s=4.8 * len(shown))


def test_what_closed_load_calls_equal_open_load_tells_apart() -> None:
    """The fewest threads answer nearly as much, but do not hold the objective where the others do."""
    assert Race(setup(), ALIKE, []).chosen == FEW
    race = Race(setup(), ALIKE, [at(800.0, SOME, MANY, missed_by=(FEW,)), at(780.0, SOME, MANY, missed_by=(FEW,))] * 2)
    assert race.chosen == SOME
    choice = choose(race)
    assert choice is not None
    assert (choice.recommended, FEW in choice.ties) == (SOME, False)
    assert choice.picks[SOME] > 0.75
    shown = held(race)
    assert (shown[FEW].held, shown[FEW].missed, shown[SOME].held) == (0, 4, 4)
    assert shown[FEW].of_best < 0.95
    assert shown[SOME].low_rps < shown[SOME].rps < shown[SOME].high_rps


def test_a_round_in_which_the_machine_was_slow_says_nothing_of_which_is_better() -> None:
    """All missed what all held before: the levels stay in the same order, and as far apart."""
    usual_rounds = [at(800.0, SOME, MANY, missed_by=(FEW,))] * 3
    before = Race(setup(), ALIKE, usual_rounds).levels
    after = Race(setup(), ALIKE, [*usual_rounds, at(780.0, missed_by=(FEW, SOME, MANY))]).levels
    assert before is not None
    assert after is not None
    assert after.moods[-1] < -0.02
    gaps = [known.against(FEW, SOME).mean for known in (before, after)]
    assert gaps[1] == pytest.approx(gaps[0], abs=0.02)


def test_rounds_go_on_at_rates_that_the_best_may_just_hold() -> None:
    """Upwards where all hold, downwards where none does; and all that is in the race is in the first round."""
    first = decide(setup(), ALIKE, [], SLO, 100.0)
    assert isinstance(first, Round)
    assert first.candidates == (FEW, SOME, MANY)
    rate_rps = first.asked.offered_rps
    assert 700 < rate_rps < 1000
    higher = decide(setup(), ALIKE, [at(rate_rps, FEW, SOME, MANY)], SLO, 100.0)
    lower = decide(setup(), ALIKE, [at(rate_rps, missed_by=(FEW, SOME, MANY))], SLO, 100.0)
    assert isinstance(higher, Round)
    assert isinstance(lower, Round)
    assert lower.asked.offered_rps < 0.81 * rate_rps
    assert rate_rps < higher.asked.offered_rps < 1.2 * rate_rps
    both = [at(rate_rps, missed_by=(FEW, SOME, MANY)), at(0.8 * rate_rps, FEW, SOME, MANY)]
    between = decide(setup(), ALIKE, both, SLO, 100.0)
    assert isinstance(between, Round)
    assert 0.8 * rate_rps < between.asked.offered_rps < rate_rps


def test_it_is_enough_when_the_choice_is_clear_or_the_time_is_up() -> None:
    """Or nothing can be measured."""
    clear = [at(800.0, SOME, MANY, missed_by=(FEW,)), at(780.0, SOME, MANY, missed_by=(FEW,))] * 4
    assert decide(setup(), ALIKE, clear, SLO, 100.0) == Enough("settled")
    assert decide(setup(), ALIKE, clear[:1], SLO, 6.0) == Enough("time is up")
    soon = decide(setup(), ALIKE, [at(800.0, missed_by=(FEW, SOME, MANY))], SLO, 100.0)
    assert isinstance(soon, Round), "one round that all missed says little"
    failed = [BlockOutcome(measured=(Measured(candidate=FEW, error="did not come up"),), took_s=5.0)] * 2
    assert decide(setup(), failed, [], SLO, 100.0) == Enough("nothing valid")
    assert choose(Race(setup(), failed, [])) is None
    alone = blocks(t33=1000.0)
    assert decide(Setup(service=setup().service, first=((SOME,),)), alone, [], SLO, 100.0) == Enough("settled")


def test_where_nothing_holds_rounds_end_soon() -> None:
    """Six strides down from where closed load let it be expected."""
    rounds = [at(800.0 * 0.8**number, missed_by=(FEW, SOME, MANY)) for number in range(6)]
    assert isinstance(decide(setup(), ALIKE, rounds[:5], SLO, 100.0), Round)
    assert decide(setup(), ALIKE, rounds, SLO, 100.0) == Enough("nothing holds")


def test_what_cannot_be_measured_under_open_load_is_not_chosen() -> None:
    """Twice it did not come up; the next cheapest is taken."""
    round_ = at(800.0, SOME, MANY)
    asked = asked_of(setup().service, SLO, 800.0, headroom=0.0)
    broken = Offered(candidate=FEW, trial=replace(trial_of(asked, 2), outcome="invalid", reasons=("did not come up",)))
    rounds = [replace(round_, offered=(broken, *round_.offered))] * 2
    assert Race(setup(), ALIKE, rounds).chosen == SOME


def test_the_rounds_are_told_by_their_number_and_rates() -> None:
    """None where there was none."""
    told = offered([at(800.0, SOME), at(760.0, SOME)])
    assert told is not None
    assert (told.rounds, told.low_rps, told.high_rps) == (2, 760.0, 800.0)
    assert offered([]) is None


@pytest.mark.parametrize(
    ("unloaded_s", "cpu_s", "text"),
    [
        (0.022, 0.001, "p99 < 100 ms"),
        (0.0512, 0.001, "p99 < 210 ms"),
        (0.5, 0.05, "p90 < 2.00 s"),
        (0.5, 0.5, None),
    ],
)
def test_the_usual_objective_is_one_that_the_service_can_meet_and_a_slice_resolve(
    unloaded_s: float, cpu_s: float, text: str | None
) -> None:
    """Four unloaded responses where those take longer than the usual limit; p90 where a thousand answers take long."""
    slo = usual(service(unloaded_s=unloaded_s, cpu_s_per_request=cpu_s))
    assert (slo.text.replace("\u202f", " ") if slo else None) == text
