"""Definitions to groups, blocks and rounds."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.errors import DefinitionError, UsageError
from harness.suite import Options, Plan, build, load_suite, rounds, run_times


def plan_of(suite: str, **options: object) -> Plan:
    """The plan of a shipped suite."""
    definitions, chosen = load_suite(suite)
    return build(definitions, chosen, Options(seed=7, **options))  # type: ignore[arg-type]


def test_a_group_holds_the_arms_of_one_scenario_eight_at_most() -> None:
    """And every pair's two arms are in the same group."""
    for suite in ("quick", "full", "servers", "workers"):
        for group in plan_of(suite).groups:
            assert 2 <= len(group.arms) <= 8
            assert {arm.cell.scenario for arm in group.arms} == {group.scenario}
            ids = {arm.id for arm in group.arms}
            assert all({pair.a, pair.b} <= ids for pair in group.pairs)


def test_suite_full_has_at_most_60_arms_and_takes_at_most_60_minutes() -> None:
    """Suite quick takes at most 8 minutes."""
    full = plan_of("full")
    assert sum(len(group.arms) for group in full.groups) <= 60
    assert run_times(full).total_s <= 3600
    assert run_times(plan_of("quick")).total_s <= 480


def test_suite_neighbours_takes_at_most_a_quarter_of_an_hour() -> None:
    """Episodes and their search included."""
    assert run_times(plan_of("neighbours")).total_s <= 900


def test_the_two_arms_of_a_pair_are_adjacent_in_every_round() -> None:
    """The order of pairs and the order inside a pair both vary."""
    plan = plan_of("quick")
    group = next(group for group in plan.groups if len(group.pairs) > 1)
    orders = set()
    for block in range(6):
        for order in rounds(plan, group, block, "closed"):
            names = [group.arms[index].id for index in order]
            assert sorted(names) == sorted(arm.id for arm in group.arms)
            assert all({names[i][:-1]} == {names[i + 1][:-1]} for i in range(0, len(names), 2))
            orders.add(order)
    assert len(orders) > 6


def test_rounds_are_fixed_by_the_seed() -> None:
    """The same seed gives the same order, another block another one; the open phase has one round."""
    plan = plan_of("quick")
    group = plan.groups[1]
    assert rounds(plan, group, 0, "closed") == rounds(plan, group, 0, "closed")
    assert len(rounds(plan, group, 0, "closed")) == plan.rounds
    assert len(rounds(plan, group, 0, "open")) == 1


def test_a_factor_that_does_not_apply_stands_at_none() -> None:
    """No client for json; external-data has its target's default."""
    plan = plan_of("quick")
    cells = {arm.id: arm.cell for group in plan.groups for arm in group.arms}
    assert [cells["p1a"].level(name) for name in ("client", "pooling", "cache")] == ["none"] * 3
    assert (cells["p3a"].level("client"), cells["p3b"].level("client")) == ("requests", "httpx")
    assert (cells["p1a"].threads, cells["p1b"].threads) == (8, 1)


def test_a_filter_keeps_pairs_of_which_one_side_matches() -> None:
    """Every condition must hold; an unknown key and an empty result are errors."""
    kept = plan_of("quick", wanted="scenario=external-data,workers=4")
    assert [pair.id for group in kept.groups for pair in group.pairs] == ["p4"]
    assert plan_of("quick", wanted="server=uvi*").groups
    with pytest.raises(UsageError, match="leaves no pair"):
        plan_of("quick", wanted="scenario=nothing")
    with pytest.raises(UsageError, match="must be KEY=PATTERN"):
        plan_of("quick", wanted="colour=red")


def test_a_pair_with_a_rate_is_open_only_and_in_a_group_of_its_own_kind() -> None:
    """So a sweep over rates is not mixed with one over connections."""
    plan = plan_of("sweep")
    for group in plan.groups:
        rates = {arm.rate_rps is not None for arm in group.arms}
        assert rates == {group.phases == ("open",)}


def test_equal_sides_are_an_a_a_pair() -> None:
    """In full there is one; in null all are."""
    assert sum(pair.null for group in plan_of("full").groups for pair in group.pairs) == 1
    assert all(pair.null for group in plan_of("null").groups for pair in group.pairs)


def test_a_baseline_takes_the_place_of_every_a() -> None:
    """On b's server, with b's factors; it must be of b's interface."""
    plan = plan_of("quick", baseline="fastapi-threadpool", wanted="scenario=json")
    a, b = plan.groups[0].arms
    assert (a.cell.target, a.cell.server) == ("fastapi-threadpool", b.cell.server)
    with pytest.raises(DefinitionError, match="--baseline flask is wsgi"):
        plan_of("quick", baseline="flask")
    with pytest.raises(UsageError, match="no such target"):
        plan_of("quick", baseline="nobody")


def test_generators_are_the_suites_unless_an_option_says_otherwise() -> None:
    """They agree on each slice, which takes its time."""
    definitions, chosen = load_suite("smoke")
    assert build(definitions, chosen, Options(seed=7)).generators == 1
    three = replace(chosen, generators=3)
    assert build(definitions, three, Options(seed=7)).generators == 3
    five = build(definitions, three, Options(seed=7, generators=5))
    assert five.generators == 5
    assert run_times(five).total_s > run_times(build(definitions, chosen, Options(seed=7))).total_s
