"""The cheapest settings that hold a rate: decisions on services whose capacity is known."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from harness.errors import UsageError
from harness.judge.slo import parse
from harness.tune.candidates import Candidate
from harness.tune.rate.answer import RateAnswer, answer, cheapest
from harness.tune.rate.asked import Asked, Offered, RateBlock, asked_of
from harness.tune.rate.grid import STEP, lines, untried
from harness.tune.rate.next_group import Enough, Offer, RateEnding, decide
from harness.tune.rate.standing import Standing, stand, usual
from tests.tune.rate_systems import MIB, SLO, Machine, System, system, trial_of
from tests.tune.tune_support import service

Blocks = tuple[RateBlock, ...]


def held(
    system: System, asked: Asked, chance: np.random.Generator, budget_s: float = 290.0
) -> tuple[Blocks, float, RateEnding]:
    """Ask until it is enough: the blocks, what is left, why it ended."""
    machine, left_s = Machine(chance), budget_s
    blocks: Blocks = ()
    while isinstance(step := decide(asked, blocks, left_s), Offer):
        blocks += (machine.block(system, step.candidates, asked),)
        left_s -= blocks[-1].took_s
    return blocks, left_s, step.why


def recommended(found: RateAnswer) -> Candidate | None:
    """The candidate to deploy."""
    return next((Candidate(row.workers, row.threads) for row in found.rows if row.standing == "recommended"), None)


def every_place(asked: Asked, cpu_s: float) -> list[Candidate]:
    """The whole grid."""
    return [place for line in lines(asked, cpu_s) for place in line.places]


def true_cheapest(system: System, asked: Asked) -> Candidate | None:
    """By brute force over the grid, without noise."""
    holding = [each for each in every_place(asked, system.cpu_s) if system.capacity(each) >= asked.offered_rps]
    if not holding:
        return None
    least = min(system.memory(each) for each in holding)
    return min(each for each in holding if system.memory(each) <= 1.05 * least)


def within_a_step(chosen: Candidate, best: Candidate, asked: Asked, cpu_s: float) -> bool:
    """Whether `chosen` is no dearer than the place after `best` on its line."""
    line = next(line for line in lines(asked, cpu_s) if best in line.places)
    return chosen <= line.places[min(line.places.index(best) + 1, len(line.places) - 1)]


@pytest.mark.parametrize("kind", ["threads", "one", "loop"])
def test_the_settings_hold_the_rate_and_cost_no_more_than_the_cheapest_and_a_step(kind: str) -> None:
    """In 95 of 100 at least, and never out of time."""
    right = 0
    for seed in range(100):
        chance = np.random.default_rng(seed)
        real = system(chance, kind)
        most = 0.85 * real.known.cores / real.cpu_s
        most = min(most, 24 / real.response_s) if kind == "one" else most
        asked = asked_of(real.known, SLO, chance.uniform(0.25, 0.65) * most, 0.3)
        blocks, left_s, why = held(real, asked, chance)
        assert left_s >= 0
        chosen, best = recommended(answer(asked, blocks, settled=why == "settled")), true_cheapest(real, asked)
        assert best is not None
        if chosen is not None and real.capacity(chosen) >= asked.rate_rps:
            right += within_a_step(chosen, best, asked, real.cpu_s)
    assert right >= 95


def fast(**changes: Any) -> Asked:
    """500 a second of a service on one core whose requests wait for 50 ms, with threads."""
    known = service(slots="threads", connections=1024, unloaded_s=0.05, cpu_s_per_request=0.001, worker_bytes=38 * MIB)
    return asked_of(replace(known, **changes), SLO, 500.0, 0.3)


def block(asked: Asked, *shown: tuple[Candidate, float], memory_bytes: int | None = None) -> RateBlock:
    """A block in which each candidate lost so many times what it may."""
    offered = (
        Offered(candidate=candidate, trial=trial_of(asked, excess, "worker-slots"), memory_bytes=memory_bytes)
        for candidate, excess in shown
    )
    return RateBlock(offered=tuple(offered), took_s=10.0)


def test_where_nothing_holds_the_nearest_miss_is_named() -> None:
    """The CPU does not do for the rate, whatever the settings: no blocks are spent on all of them."""
    for seed in range(20):
        chance = np.random.default_rng(seed)
        real = replace(system(chance, "threads"), cpu_s=0.001)
        real = replace(real, known=replace(real.known, cores=1, cpu_s_per_request=0.001))
        asked = asked_of(real.known, SLO, 1000.0, 0.3)
        blocks, left_s, why = held(real, asked, chance)
        found = answer(asked, blocks, settled=why == "settled")
        assert (why, recommended(found)) == ("nothing holds", None)
        assert left_s > 100
        assert found.nearest is not None
        near = next(row for row in found.rows if Candidate(row.workers, row.threads) == found.nearest)
        assert near.limit == "server-cpu"
        assert (near.loss_ratio or 0) == min(row.loss_ratio or 1 for row in found.rows)


@pytest.mark.parametrize("budget_s", [20.0, 60.0, 120.0])
def test_a_short_budget_is_kept_and_gives_the_best_so_far(budget_s: float) -> None:
    """Where something held, the cheapest of that is the answer, and it is not called settled."""
    for seed in range(20):
        chance = np.random.default_rng(seed)
        real = system(chance, "threads")
        asked = asked_of(real.known, SLO, 0.4 * 0.85 * real.known.cores / real.cpu_s, 0.3)
        blocks, left_s, why = held(real, asked, chance, budget_s)
        found = answer(asked, blocks, settled=why == "settled")
        assert left_s >= 0
        assert why == "settled" or not found.settled
        assert (recommended(found) is not None) == any(row.held > row.missed for row in found.rows)


def test_what_slots_and_cpu_rule_out_is_not_tried() -> None:
    """Little's law asks for 32 slots; the CPU at the rate for no more than one worker, or for two at least."""
    asked = fast()
    assert asked.slots == pytest.approx(32.5)
    assert min(place.slots for line in lines(asked) for place in line.places) >= 32.5 / STEP**2
    assert [line.places[0].workers for line in lines(fast(cores=4), 0.0025)] == [2, 3, 4, 5, 9]
    assert "of which Little's law asks 32.5" in untried(asked, None)[0]
    assert "fewer than 2 workers" in untried(fast(cores=4), 0.0025)[1]
    limited = fast(cores=4, memory_bytes=80 * MIB)
    assert {place.workers for line in lines(limited) for place in line.places} == {1, 2}


def test_cheapest_is_by_memory_then_workers_then_threads() -> None:
    """Five per cent of memory are no difference."""

    def taking(**mib: float) -> Candidate | None:
        """By names like w1t400."""
        standings = {}
        for name, memory in mib.items():
            candidate = Candidate(*map(int, name.removeprefix("w").split("t")))
            trial = trial_of(fast(), 0.5)
            offered = Offered(candidate=candidate, trial=trial, memory_bytes=round(memory * MIB))
            standings[candidate] = Standing(held=3, trials=[offered])
        return cheapest(standings, standings)

    assert taking(w2t20=66, w1t40=40) == Candidate(1, 40)
    assert taking(w2t20=66, w1t400=69) == Candidate(1, 400)
    assert taking(w2t20=66, w1t400=71) == Candidate(2, 20)
    assert taking(w2t40=66, w2t20=66.5) == Candidate(2, 20)


def test_a_block_in_which_the_machine_failed_counts_for_none() -> None:
    """Its arms held twice before, and all missed at once; what misses alone has missed."""
    asked, small, large = fast(), Candidate(1, 33), Candidate(1, 64)
    good = block(asked, (small, 0.9), (large, 0.5))
    bad = block(asked, (small, 30), (large, 20))
    alone = block(asked, (small, 3), (large, 0.5))
    assert usual([good, good, bad]) == (good, good)
    assert usual([good, bad]) == (good, bad), "held once, missed once: the machine or not, who knows"
    assert usual([good, good, alone]) == (good, good, alone)
    assert stand([good, good, bad, alone])[small].lead == 1


def test_one_vote_decides_where_far_too_much_was_lost_beside_one_that_held() -> None:
    """Where nothing held, it may have been the machine."""
    asked, small, large = fast(), Candidate(1, 20), Candidate(1, 64)
    assert stand([block(asked, (small, 40), (large, 0.5))])[small].decision == "misses"
    assert stand([block(asked, (small, 40), (large, 30))])[small].decision is None
    assert stand([block(asked, (small, 3), (large, 0.5))])[small].decision is None


def test_a_candidate_that_never_comes_up_is_out_with_its_reason() -> None:
    """And it is no miss."""
    asked, broken, sound = fast(), Candidate(1, 33), Candidate(1, 51)
    failed = replace(trial_of(asked, 2), outcome="invalid", reasons=("did not come up",))
    shown = RateBlock(
        offered=(Offered(candidate=broken, trial=failed), Offered(candidate=sound, trial=trial_of(asked, 0.5))),
        took_s=10.0,
    )
    assert stand([shown, shown])[broken].decision == "out"
    row = next(row for row in answer(asked, [shown, shown], settled=False).rows if row.threads == 33)
    assert (row.standing, row.why, row.p99_us) == ("failed", "did not come up", None)


def test_blocks_in_vain_end_it() -> None:
    """Nothing can be used, or the generator cannot offer the rate."""
    asked = fast()
    offered = Offered(candidate=Candidate(1, 41), trial=replace(trial_of(asked, 2), outcome="invalid"))
    nothing = RateBlock(offered=(offered,), took_s=10.0)
    assert decide(asked, [nothing] * 3, 100) == Enough("nothing valid")
    saturated = replace(offered, trial=replace(offered.trial, saturated=True))
    assert decide(asked, [RateBlock(offered=(saturated,) * 3, took_s=10.0)], 100) == Enough("generator")


def test_a_rate_too_low_for_the_percentile_is_refused_with_the_way_out() -> None:
    """A thousand arrivals take too long at twenty a second; a hundred do not."""
    with pytest.raises(UsageError, match="needs 1000 arrivals in a slice, which take 38 s at 26/s: state a lower"):
        asked_of(service(), SLO, 20.0, 0.3)
    assert asked_of(service(), parse("p90<100ms"), 20.0, 0.3).slice_s == pytest.approx(100 / 26)
