"""Two runs: what changed, what differs around them, and whether anything got worse."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from harness.errors import RecordError, UsageError
from harness.judge.compare import between, regressions, within
from harness.judge.verdicts import PairVerdict
from harness.record import Run
from harness.record.conditions import first
from harness.suite import Factor, Plan
from tests import factories

SCENARIOS = ("json", "payload", "cpu", "form")


def several(**changes: Any) -> Plan:
    """A pair for each of four scenarios."""
    groups = []
    for number, name in enumerate(SCENARIOS, 1):
        scenario = factories.scenario(name=name)
        arms = factories.flask_arm(f"p{number}a", scenario=scenario), factories.arm(f"p{number}b", scenario=scenario)
        groups.append(factories.group(*arms, name=f"g{number}"))
    return factories.plan(*groups, **changes)


def primary(before: Run, after: Run) -> PairVerdict:
    """The throughput verdict of the first pair of two runs."""
    return next(pair for pair in between(before, after).pairs if pair.primary)


def test_a_slower_target_is_worse_and_named():
    """One target 20 % slower: its pair is a regression, the others are not."""
    before, after = factories.simulated_run(several()), factories.simulated_run(several(), {"p3b": 800.0}, seed=2)
    failed = regressions(between(before, after), 0.05)
    assert [(pair.scenario, pair.b, pair.verdict) for pair in failed] == [("cpu", "fastapi on uvicorn", "worse")]
    assert failed[0].ratio == pytest.approx(0.8, rel=0.05)
    assert failed[0].adjusted_p is not None
    assert failed[0].adjusted_p < 0.05


def test_runs_of_the_same_code_show_no_regression():
    """Twenty comparisons of four unchanged scenarios: none is called worse."""
    runs = [factories.simulated_run(several(), seed=seed, noise=0.03) for seed in range(40)]
    assert not any(regressions(between(a, b), 0.05) for a, b in zip(runs[::2], runs[1::2], strict=True))


def test_the_gate_corrects_for_how_many_it_judges():
    """A pair that is just worse when judged alone is not when it is judged with three others (Holm)."""
    before = factories.simulated_run(several(), seed=11)
    after = factories.simulated_run(several(), {"p1b": 900.0}, seed=12)
    alone = replace(between(before, after), pairs=(primary(before, after),))
    among = between(before, after)
    threshold = next(
        step / 1000 for step in range(1, 200) if not regressions(among, step / 1000)
    )  # the smallest at which the four together let it pass
    assert regressions(alone, threshold)


def test_a_gate_of_one_run_judges_candidate_against_baseline():
    """A baseline measured as an arm beside the candidate is judged from a single run."""
    assert regressions(within(factories.simulated_run(rps={"p1b": 800.0})), 0.05)
    assert not regressions(within(factories.simulated_run()), 0.05)


def test_a_null_pair_is_no_regression():
    """An A/A pair is a check of the instrument, never a finding about a target."""
    group = factories.group(factories.arm("p1a"), factories.arm("p1b"), null=True)
    run = factories.simulated_run(factories.plan(group), {"p1b": 700.0})
    assert regressions(within(run), 0.05) == ()


def test_what_a_slow_machine_does_to_both_arms_is_no_regression():
    """Absolute throughput halves, the ratio stays: it is shown, without a verdict."""
    before = factories.simulated_run()
    after = factories.simulated_run(rps={"p1a": 500.0, "p1b": 500.0}, seed=2)
    comparison = between(before, after)
    assert primary(before, after).verdict == "equivalent"
    assert [(change.side, change.arm) for change in comparison.arms] == [
        ("a", "flask on gunicorn-gthread (8 threads)"),
        ("b", "fastapi on uvicorn"),
    ]
    assert all(change.ratio == pytest.approx(0.5, rel=0.15) for change in comparison.arms)


def test_a_ratio_that_rose_because_the_baseline_fell_has_a_caveat():
    """It is better only because the baseline got slower."""
    comparison = between(factories.simulated_run(), factories.simulated_run(rps={"p1a": 700.0}, seed=1))
    assert [pair.verdict for pair in comparison.pairs if pair.primary] == ["better"]
    assert [caveat.kind for caveat in comparison.caveats] == ["baseline-moved"]
    assert "flask on gunicorn-gthread (8 threads) went from" in comparison.caveats[0].text


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"environment": {"cpu": "Other CPU", "cpus": 2, "kernel": "6.0"}}, "machine: cpu"),
        ({"versions": {"fastapi": "0.999", "flask": "3.1.0"}}, "versions: fastapi"),
        ({"versions": {"flask": "3.1.0"}}, "versions: fastapi"),
        ({"gatebench": "9.9"}, "versions: gatebench"),
        ({"placement": {"server": (0, 1), "generator": (2,), "services": (3,)}}, "placement: server"),
    ],
)
def test_what_differs_around_the_runs_is_warned_of_by_name(changes: dict[str, Any], name: str):
    """Machine, versions or placement: each difference is named, with the better way."""
    comparison = between(factories.simulated_run(), factories.simulated_run(seed=2, **changes))
    assert name in comparison.environment_changes
    warned = [caveat for caveat in comparison.caveats if name in caveat.text]
    assert len(warned) == 1
    assert warned[0].kind == name.partition(":")[0]
    assert "--baseline" in warned[0].remedy


MACHINES: list[dict[str, Any]] = [
    {"environment": {"cpu": "Other CPU", "cpus": 2, "kernel": "6.0"}},
    {"environment": {"cpu": "Test CPU", "cpus": 8, "kernel": "6.0"}},
    {"environment": {"cpu": "Test CPU", "cpus": 2, "kernel": "6.9"}},
    {"environment": {"cpu": "Test CPU", "cpus": 2, "kernel": "6.0", "memory_bytes": 64 << 30}},
    {"placement": {"server": (0, 1), "generator": (2,), "services": (3,)}},
]
"""Each unlike that of `machine_a`, in one way."""


def machine_a(**changes: Any) -> Run:
    """A run on two CPUs with 8 GiB."""
    return factories.simulated_run(
        **{"environment": {"cpu": "Test CPU", "cpus": 2, "kernel": "6.0", "memory_bytes": 8 << 30}} | changes
    )


@pytest.mark.parametrize("other", MACHINES)
def test_of_runs_of_different_machines_there_are_figures_and_no_verdict(other: dict[str, Any]):
    """Whichever was first, and a slower target there is no regression; the caveat says what to do."""
    runs = [machine_a(), machine_a(rps={"p1b": 700.0}, seed=2, **other)]
    for before, after in (runs, runs[::-1]):
        comparison = between(before, after)
        assert comparison.unjudged is not None
        shown = primary(before, after)
        assert (shown.verdict, shown.settle) == ("not judged", None)
        assert shown.ratio is not None
        assert shown.low is not None
        said = next(caveat for caveat in comparison.caveats if caveat.kind == "across-machines")
        assert "no verdict" in said.text
        assert "--across-machines" in said.remedy
    judged = between(*runs, judge_across=True)
    assert judged.unjudged is None
    assert next(pair for pair in judged.pairs if pair.primary).verdict == "worse"
    assert "may be one about them" in next(each.text for each in judged.caveats if each.kind == "across-machines")


def test_what_makes_them_different_is_said():
    """By name, both values."""
    assert between(machine_a(), machine_a(seed=2, **MACHINES[0])).unjudged == (
        "the runs were measured on different machines (cpu Test CPU and Other CPU)"
    )
    assert between(machine_a(), machine_a(seed=2, **MACHINES[4])).unjudged == (
        "the runs were measured on different numbers of CPUs (CPUs of the servers 1 and 2)"
    )


def test_a_machine_after_a_boot_is_the_same():
    """With some memory less, other load, and where a record holds less than another."""
    later = {"cpu": "Test CPU", "cpus": 2, "kernel": "6.0", "memory_bytes": (8 << 30) - 500_000, "load_average": [3.0]}
    for environment in (later, {"cpu": "Test CPU"}, {}):
        assert between(machine_a(), machine_a(seed=2, environment=environment)).unjudged is None


def test_a_run_that_went_on_elsewhere_is_of_two_machines():
    """Its later sitting makes a comparison with it one across machines."""
    before, whole = machine_a(), machine_a(seed=2)
    here = first(whole.info)
    there = replace(here, environment={**here.environment, "cpu": "Other CPU"})
    after = replace(whole, info=replace(whole.info, sittings=(here, there)))
    assert between(before, after).unjudged is not None


def test_a_different_load_is_warned_of():
    """Another upstream delay is another question."""
    other = factories.plan(upstream=replace(factories.plan().upstream, delay_ms=100.0))
    comparison = between(factories.simulated_run(), factories.simulated_run(other, seed=2))
    assert list(comparison.environment_changes) == ["plan: upstream"]


def test_equal_conditions_raise_no_warning():
    """The load average differs between any two runs and is no news."""
    before = factories.simulated_run(environment={"cpu": "Test CPU", "load_average": [0.1]})
    after = factories.simulated_run(environment={"cpu": "Test CPU", "load_average": [0.7]}, seed=2)
    assert between(before, after).caveats == ()


def test_runs_without_a_common_pair_are_refused():
    """Nothing can be said of two runs that measured different things."""
    other = factories.plan(factories.group(factories.flask_arm("p1a", workers=2), factories.arm("p1b", workers=2)))
    with pytest.raises(UsageError, match="no pair is common"):
        between(factories.simulated_run(), factories.simulated_run(other))


def test_pairs_are_matched_by_what_they_are_not_by_their_number():
    """A pair that moved within the suite is compared; of a pair that only one run has there is a caveat."""
    moved = factories.plan(
        factories.group(
            factories.flask_arm("p1a", workers=2),
            factories.arm("p1b", workers=2),
            factories.flask_arm("p2a"),
            factories.arm("p2b"),
        )
    )
    comparison = between(factories.simulated_run(), factories.simulated_run(moved, {"p2b": 1300.0}, seed=2))
    assert {pair.pair for pair in comparison.pairs} == {"p2"}
    assert next(pair for pair in comparison.pairs if pair.primary).verdict == "better"
    assert [caveat.kind for caveat in comparison.caveats] == ["unmatched"]
    assert "only in the run after" in comparison.caveats[0].text


def test_a_pair_that_failed_in_one_run_says_in_which():
    """No verdict, but a row with the reason and the run it comes from."""
    after = factories.simulated_run(seed=2)
    broken = [
        replace(trial, valid=False, error="gunicorn: died") if trial.arm == "p1a" else trial for trial in after.trials
    ]
    verdict = primary(factories.simulated_run(), replace(after, trials=tuple(broken)))
    assert (verdict.verdict, verdict.ratio) == ("error", None)
    assert verdict.reasons == ("after: p1a: gunicorn: died",)


def test_an_undecided_change_says_in_which_run_blocks_were_not_valid():
    """Only some blocks of the later run could be used, and why."""
    after = factories.simulated_run(rps={"p1b": 1060.0}, seed=2)
    reasons = ("the load generator waited for a CPU 7 % of the time: leave its CPU to it alone",)
    trials = [
        replace(trial, valid=False, reasons=reasons) if trial.arm == "p1a" and trial.block in {0, 3, 4} else trial
        for trial in after.trials
    ]
    verdict = primary(factories.simulated_run(), replace(after, trials=tuple(trials)))
    assert (verdict.verdict, verdict.blocks, verdict.blocks_measured) == ("inconclusive", 2, 5)
    assert verdict.settle is not None
    assert verdict.settle.startswith(
        "in the run after only 2 of 5 blocks were valid: the load generator waited for a CPU 7 % of the time; "
        "more blocks in both runs"
    )


def test_two_blocks_give_an_interval_but_no_verdict():
    """Three blocks in both runs carry a verdict; two do not."""
    few = factories.plan(blocks=2)
    verdict = primary(factories.simulated_run(), factories.simulated_run(few, {"p1b": 3000.0}, noise=0.001, seed=2))
    assert verdict.verdict == "inconclusive"
    assert verdict.low is not None
    assert verdict.low > 1.5
    assert verdict.settle is not None
    three = factories.plan(blocks=3)
    assert primary(factories.simulated_run(), factories.simulated_run(three, {"p1b": 2000.0})).verdict == "better"


def test_a_corrupted_record_in_either_run_is_refused():
    """The error names the run's path and the trial."""
    good = factories.simulated_run()
    bad = replace(good, path="results/bad", trials=(replace(good.trials[0], throughput_rps=9e9), *good.trials[1:]))
    for before, after in ((good, bad), (bad, good)):
        with pytest.raises(RecordError, match="results/bad: trial p1a/0/closed: throughput"):
            between(before, after)


def test_a_run_from_before_there_was_a_factor_stands_at_its_default():
    """Its pairs match those at the default of what came later, and no others."""
    loop = Factor(name="loop", levels=("uvloop", "asyncio"), default="uvloop", on="side")

    def later(level: str) -> Run:
        arms = [replace(arm, cell=arm.cell.at(loop=level)) for arm in factories.group().arms]
        plan = factories.plan(factories.group(*arms), factors=(*factories.FACTORS.values(), loop))
        return factories.simulated_run(plan, seed=2)

    plain = [factor for factor in factories.FACTORS.values() if factor.name != "loop"]
    bare = [
        replace(arm, cell=replace(arm.cell, levels=tuple(level for level in arm.cell.levels if level[0] != "loop")))
        for arm in factories.group().arms
    ]
    before = factories.simulated_run(factories.plan(factories.group(*bare), factors=tuple(plain)))
    assert between(before, later("uvloop")).pairs
    with pytest.raises(UsageError, match="no pair is common"):
        between(before, later("asyncio"))


def test_a_round_trip_is_another_in_each_run_and_means_nothing() -> None:
    """Another machine does."""
    run = factories.run()

    def there(**facts: object) -> Run:
        return replace(run, info=replace(run.info, environment=run.info.environment | {"server_machine": facts}))

    before = there(name="ten", cpus=8, round_trip_us=200.0)
    assert between(before, there(name="ten", cpus=8, round_trip_us=300.0)).environment_changes == {}
    assert list(between(before, there(name="ten", cpus=4)).environment_changes) == ["machine: server_machine"]
