"""What a factor does within each interface, and how the interfaces differ in it."""

from __future__ import annotations

import pytest

from harness.judge.compare import within
from harness.judge.verdicts import Effect
from harness.suite import Arm, Plan
from tests import factories
from tests.factories import EXTERNAL


def pooled(name: str, pooling: str) -> tuple[Arm, Arm]:
    """Flask and FastAPI on the upstream, pooled or not."""
    return (
        factories.flask_arm(f"{name}a", scenario=EXTERNAL, pooling=pooling),
        factories.arm(f"{name}b", scenario=EXTERNAL, pooling=pooling),
    )


def effects(plan: Plan, rps: dict[str, float], metric: str = "throughput_rps") -> dict[tuple[str, str, str], Effect]:
    """Effects on a metric by factor, level and where."""
    found = within(factories.simulated_run(plan, rps, noise=0.01)).effects
    return {(one.factor, one.high_level, one.where): one for one in found if one.metric == metric}


RPS = {"p1a": 500.0, "p1b": 100.0, "p2a": 600.0, "p2b": 900.0}


def one_group() -> Plan:
    """Both levels of pooling side by side."""
    return factories.plan(factories.group(*pooled("p1", "none"), *pooled("p2", "pool")))


def two_groups() -> Plan:
    """The levels of pooling in groups of their own."""
    return factories.plan(
        factories.group(*pooled("p1", "none"), name="g1"), factories.group(*pooled("p2", "pool"), name="g2")
    )


@pytest.mark.parametrize("plan", [one_group(), two_groups()], ids=["one group", "two groups"])
def test_the_effect_of_pooling_is_told_for_each_interface_and_between_them(plan: Plan):
    """Flask gains a fifth, FastAPI nine times; the difference is the ratio of the two."""
    found = effects(plan, RPS)
    truths = {"wsgi": 1.2, "asgi": 9.0, "asgi / wsgi": 7.5}
    assert {where for _, _, where in found} == set(truths)
    for where, truth in truths.items():
        effect = found["pooling", "pool", where]
        assert effect.low_level == "none"
        assert effect.low < truth < effect.high
        assert effect.blocks == 5
        assert effect.scenario == "external-data"


def test_side_by_side_levels_are_compared_block_by_block():
    """The machine's mood is common to a group's arms and cancels out; between groups it stays."""
    paired = effects(one_group(), RPS)["pooling", "pool", "wsgi"]
    unpaired = effects(two_groups(), RPS)["pooling", "pool", "wsgi"]
    assert paired.high / paired.low < unpaired.high / unpaired.low


def test_every_level_is_held_against_the_baseline():
    """Memory and Redis each against no cache, never against each other."""
    arms = [
        arm
        for number, cache in enumerate(("none", "memory", "redis"), 1)
        for arm in (
            factories.flask_arm(f"p{number}a", scenario=EXTERNAL, cache=cache),
            factories.arm(f"p{number}b", scenario=EXTERNAL, cache=cache),
        )
    ]
    found = effects(factories.plan(factories.group(*arms)), {"p2a": 4000.0, "p3a": 2000.0})
    assert {(level, one.low_level) for (_, level, _), one in found.items()} == {("memory", "none"), ("redis", "none")}
    assert found["cache", "memory", "wsgi"].ratio == pytest.approx(4.0, rel=0.1)
    assert found["cache", "redis", "asgi / wsgi"].ratio == pytest.approx(0.5, rel=0.1)


def test_a_client_is_each_interfaces_own():
    """FastAPI's clients are held against its default; there is nothing to hold Flask's against."""
    arms = [
        arm
        for number, client in enumerate(("aiohttp", "httpx"), 1)
        for arm in (
            factories.flask_arm(f"p{number}a", scenario=EXTERNAL),
            factories.arm(f"p{number}b", scenario=EXTERNAL, client=client),
        )
    ]
    found = effects(factories.plan(factories.group(*arms)), {"p1b": 2500.0})
    assert list(found) == [("client", "aiohttp", "asgi")]
    assert found["client", "aiohttp", "asgi"].low_level == "httpx"
    assert found["client", "aiohttp", "asgi"].ratio == pytest.approx(2.5, rel=0.1)


def test_the_effect_of_workers_starts_at_the_fewest():
    """Two and four workers against one."""
    arms = [
        arm
        for workers in (4, 1, 2)
        for arm in (
            factories.flask_arm(f"p{workers}a", workers=workers),
            factories.arm(f"p{workers}b", workers=workers),
        )
    ]
    found = effects(factories.plan(factories.group(*arms)), {"p2a": 1900.0, "p4a": 3500.0})
    assert {(level, one.low_level) for (_, level, _), one in found.items()} == {("2", "1"), ("4", "1")}
    assert found["workers", "4", "wsgi"].ratio == pytest.approx(3.5, rel=0.1)


def test_cells_that_differ_in_two_factors_show_no_effect():
    """Pooled with four workers against unpooled with one says nothing of either."""
    arms = (
        factories.flask_arm("p1a", scenario=EXTERNAL, pooling="none"),
        factories.arm("p1b", scenario=EXTERNAL, pooling="none"),
        factories.flask_arm("p2a", scenario=EXTERNAL, workers=4),
        factories.arm("p2b", scenario=EXTERNAL, workers=4),
    )
    assert effects(factories.plan(factories.group(*arms)), {}) == {}


def test_an_effect_needs_two_blocks():
    """One block has no interval, and an effect without one is not told."""
    plan = factories.plan(*one_group().groups, blocks=1)
    assert effects(plan, RPS) == {}


def test_effects_on_cpu_are_told_too():
    """Twice the throughput on the same CPU is half the CPU a request."""
    found = effects(one_group(), RPS, "cpu_s_per_request")
    assert found["pooling", "pool", "asgi"].ratio == pytest.approx(1 / 9, rel=0.1)
