"""Validity: each rule against a trial that breaks it, and against one that does not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from harness.judge.validity import disturbed, impossible, judge, left_out
from harness.record import RequestRow, Trial
from harness.suite import Open, Thresholds
from tests import factories

THRESHOLDS = Thresholds()
OPEN = Open(connections=64, rate_rps=700.0)


def slices(count: int = 3, **changes: Any) -> dict[str, Any]:
    """Slices that all look alike, as an argument of `factories.trial`."""
    return {"slices": tuple(factories.slice_row(round=number, **changes) for number in range(count))}


def open_trial(**changes: Any) -> Trial:
    """A valid open trial: 1,400 arrivals in one round, all answered."""
    row = {"length_s": 2.0, "throughput_rps": 700.0, "in_flight": 3.0, "scheduled": 1400, "done": 1400}
    given: dict[str, Any] = {
        "phase": "open",
        "load": OPEN,
        "latency_us": factories.latency(3000.0),
        "lateness_us": factories.latency(20.0),
    }
    return factories.trial(**given | slices(1, **row) | changes)


BROKEN: dict[str, Trial] = {
    "no good answer in rounds 0, 1, 2": factories.trial(**slices(throughput_rps=0.0)),
    "no slice is left": factories.trial(dropped_rounds=(0, 1, 2)),
    "generator was saturated: 91 %": factories.trial(generator=factories.generator(cpu_percent=91.0)),
    "generator waited for a CPU 7 %": factories.trial(generator=factories.generator(waiting_fraction=0.07)),
    "generator was late: lateness p99 1.60 ms": open_trial(lateness_us=factories.latency(1000.0)),
    "Little's law is off in round 0": factories.trial(**slices(mean_latency_us=80_000.0)),
    "Little's law is off in round 1": factories.trial(  # a blocking server with starved connections, as it was measured
        factories.arm(connections=32),
        slices=(
            factories.slice_row(in_flight=32.0),
            factories.slice_row(round=1, length_s=2.07, throughput_rps=42.1, in_flight=32.0, mean_latency_us=450_000.0),
        ),
    ),
    "up to 18 of 64 connections starve": factories.trial(**slices(mean_latency_us=46_000.0, starved=18)),
    "32.0 requests in flight in round 0 on 64": factories.trial(**slices(in_flight=32.0)),
    "1380 of 1400 scheduled": open_trial(
        **slices(1, length_s=2.0, throughput_rps=690.0, in_flight=3.0, scheduled=1400, done=1380)
    ),
    "7 arrivals were dropped": open_trial(dropped=7),
    "5 of 1500 requests failed (2 reset, 3 timeout)": factories.trial(errors=5, error_kinds={"timeout": 3, "reset": 2}),
    "1 wrong answer under load": factories.trial(errors=1, error_kinds={"body": 1}),
    "took 8 % of the CPU time (steal)": factories.trial(**slices(steal_fraction=0.08)),
    "other processes used 15 %": factories.trial(**slices(outside_fraction=0.15)),
    "no steady state": factories.trial(**slices(throughput_rps=5000.0, half_rps=(3500.0, 6500.0))),
    "failed: uvicorn: died": factories.failed_trial(),
}


@pytest.mark.parametrize("reason", BROKEN)
def test_a_trial_that_breaks_a_rule_has_a_reason_with_a_remedy(reason: str):
    """Each rule gives its own reason, with the remedy behind a colon."""
    reasons = [text for text in judge(BROKEN[reason], THRESHOLDS) if reason in text]
    assert len(reasons) == 1
    assert ":" in reasons[0] or ";" in reasons[0]


FINE: dict[str, Trial] = {
    "closed": factories.trial(),
    "open": open_trial(),
    "a single error": factories.trial(errors=1, error_kinds={"reset": 1}),
    "late, but not for answers that take so long": open_trial(
        lateness_us=factories.latency(1000.0), latency_us=factories.latency(50_000.0)
    ),
    "late, but not resolved": open_trial(lateness_us=None),
    "drops that the policy allows": open_trial(dropped=7, load=replace(OPEN, when_full="drop")),
    "few requests, cut off at the edges": factories.trial(
        factories.arm(connections=4), **slices(throughput_rps=40.0, in_flight=4.0, mean_latency_us=4 / 40 * 1e6 * 1.3)
    ),
    "one stolen slice among many": factories.trial(
        slices=(factories.slice_row(steal_fraction=0.12), factories.slice_row(round=1), factories.slice_row(round=2))
    ),
}


@pytest.mark.parametrize("name", FINE)
def test_a_trial_that_keeps_the_rules_is_valid(name: str):
    """No rule fires without its cause."""
    assert judge(FINE[name], THRESHOLDS) == ()


def test_a_slice_of_a_dropped_round_is_not_held_against_the_trial():
    """What was left out for every arm cannot make one invalid."""
    bad = factories.slice_row(round=1, steal_fraction=0.5, half_rps=(100.0, 1900.0))
    trial = factories.trial(slices=(factories.slice_row(), bad), dropped_rounds=(1,))
    assert judge(trial, THRESHOLDS) == ()


def test_a_suite_may_move_a_threshold():
    """A threshold that is overridden is the one that counts."""
    trial = factories.trial(**slices(outside_fraction=0.15))
    assert judge(trial, Thresholds(outside_load=0.2)) == ()


def test_what_only_the_harness_saw_is_a_reason_too():
    """A worker that restarted is in no record: whoever saw it says so."""
    assert judge(factories.trial(), THRESHOLDS, seen=("a worker restarted",)) == ("a worker restarted",)


@pytest.mark.parametrize(
    ("cache", "calls", "hits", "reason"),
    [
        ("none", 1, 1000, None),
        ("none", 1, 1015, None),
        ("none", 1, 999, "fewer upstream hits (999) than good answers imply (1000)"),
        ("none", 1, 1016, "more upstream hits (1016) than requests imply (1015)"),
        ("none", 3, 3000, None),
        ("none", 3, 2999, "fewer upstream hits (2999) than good answers imply (3000)"),
        ("none", 0, 0, None),
        ("redis", 1, 40, None),
        ("redis", 1, 500, "500 upstream hits for 1010 requests to a cached arm"),
    ],
)
def test_the_upstream_is_called_as_often_as_the_answers_say(cache: str, calls: int, hits: int, reason: str | None):
    """Uncached: good <= hits <= attempts + reconnects, times the calls of an answer. Cached: hardly ever."""
    arm = factories.arm(scenario=factories.EXTERNAL, cache=cache)
    counts = {"upstream_hits": hits, "upstream_good": 1000, "upstream_attempts": 1010, "upstream_reconnects": 5}
    trial = factories.trial(arm, **counts, cache_hit_ratio=None if cache == "none" else 1 - hits / 1000)
    reasons = judge(trial, THRESHOLDS, upstream_calls=calls)
    assert len(reasons) == (reason is not None)
    assert reason is None or reason in reasons[0]


def halves_trial(random: np.random.Generator, count: int, spread: float, trend: float = 0.0) -> Trial:
    """A trial whose slices' halves differ by `trend` and scatter by `spread`, with heavy tails."""
    logs = trend + spread / np.sqrt(3) * random.standard_t(3, count)
    rows = tuple(
        factories.slice_row(round=number, throughput_rps=4000.0, half_rps=(4000.0 / np.exp(log), 4000.0))
        for number, log in enumerate(logs)
    )
    return factories.trial(slices=rows)


def unsteady(trial: Trial) -> bool:
    """Whether the halves are held against it."""
    return any("no steady state" in reason for reason in judge(trial, THRESHOLDS))


@pytest.mark.parametrize("count", [1, 3, 10, 40])
def test_halves_of_steady_slices_are_never_held_against_a_trial(count: int):
    """On a machine whose halves scatter by 8 %, with heavy tails, hardly one trial of a thousand is accused."""
    random = np.random.default_rng(count)
    accused = sum(unsteady(halves_trial(random, count, 0.08)) for _ in range(1500))
    assert accused <= 1


def test_halves_show_a_server_that_still_warms_up():
    """A second half that runs half as fast again is no steady state, noise or not."""
    random = np.random.default_rng(5)
    assert sum(unsteady(halves_trial(random, 3, 0.03, trend=0.5)) for _ in range(100)) >= 99


def test_a_difference_of_halves_that_does_not_matter_is_let_pass():
    """Many slices make 5 % certain, but not important."""
    random = np.random.default_rng(6)
    assert not unsteady(halves_trial(random, 200, 0.03, trend=0.05))


def test_an_overload_is_no_fault_of_its_trial_but_a_disturbance_is():
    """Dropped, unanswered and failed arrivals are what a search looks for; a saturated generator is not."""
    over = open_trial(errors=500, error_kinds={"timeout": 500}, dropped=50)
    assert judge(over, THRESHOLDS)
    assert not judge(over, THRESHOLDS, overload=True)
    assert judge(open_trial(generator=factories.generator(cpu_percent=99.0)), THRESHOLDS, overload=True)
    waiting = open_trial(generator=factories.generator(waiting_fraction=0.06))
    assert judge(waiting, THRESHOLDS)
    assert not judge(waiting, THRESHOLDS, overload=True)
    late = open_trial(lateness_us=factories.latency(p99=60_000.0), latency_us=factories.latency(p99=100_000.0))
    assert judge(late, THRESHOLDS, overload=True)


def test_a_round_is_disturbed_when_any_of_its_slices_is():
    """Steal or outside load in one arm's slice spoils the round for all."""
    quiet = factories.slice_row()
    assert not disturbed([quiet, quiet], THRESHOLDS)
    assert disturbed([quiet, factories.slice_row(steal_fraction=0.06)], THRESHOLDS)
    assert disturbed([factories.slice_row(outside_fraction=0.2), quiet], THRESHOLDS)


def test_the_most_disturbed_rounds_are_left_out_within_the_budget():
    """A third of the rounds may go, the worst of them first; what is beyond the budget stays."""

    def rows(outside: float, steal: float = 0.0) -> list[Any]:
        return [factories.slice_row(), factories.slice_row(outside_fraction=outside, steal_fraction=steal)]

    assert left_out({0: rows(0.0), 1: rows(0.3), 2: rows(0.05)}, THRESHOLDS) == (1,)
    assert left_out({0: rows(0.2), 1: rows(0.0, steal=0.5), 2: rows(0.05)}, THRESHOLDS) == (1,)
    assert left_out({0: rows(0.9)}, THRESHOLDS) == ()
    six = {number: rows(0.15 + 0.1 * number) for number in range(6)}
    assert left_out(six, THRESHOLDS) == (4, 5)


CORRUPT: dict[str, Trial] = {
    "Little's law": factories.trial(**slices(mean_latency_us=6400.0)),
    "latency_us: p99 (100) below p50 (60000)": factories.trial(latency_us=factories.latency(p99=100.0, p99_9=None)),
    "service_us: max (1) below p50": factories.trial(service_us=factories.latency(max=1.0)),
    "fewer upstream hits (5) than good answers": factories.trial(
        upstream_hits=5, upstream_good=1000, upstream_attempts=1000
    ),
    "called valid and has an error": replace(factories.failed_trial(), valid=True),
    "called valid and has no throughput": factories.trial(throughput_rps=None),
    "called valid and has reasons why not": factories.trial(reasons=("disturbed",)),
    "more errors (9) than requests (3)": factories.trial(requests=3, errors=9, valid=False),
    "its requests, each by itself, do not add up": factories.trial(
        by_request=(
            RequestRow(
                name="a",
                weight=1,
                requests=1,
                errors=0,
                share=None,
                throughput_rps=None,
                latency_us=None,
                histogram=None,
            ),
        )
    ),
    "more done (5) than scheduled (4)": factories.trial(**slices(1, scheduled=4, done=5)),
    "answers in round 0, which has no length": factories.trial(
        slices=(factories.slice_row(round=0, length_s=0.0), factories.slice_row(round=1), factories.slice_row(round=2))
    ),
    "shares sum to more than 1": factories.trial(worker_shares={"1": 0.7, "2": 0.7}),
    "throughput 2000.0/s, but its slices show 1000.0/s": factories.trial(throughput_rps=2000.0),
}


@pytest.mark.parametrize("name", CORRUPT)
def test_what_cannot_be_true_is_named(name: str):
    """A corrupted record is recognized by what is impossible in it."""
    contradictions = impossible(CORRUPT[name], THRESHOLDS)
    assert len(contradictions) == 1
    assert name in contradictions[0]


@pytest.mark.parametrize("trial", [*FINE.values(), factories.failed_trial()])
def test_what_is_merely_unusual_is_not_impossible(trial: Trial):
    """Records that are true are read, valid or not."""
    assert impossible(trial, THRESHOLDS) == ()


def test_an_honest_invalid_record_is_not_refused():
    """A trial that says itself that Little's law is off is kept and shown as invalid."""
    trial = factories.trial(**slices(mean_latency_us=6400.0))
    assert impossible(replace(trial, valid=False, reasons=("Little's law is off",)), THRESHOLDS) == ()
