"""Verdicts within a run, from records whose truth is known."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from harness import units
from harness.judge.compare import as_json, within
from harness.judge.statistics import estimate
from harness.judge.verdicts import PairVerdict
from harness.record import Run, SliceRow, Trial, conditions
from harness.suite import Plan
from tests import factories

OPEN = factories.in_phases(factories.group(), "closed", "open")


def throughput(run: Run) -> PairVerdict:
    """The primary verdict of a run's first pair."""
    return next(pair for pair in within(run).pairs if pair.primary)


@pytest.mark.parametrize(
    ("rps", "expected"), [(1200.0, "better"), (850.0, "worse"), (1000.0, "equivalent"), (1050.0, "inconclusive")]
)
def test_the_verdict_follows_from_interval_and_margin(rps: float, expected: str):
    """Beyond the margin, inside it, or across its edge."""
    verdict = throughput(factories.simulated_run(rps={"p1b": rps}, seed=2, noise=0.01))
    assert verdict.verdict == expected
    assert verdict.low is not None
    assert verdict.high is not None
    assert verdict.low < rps / 1000 < verdict.high
    assert verdict.blocks == verdict.blocks_measured == 5
    assert (verdict.settle is not None) == (expected == "inconclusive")


def test_throughput_is_the_mean_over_rounds_of_the_log_ratio():
    """One value a block: the mean over rounds of log(b / a), then a t interval over blocks."""
    run = factories.simulated_run(rps={"p1b": 1100.0})
    by = {(trial.arm, trial.block): trial for trial in run.trials}
    blocks = [
        np.mean(
            [
                math.log(b.throughput_rps / a.throughput_rps)
                for a, b in zip(by["p1a", block].slices, by["p1b", block].slices, strict=True)
            ]
        )
        for block in range(5)
    ]
    expected = estimate([float(value) for value in blocks])
    verdict = throughput(run)
    assert verdict.ratio == pytest.approx(math.exp(expected.mean))
    assert (verdict.low, verdict.high) == pytest.approx(tuple(math.exp(end) for end in expected.interval()))


def test_rounds_count_only_where_both_arms_have_a_slice():
    """A round in which one of the arms has no slice is left out of the ratio."""
    run = factories.simulated_run(rps={"p1b": 1100.0}, noise=0.001)
    spoilt = []
    for trial in run.trials:
        if trial.arm == "p1a":
            slow = replace(trial.slices[0], round=9, throughput_rps=10.0)
            spoilt.append(replace(trial, slices=(*trial.slices[1:], slow), dropped_rounds=(9,)))
        else:
            spoilt.append(trial)
    spoilt = [replace(trial, throughput_rps=kept_rps(trial)) for trial in spoilt]
    assert throughput(replace(run, trials=tuple(spoilt))).ratio == pytest.approx(1.1, rel=0.02)


def kept_rps(trial: Trial) -> float:
    """Throughput over the slices that count."""
    kept = [slice_ for slice_ in trial.slices if slice_.round not in trial.dropped_rounds]
    return sum(slice_.throughput_rps * slice_.length_s for slice_ in kept) / sum(slice_.length_s for slice_ in kept)


def test_exchanging_the_arms_mirrors_the_verdict():
    """What is better seen from one side is worse from the other."""
    plan = factories.plan(factories.group(factories.arm("p1a"), factories.flask_arm("p1b")))
    swapped = throughput(factories.simulated_run(plan, rps={"p1a": 1200.0}))
    straight = throughput(factories.simulated_run(rps={"p1a": 1200.0}))
    assert swapped.verdict == straight.verdict == "worse"
    mirrored = throughput(factories.simulated_run(rps={"p1b": 1000.0, "p1a": 1000.0 / 1.2}))
    assert mirrored.verdict == "better"


@pytest.mark.parametrize("blocks", [1, 2])
def test_fewer_than_three_blocks_carry_no_verdict(blocks: int):
    """The ratio is shown, with an interval from two blocks on, but the verdict waits for three."""
    verdict = throughput(factories.simulated_run(factories.plan(blocks=blocks), rps={"p1b": 3000.0}))
    assert verdict.ratio == pytest.approx(3.0, rel=0.1)
    assert verdict.verdict == "inconclusive"
    assert (verdict.low is None) == (blocks == 1)
    assert verdict.settle is not None
    assert f"about {3 - blocks} more block" in verdict.settle


def test_three_blocks_of_an_interval_beyond_the_margin_are_better():
    """Student's t on two degrees of freedom is honest: 2.30 (2.25 to 2.36) needs no further block."""
    ratios = [2.305 * math.exp(shift) for shift in (-0.01, 0.0, 0.008)]
    run = factories.simulated_run(factories.plan(blocks=3))
    verdict = throughput(with_ratios(run, ratios))
    assert units.ratio(verdict.ratio, verdict.low, verdict.high) == "2.30 (2.25 to 2.36)"
    assert (verdict.verdict, verdict.blocks, verdict.degrees) == ("better", 3, 2)
    assert verdict.settle is None


def with_ratios(run: Run, ratios: list[float]) -> Run:
    """The run in whose blocks FastAPI serves exactly so many times what Flask does, in every round."""
    flask = {trial.block: trial for trial in run.trials if trial.arm == "p1a"}
    fastapi = []
    for block, ratio in enumerate(ratios):
        rows = [replace(row, throughput_rps=row.throughput_rps * ratio) for row in flask[block].slices]
        fastapi.append(factories.trial(run.info.plan.groups[0].arms[1], block=block, slices=consistent(rows)))
    return replace(run, trials=(*flask.values(), *fastapi))


def consistent(rows: list[SliceRow]) -> tuple[SliceRow, ...]:
    """The slices with the figures that follow from their throughput (Little's law, halves)."""
    return tuple(factories.slice_row(round=row.round, throughput_rps=row.throughput_rps) for row in rows)


def test_three_blocks_that_scatter_stay_inconclusive():
    """The width of the interval is what few blocks cost; how many more settle it is forecast from their scatter."""
    plan = factories.plan(blocks=3)
    verdict = throughput(factories.simulated_run(plan, rps={"p1b": 1150.0}, noise=0.06, seed=4))
    assert (verdict.verdict, verdict.blocks) == ("inconclusive", 3)
    assert verdict.settle is not None
    more = int(verdict.settle.split()[1])
    assert 1 <= more < 60


def without(run: Run, blocks: set[int], **changes: Any) -> Run:
    """The run with the Flask trials of `blocks` changed."""
    trials = [
        replace(trial, valid=False, **changes) if trial.arm == "p1a" and trial.block in blocks else trial
        for trial in run.trials
    ]
    return replace(run, trials=tuple(trials))


def test_a_block_counts_when_both_arms_are_valid():
    """An invalid trial takes its block out, and the verdict has its reason."""
    run = factories.simulated_run(factories.plan(blocks=7))
    verdict = throughput(without(run, {2, 4}, reasons=("steal: another time",)))
    assert (verdict.blocks, verdict.blocks_measured) == (5, 7)
    assert verdict.reasons == ("p1a: steal: another time",)


BUSY = "other processes used {} % of the CPUs, at most 10 % allowed: stop them"


def test_an_inconclusive_verdict_says_that_only_some_blocks_were_valid():
    """How many, why most of the others were not, and what would settle it; figures aside, reasons are alike."""
    plan = factories.plan(blocks=5)
    run = factories.simulated_run(plan, rps={"p1b": 1060.0}, seed=2)
    run = without(run, {1}, reasons=("no steady state: warm up longer",))
    for block, share in ((2, 15), (4, 23.5)):
        run = without(run, {block}, reasons=(BUSY.format(share),))
    verdict = throughput(run)
    assert (verdict.verdict, verdict.blocks, verdict.blocks_measured) == ("inconclusive", 2, 5)
    assert verdict.settle is not None
    assert verdict.settle.startswith(
        "only 2 of 5 blocks were valid: other processes used 15 % of the CPUs, at most 10 % allowed; about "
    )
    assert "more valid block" in verdict.settle


def test_a_decided_verdict_of_some_blocks_says_so_in_a_caveat():
    """Better all the same, but on fewer blocks than were asked for; what was made up for is not worth a word."""
    run = factories.simulated_run(factories.plan(blocks=5), rps={"p1b": 2000.0})
    verdict = throughput(without(run, {1, 3}, error="gunicorn: died\nTraceback", throughput_rps=None))
    assert (verdict.verdict, verdict.blocks, verdict.settle) == ("better", 3, None)
    assert verdict.caveats == ("only 3 of 5 blocks were valid: gunicorn: died",)
    six = factories.simulated_run(factories.plan(blocks=6), rps={"p1b": 2000.0})
    made_up = replace(six, info=replace(six.info, plan=factories.plan(blocks=5)))
    assert throughput(without(made_up, {1}, reasons=(BUSY.format(15),))).caveats == ()


def test_blocks_that_were_not_measured_yet_are_not_called_invalid():
    """While a run goes on, the blocks to come are no fault of those that are there."""
    run = factories.simulated_run(factories.plan(blocks=5))
    verdict = throughput(replace(run, trials=tuple(trial for trial in run.trials if trial.block == 0)))
    assert verdict.settle is not None
    assert "valid" not in verdict.settle


def test_a_pair_without_a_valid_block_says_why():
    """No ratio, but a row: invalid with its reasons, or an error."""
    run = factories.simulated_run()
    every = set(range(5))
    invalid = throughput(without(run, every, reasons=("steal: another time",)))
    assert (invalid.verdict, invalid.ratio, invalid.reasons) == ("invalid", None, ("p1a: steal: another time",))
    failed = throughput(without(run, every, error="gunicorn: died", throughput_rps=None))
    assert (failed.verdict, failed.ratio, failed.reasons) == ("error", None, ("p1a: gunicorn: died",))
    nothing = throughput(replace(run, trials=()))
    assert (nothing.verdict, nothing.reasons) == ("invalid", ("not measured",))


def test_cpu_and_memory_are_better_when_less():
    """Exploratory, and lower is better: the cheaper arm is called so."""
    run = factories.simulated_run()
    dear = [
        replace(
            trial,
            memory_bytes=80_000_000,
            slices=tuple(replace(row, cpu_s=(row.cpu_s or 0.0) * 1.5) for row in trial.slices),
        )
        if trial.arm == "p1b"
        else trial
        for trial in run.trials
    ]
    verdicts = {verdict.metric: verdict for verdict in within(replace(run, trials=tuple(dear))).pairs}
    assert verdicts["cpu_s_per_request"].verdict == "worse"
    assert verdicts["cpu_s_per_request"].ratio == pytest.approx(1.5, rel=0.05)
    assert verdicts["memory_bytes"].verdict == "worse"
    assert verdicts["memory_bytes"].ratio == pytest.approx(1.6)
    assert not any(verdict.primary for name, verdict in verdicts.items() if name != "throughput_rps")


def open_run(arrivals: int, plan: Plan | None = None) -> Run:
    """A run with an open phase of `arrivals` a block, in which b answers in 0.8 of a's time."""
    plan = plan or factories.plan(OPEN)
    random = np.random.default_rng(3)
    trials = list(factories.simulated_run(plan).trials)
    for block in range(plan.blocks):
        for arm in plan.groups[0].arms:
            scale = 8000.0 if arm.id == "p1b" else 10_000.0
            values = scale * random.lognormal(0, 0.3, arrivals)
            row = factories.slice_row(length_s=2.0, throughput_rps=arrivals / 2, in_flight=5.0)
            trials.append(
                factories.trial(arm, block=block, phase="open", slices=(row,), histogram=factories.histogram(values))
            )
    return factories.run(plan, tuple(trials))


def test_latency_is_compared_in_the_open_phase():
    """Percentiles of block histograms at the same offered rate, lower is better, exploratory."""
    verdicts = {verdict.metric: verdict for verdict in within(open_run(2000)).pairs if verdict.phase == "open"}
    assert set(verdicts) == {f"latency_{name}_us" for name in ("p50", "p90", "p95", "p99", "p99_9")}
    assert verdicts["latency_p50_us"].verdict == "better"
    assert verdicts["latency_p50_us"].ratio == pytest.approx(0.8, rel=0.02)
    assert verdicts["latency_p99_us"].blocks == 5
    assert not any(verdict.primary for verdict in verdicts.values())


def test_a_percentile_needs_ten_requests_beyond_it_in_every_block():
    """Where a block has too few there is no interval; over all blocks merged the ratio may still be shown."""
    verdicts = {verdict.metric: verdict for verdict in within(open_run(400)).pairs if verdict.phase == "open"}
    assert verdicts["latency_p95_us"].verdict == "better"
    p99 = verdicts["latency_p99_us"]
    assert (p99.verdict, p99.low, p99.blocks) == ("not resolved", None, 0)
    assert p99.ratio == pytest.approx(0.8, rel=0.1)
    assert "1,000 answers of each arm in each block" in p99.reasons[0]
    assert verdicts["latency_p99_9_us"].ratio is None


def test_latency_at_saturation_is_labelled_so():
    """Closed, latency compares queues: its name says at whose saturation."""
    names = {pair.metric for pair in within(factories.simulated_run()).pairs}
    assert {"saturated_latency_p50_us", "saturated_latency_p99_us"} < names
    assert not any(name.startswith("latency_") for name in names)


def test_an_open_only_pair_has_its_cost_from_there():
    """A rate that was asked for leaves no closed phase: no throughput, but CPU and latency."""
    group = factories.in_phases(factories.group(), "open")
    run = open_run(2000, factories.plan(group))
    opened = replace(run, trials=tuple(trial for trial in run.trials if trial.phase == "open"))
    phases = {verdict.metric: verdict.phase for verdict in within(opened).pairs}
    assert "throughput_rps" not in phases
    assert phases["cpu_s_per_request"] == "open"


def null_run(ratio: float) -> Run:
    """A run with a pair and an A/A pair that differs from itself by `ratio`."""
    real = factories.group()
    twins = factories.group(factories.arm("p2a"), factories.arm("p2b"), name="g2", null=True)
    return factories.simulated_run(factories.plan(real, twins), rps={"p2b": 1000.0 * ratio}, noise=0.01)


def test_an_a_a_pair_is_the_runs_noise():
    """Its interval is shown as a check, and raises no caveat while it includes 1."""
    comparison = within(null_run(1.0))
    assert comparison.noise[0].metric == "throughput_rps"
    assert comparison.noise[0].low < 1 < comparison.noise[0].high
    assert not comparison.noise[0].excludes_one
    assert comparison.caveats == ()
    assert not any(verdict.caveats for verdict in comparison.pairs)


def test_an_a_a_pair_that_differs_from_itself_is_a_caveat_on_every_verdict():
    """When the instrument shows a difference where there is none, each verdict carries that."""
    comparison = within(null_run(1.1))
    assert comparison.noise[0].excludes_one
    assert [caveat.kind for caveat in comparison.caveats if "throughput_rps" in caveat.text] == ["noise"]
    verdicts = [verdict for verdict in comparison.pairs if verdict.metric == "throughput_rps"]
    assert len(verdicts) == 2
    assert all("an A/A pair differs" in verdict.caveats[0] for verdict in verdicts)


def test_limits_and_what_each_side_is_stand_beside_the_verdict():
    """Each arm's usual limit, how much of its ceiling it reached, and the levels that are its own."""
    run = factories.simulated_run()
    marked = [
        replace(
            trial, limit="server-cpu" if trial.block else "connections", ceiling_rps=2 * (trial.throughput_rps or 0)
        )
        for trial in run.trials
    ]
    verdict = throughput(replace(run, trials=tuple(marked)))
    assert (verdict.a_limit, verdict.b_limit) == ("server-cpu", "server-cpu")
    assert verdict.a_ceiling == pytest.approx(0.5)
    assert verdict.a == "flask on gunicorn-gthread (8 threads)"
    assert verdict.b == "fastapi on uvicorn"
    assert verdict.factors["workers"] == 1
    assert verdict.factors["a"]["threads"] == 8


def test_diagnoses_of_the_arms_are_among_the_caveats():
    """What an arm's median trial shows is one caveat, with the arm's name."""
    run = factories.simulated_run()
    closing = [replace(trial, connections_per_request=1.0) if trial.arm == "p1a" else trial for trial in run.trials]
    caveats = within(replace(run, trials=tuple(closing))).caveats
    assert [(caveat.kind, caveat.arm) for caveat in caveats] == [("no-keep-alive", "p1a")]


def test_an_arm_that_is_never_valid_is_diagnosed_all_the_same():
    """What is wrong with it may be why it is not valid."""
    run = factories.simulated_run()
    trials = tuple(
        replace(trial, valid=False, reasons=("unsteady",), connections_per_request=1.0) if trial.arm == "p1a" else trial
        for trial in run.trials
    )
    caveats = within(replace(run, trials=trials)).caveats
    assert [(caveat.kind, caveat.arm) for caveat in caveats] == [("no-keep-alive", "p1a")]


def test_the_json_has_the_documented_keys():
    """The keys that docs/FORMAT.md promises are there, and all of it is JSON."""
    answer = json.loads(json.dumps(as_json(within(null_run(1.0))), allow_nan=False))
    assert {"pairs", "noise", "effects"} <= set(answer)
    keys = {"scenario", "factors", "a", "b", "metric", "primary", "ratio", "low", "high", "blocks", "verdict"}
    assert all(keys <= set(pair) for pair in answer["pairs"])
    assert {"metric", "low", "high"} <= set(answer["noise"])
    assert as_json(within(factories.simulated_run()))["noise"] is None


def test_a_run_that_went_on_under_other_conditions_names_them_and_the_block():
    """Of a code its digests are left out; a sitting that left no row has changed nothing."""
    run = factories.simulated_run(factories.plan(blocks=4))
    first = replace(conditions.first(run.info), code={"flask": "aa"})
    other = replace(first, environment=first.environment | {"kernel": "6.1"}, code={"flask": "bb"})
    trials = tuple(replace(trial, sitting=2 if trial.block > 1 else 0) for trial in run.trials)
    sat = replace(run, info=replace(run.info, sittings=(first, replace(other, versions={"flask": "9"}), other)))
    (caveat,) = within(replace(sat, trials=trials)).caveats
    assert caveat.kind == "resumed"
    assert caveat.text == (
        "went on with --accept-changes, and from block 3 on was measured under other conditions: "
        "machine: kernel: 6.0 before, 6.1 then; code: flask"
    )
    same = replace(sat, info=replace(sat.info, sittings=(first, other, first)))
    assert within(replace(same, trials=trials)).caveats == ()


def test_a_run_that_was_extended_says_so():
    """Who looks first and then adds blocks finds more than there is."""
    run = factories.simulated_run(factories.plan(blocks=4))
    row = conditions.first(run.info)
    extended = replace(run, info=replace(run.info, sittings=(replace(row, blocks=3), row)))
    (caveat,) = within(extended).caveats
    assert caveat.kind == "extended"
    assert caveat.text.startswith("was extended from 3 blocks to 4: ")


def test_a_verdict_carries_the_rate_that_was_really_offered():
    """Derived or asked for, as the open trials have it; a closed metric has none."""
    arms = [replace(each, loads=factories.loads("open", rate_rps=700.0)) for each in OPEN.arms]
    opened = [factories.trial(arm, phase="open", block=block) for block in range(3) for arm in arms]
    closed = [factories.trial(arm, block=block) for block in range(3) for arm in OPEN.arms]
    verdicts = within(factories.run(factories.plan(OPEN, blocks=3), (*closed, *opened))).pairs
    rates = {verdict.phase: verdict.factors["rate_rps"] for verdict in verdicts}
    assert rates == {"closed": None, "open": 700.0}


def test_a_run_of_what_ran_already_says_so():
    """Once for each such target, with what could not be checked; nothing of what was launched."""
    live = factories.target(name="live", app="", url="http://127.0.0.1:8000")
    plan = factories.plan(factories.group(factories.flask_arm("p1a"), factories.arm("p1b", target=live)))
    said = [each for each in within(factories.simulated_run(plan)).caveats if each.kind == "not-launched"]
    assert [each.text.partition(" and ")[0] for each in said] == ["live ran already at http://127.0.0.1:8000"]
    assert "no interval holds what differs from launch to launch" in said[0].text
    assert "its CPU time and memory" in said[0].text
    assert "name its pid" in said[0].remedy
    assert not [each for each in within(factories.simulated_run()).caveats if each.kind == "not-launched"]
