"""The gate: what a candidate must not get away with, and what is not its fault."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from harness.errors import Fault
from harness.judge.compare import between, gate, within
from harness.judge.demands import GATED, THROUGHPUT, Demands
from harness.judge.validity import RULES, causes, judge
from harness.judge.verdicts import Gate
from harness.record import Run, Trial
from harness.suite import Plan, Thresholds
from tests import factories

THRESHOLDS = Thresholds()
ALL_BLOCKS = range(5)
P99 = GATED["p99"]

Change = Callable[[Trial], Trial]


def judged(trial: Trial, *, seen: tuple[str, ...] = ()) -> Trial:
    """The trial as a run records it: with the reasons that its figures break, and what was seen of its processes."""
    reasons = judge(trial, THRESHOLDS, seen=seen)
    return replace(trial, valid=not reasons, reasons=reasons, fault="arm" if seen else None)


def failed(trial: Trial, error: str, fault: Fault) -> Trial:
    """A row without figures in place of that trial."""
    names = ("trial", "arm", "pair", "group", "block", "phase", "cell", "load", "started")
    return Trial(error=error, fault=fault, **{name: getattr(trial, name) for name in names})


def not_started(trial: Trial) -> Trial:
    """A server that did not come up."""
    return failed(trial, "shop on uvicorn: ended with 1: ImportError", "arm")


def answering_500(trial: Trial) -> Trial:
    """Every answer of the load is a 500."""
    silent = tuple(replace(row, throughput_rps=0.0, half_rps=(0.0, 0.0), mean_latency_us=None) for row in trial.slices)
    count = trial.requests
    return judged(replace(trial, slices=silent, throughput_rps=0.0, errors=count, error_kinds={"status": count}))


def answering_wrongly(trial: Trial) -> Trial:
    """A single answer has another body."""
    return judged(replace(trial, errors=1, error_kinds={"body": 1}))


def hanging(trial: Trial) -> Trial:
    """Nothing is answered any more."""
    silent = tuple(replace(row, throughput_rps=0.0, half_rps=(0.0, 0.0), mean_latency_us=None) for row in trial.slices)
    return judged(replace(trial, slices=silent, throughput_rps=0.0, errors=64, error_kinds={"timeout": 64}))


def dying(trial: Trial) -> Trial:
    """It answers a thousand requests, then no more."""
    kinds = {"connect": 400, "reset": 64}
    return judged(replace(trial, errors=464, error_kinds=kinds), seen=("a worker process died: look at the log",))


def disturbed(trial: Trial) -> Trial:
    """The hypervisor takes a tenth of the CPU."""
    return judged(replace(trial, slices=tuple(replace(row, steal_fraction=0.1) for row in trial.slices)))


def frozen(trial: Trial) -> Trial:
    """The machine stood still for so long that requests timed out."""
    rows = tuple(replace(row, steal_fraction=0.3) for row in trial.slices)
    silent = (replace(rows[0], throughput_rps=0.0, half_rps=(0.0, 0.0), mean_latency_us=None), *rows[1:])
    rps = sum(row.throughput_rps * row.length_s for row in silent) / sum(row.length_s for row in silent)
    return judged(replace(trial, slices=silent, throughput_rps=rps, errors=64, error_kinds={"timeout": 64}))


def generator_died(trial: Trial) -> Trial:
    """The load generator ended, whoever's fault that was."""
    return failed(trial, "load generator: ended with -9", "unclear")


def changed(run: Run, change: Change, blocks: Any = ALL_BLOCKS, arms: tuple[str, ...] = ("p1b",)) -> Run:
    """The run with the trials of those arms changed in those blocks."""
    trials = (change(row) if row.arm in arms and row.block in blocks else row for row in run.trials)
    return replace(run, trials=tuple(trials))


def decision(*runs: Run, metrics: tuple[str, ...] = (THROUGHPUT,), **more: Any) -> Gate:
    """What the gate says at 5 %."""
    comparison = within(*runs) if len(runs) == 1 else between(*runs)
    return gate(comparison, runs, Demands(threshold=0.05, metrics=metrics, **more))


def told(findings: Gate) -> list[tuple[str, tuple[str, ...], str]]:
    """Kind, faults and reasons of what failed and what is undecided."""
    return [(each.kind, each.faults, "; ".join(each.reasons)) for each in (*findings.failed, *findings.undecided)]


@pytest.mark.parametrize(
    ("change", "blocks", "said"),
    [
        (not_started, ALL_BLOCKS, "blocks 0, 1, 2, 3, 4: p1b: shop on uvicorn: ended with 1: ImportError"),
        (not_started, [3], "block 3: p1b: shop on uvicorn: ended with 1: ImportError"),
        (answering_500, ALL_BLOCKS, "requests failed ("),
        (answering_wrongly, [0], "block 0: p1b: 1 wrong answer under load"),
        (hanging, ALL_BLOCKS, "no good answer in rounds 0, 1, 2"),
        (dying, [2], "block 2: p1b: a worker process died"),
    ],
)
def test_a_candidate_that_spoils_a_block_fails(change: Change, blocks: Any, said: str) -> None:
    """In whichever blocks: they are named, with what happened."""
    run = changed(factories.simulated_run(noise=0.0), change, blocks)
    found = decision(run)
    assert [(each.kind, each.faults, each.blocks) for each in found.failed[:1]] == [
        ("spoiled", ("candidate",), tuple(blocks))
    ]
    assert said in "; ".join(found.failed[0].reasons)
    assert found.failed[0].candidate == "fastapi on uvicorn"
    assert found.undecided == ()


def test_a_candidate_that_is_20_percent_slower_fails() -> None:
    """By its ratio."""
    found = decision(factories.simulated_run(rps={"p1b": 800.0}))
    assert [(each.kind, each.metric) for each in found.failed] == [("regression", THROUGHPUT)]
    assert found.failed[0].ratio == pytest.approx(0.8, rel=0.05)
    assert found.failed[0].adjusted_p is not None


def test_an_equal_candidate_passes() -> None:
    """Nothing failed, nothing is open, and a pair was judged."""
    found = decision(factories.simulated_run())
    assert (found.failed, found.undecided, found.pairs) == ((), (), ("p1",))


@pytest.mark.parametrize("change", [disturbed, frozen])
@pytest.mark.parametrize("blocks", [[0], [0, 1, 2, 3], ALL_BLOCKS])
def test_an_equal_candidate_on_a_disturbed_machine_never_fails(change: Change, blocks: Any) -> None:
    """Too few blocks are left in which both arms count: the gate cannot decide, through the machine."""
    run = changed(factories.simulated_run(), change, blocks, arms=("p1a", "p1b"))
    found = decision(run)
    assert found.failed == ()
    assert bool(found.undecided) == (len(blocks) > 2)
    assert all("machine" in each.faults and "candidate" not in each.faults for each in found.undecided)


def test_time_outs_of_the_candidate_alone_are_unclear_while_the_machine_is_disturbed() -> None:
    """The stall hit one arm's slices; the steal says that it was none of its doing."""
    found = decision(changed(factories.simulated_run(), frozen))
    assert found.failed == ()
    assert set(found.undecided[0].faults) == {"machine", "unclear"}


def test_bad_answers_are_the_candidates_own_also_on_a_disturbed_machine() -> None:
    """No disturbance writes a 500."""
    run = changed(changed(factories.simulated_run(), answering_500), disturbed, arms=("p1a",))
    assert [each.kind for each in decision(run).failed] == ["spoiled"]


def test_what_fails_on_both_arms_is_unclear() -> None:
    """The service that both call may be what answers 500."""
    found = decision(changed(factories.simulated_run(), answering_500, arms=("p1a", "p1b")))
    assert found.failed == ()
    assert found.undecided[0].faults == ("unclear",)


def test_a_baseline_that_does_not_start_leaves_the_gate_undecided() -> None:
    """It is no fault of the candidate, and no reason to let it pass."""
    found = decision(changed(factories.simulated_run(), not_started, arms=("p1a",)))
    said = "blocks 0, 1, 2, 3, 4: p1a: shop on uvicorn: ended with 1: ImportError"
    assert told(found) == [("no verdict", ("baseline",), said)]
    assert found.failed == ()


def test_a_dead_generator_leaves_the_gate_undecided() -> None:
    """Its cause is unclear."""
    found = decision(changed(factories.simulated_run(), generator_died))
    assert told(found) == [("no verdict", ("unclear",), "blocks 0, 1, 2, 3, 4: p1b: load generator: ended with -9")]
    assert found.failed == ()


def test_an_error_of_an_old_record_without_a_fault_is_unclear() -> None:
    """The gate does not guess it from the sentence."""
    assert [cause.fault for cause in causes(factories.failed_trial(), THRESHOLDS)] == ["unclear"]


def test_as_many_failed_blocks_as_are_allowed_do_not_fail() -> None:
    """One of one allowed passes by the other four; two of one allowed fail."""
    run = factories.simulated_run()
    one = decision(changed(run, not_started, [3]), allow_failed_blocks=1)
    assert (one.failed, one.undecided) == ((), ())
    two = decision(changed(run, not_started, [1, 3]), allow_failed_blocks=1)
    assert [each.blocks for each in two.failed] == [(1, 3)]


def test_a_candidate_that_never_works_fails_however_many_blocks_are_allowed() -> None:
    """There is no verdict, and that is its own fault alone."""
    found = decision(changed(factories.simulated_run(), not_started), allow_failed_blocks=99)
    assert [(each.kind, each.faults) for each in found.failed] == [("no verdict", ("candidate",))]


def test_too_few_blocks_are_no_verdict() -> None:
    """Two blocks carry none, even if all went well."""
    found = decision(factories.simulated_run(factories.plan(blocks=2)))
    assert told(found) == [
        ("no verdict", ("unclear",), "2 of 2 blocks count, a verdict needs 3: measure more"),
    ]
    assert found.failed == ()


def test_a_pair_without_rows_is_no_verdict() -> None:
    """A run that was ended before its first block passes nothing."""
    found = decision(factories.run())
    assert told(found) == [("no verdict", ("unclear",), "not measured")]


def test_a_failure_and_an_undecided_pair_are_both_named() -> None:
    """The pair that failed decides; the other is told beside it."""
    arms = [factories.flask_arm("p1a"), factories.arm("p1b"), factories.flask_arm("p2a"), factories.arm("p2b")]
    run = factories.simulated_run(factories.plan(factories.group(*arms)), {"p1b": 700.0})
    found = decision(changed(run, disturbed, arms=("p2a", "p2b")))
    assert [each.pair for each in found.failed] == ["p1"]
    assert [each.pair for each in found.undecided] == ["p2"]


def test_an_inconclusive_verdict_fails_where_that_is_asked() -> None:
    """Its interval reaches beyond 5 % on the bad side; by default that passes."""
    run = factories.simulated_run(rps={"p1b": 960.0}, noise=0.06, seed=3)
    assert decision(run).failed == ()
    found = decision(run, fail_on_inconclusive=True)
    assert [(each.kind, each.metric) for each in found.failed] == [("inconclusive", THROUGHPUT)]
    assert decision(factories.simulated_run(noise=0.005), fail_on_inconclusive=True).failed == ()


def test_other_metrics_are_gated_where_they_are_asked_for() -> None:
    """Twice the memory fails only the gate that looks at memory."""
    run = changed(factories.simulated_run(), lambda trial: replace(trial, memory_bytes=100_000_000))
    assert decision(run).failed == ()
    found = decision(run, metrics=(THROUGHPUT, GATED["memory"]))
    assert [(each.kind, each.metric) for each in found.failed] == [("regression", "memory_bytes")]


def open_plan() -> Plan:
    """A pair under a closed and an open load."""
    arms = factories.group(factories.flask_arm("p1a", rate_rps=700.0), factories.arm("p1b", rate_rps=700.0))
    return factories.plan(factories.in_phases(arms, "closed", "open"))


def with_open_phase(p99_ratio: float) -> Run:
    """A run whose candidate's response times are that much longer at equal rates."""
    plan = open_plan()
    run = factories.simulated_run(plan)
    random = np.random.default_rng(5)
    rows = []
    for each in plan.groups[0].arms:
        for block in range(plan.blocks):
            scale = (p99_ratio if each.id == "p1b" else 1.0) * np.exp(random.normal(0, 0.01))
            slices = (factories.slice_row(length_s=2.0, throughput_rps=700.0, scheduled=1400, done=1400),)
            values = random.exponential(3000.0, 4000) * scale
            rows.append(
                factories.trial(each, phase="open", block=block, slices=slices, histogram=factories.histogram(values))
            )
    return replace(run, trials=(*run.trials, *rows))


def test_p99_is_that_of_the_open_phase() -> None:
    """A candidate as fast as the baseline, with twice its p99 at equal rates, fails the gate of p99 alone."""
    run = with_open_phase(2.0)
    assert decision(run).failed == ()
    found = decision(run, metrics=(THROUGHPUT, P99))
    assert [(each.kind, each.metric) for each in found.failed] == [("regression", P99)]


def test_a_metric_that_no_load_shows_is_no_verdict() -> None:
    """A gate of p99 over a suite without an open load does not pass in silence."""
    found = decision(factories.simulated_run(), metrics=(THROUGHPUT, P99))
    assert [(each.kind, each.metric) for each in found.undecided] == [("no verdict", P99)]
    assert "no load of the pair shows it" in found.undecided[0].reasons[0]


def test_holm_counts_all_pairs_and_metrics() -> None:
    """With more metrics beside it the p of the same regression is larger."""
    run = factories.simulated_run(rps={"p1b": 880.0}, noise=0.01, seed=4)
    alone = decision(run).failed[0]
    among = decision(run, metrics=(THROUGHPUT, GATED["cpu"], GATED["memory"])).failed[0]
    assert alone.adjusted_p is not None
    assert among.adjusted_p is not None
    assert among.adjusted_p > alone.adjusted_p


def test_between_runs_a_candidate_that_fails_in_the_later_one_fails() -> None:
    """And one that failed only in the earlier run is not judged by that."""
    good = factories.simulated_run()
    bad = changed(factories.simulated_run(seed=2), not_started)
    assert [(each.kind, len(each.blocks)) for each in decision(good, bad).failed[:1]] == [("spoiled", 5)]
    healed = decision(bad, good)
    assert healed.failed == ()
    assert [each.faults for each in healed.undecided] == [("baseline",)]


def test_between_runs_of_the_same_code_the_gate_passes() -> None:
    """Nothing failed, nothing is open."""
    found = decision(factories.simulated_run(), factories.simulated_run(seed=2))
    assert (found.failed, found.undecided) == ((), ())


def test_null_pairs_are_not_judged() -> None:
    """An A/A pair is a check of the instrument."""
    arms = factories.group(factories.arm("p1a"), factories.arm("p1b"), null=True)
    found = decision(factories.simulated_run(factories.plan(arms), {"p1b": 500.0}))
    assert (found.pairs, found.failed, found.undecided) == ((), (), ())


def test_every_rule_says_whose_fault_it_is() -> None:
    """By one of three words; the pair's side then makes an arm the candidate or the baseline."""
    assert set(RULES.values()) == {"arm", "machine", "unclear"}


@pytest.mark.parametrize("which", [0, 1])
def test_a_run_whose_servers_and_generator_shared_a_cpu_is_not_gated(which: int) -> None:
    """Neither alone nor against another run: nobody can tell whose fault a regression is."""
    shared = {"server": (0,), "generator": (0,), "services": (0,)}
    slower = factories.simulated_run(rps={"p1b": 500.0}, placement=shared)
    other = factories.simulated_run()
    runs = [slower, other][:: -1 if which else 1]
    for judged in ([slower], runs):
        comparison = within(judged[0]) if len(judged) == 1 else between(*judged)
        decision = gate(comparison, judged, Demands(threshold=0.05))
        assert decision.failed == ()
        assert [(each.kind, each.faults) for each in decision.undecided] == [("no verdict", ("machine",))]
        assert "shared a CPU" in decision.undecided[0].reasons[0]
        assert comparison.caveats[0].kind == "shared-cpu"


@pytest.mark.parametrize("slow", [1000.0, 500.0])
def test_a_gate_over_runs_of_different_machines_neither_passes_nor_fails(slow: float) -> None:
    """Equals and a slower candidate alike; asked to judge all the same, it does."""
    runs = factories.simulated_run(), factories.simulated_run(rps={"p1b": slow}, seed=2, environment={"cpu": "Other"})
    demands = Demands(threshold=0.05)
    found = gate(between(*runs), runs, demands)
    assert found.failed == ()
    assert [(each.kind, each.faults) for each in found.undecided] == [("no verdict", ("machine",))]
    assert "different machines (cpu Test CPU and Other)" in found.undecided[0].reasons[0]
    judged = gate(between(*runs, judge_across=True), runs, demands)
    assert [each.kind for each in judged.failed] == ([] if slow == 1000.0 else ["regression"])
    assert judged.undecided == ()
