"""What a plan may come to, before anything is measured."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from harness.suite import Pod
from harness.suite.expected import OF_A_WORKER, most_rps, most_workers
from tests import factories

CEILING = 90_000.0
A_WORKER = CEILING * OF_A_WORKER
THERE = replace(factories.FASTAPI, url="http://ten:80")
EXTERNAL = factories.upstream_scenario()


@pytest.mark.parametrize(
    ("arm", "expected_rps"),
    [
        ({"workers": 4}, 4 * A_WORKER),
        ({"workers": 40}, 12 * A_WORKER),  # of which so many cores run at once
        ({"workers": 4, "rate_rps": 250_000.0}, 250_000.0),
        ({"workers": 4, "rate_rps": 5.0}, 5.0),  # there is no load but that one
        ({"workers": 4, "scenario": EXTERNAL, "connections": 32}, 32 / 0.020),
        ({"workers": 4, "scenario": EXTERNAL, "connections": 32, "cache": "memory"}, 4 * A_WORKER),
        ({"workers": 4, "target": THERE}, 0.0),  # its CPUs are not known
    ],
)
def test_an_arm_is_sent_what_its_workers_its_slow_api_or_the_suite_allow(
    arm: dict[str, Any], expected_rps: float
) -> None:
    """The most of these over all arms counts."""
    plan = factories.plan(factories.group(factories.arm("p1a", workers=1, rate_rps=1.0), factories.arm("p1b", **arm)))
    assert most_rps(plan, CEILING, cores=12) == pytest.approx(max(expected_rps, 1.0))


def test_a_quota_of_cpus_is_all_that_workers_have() -> None:
    """However many they are."""
    arm = factories.arm("p1a", workers=4)
    arm = replace(arm, cell=arm.cell.within(Pod(cpus=0.5)))
    assert most_rps(factories.plan(factories.group(arm, replace(arm, id="p1b"))), CEILING, 12) == 0.5 * A_WORKER


def test_workers_are_counted_where_they_are_launched_by_us() -> None:
    """Others need none of our cores."""
    attached = factories.arm("p1b", workers=9, target=THERE)
    assert most_workers(factories.plan(factories.group(factories.arm("p1a", workers=3), attached))) == 3
    assert most_workers(factories.plan(factories.group(attached, replace(attached, id="p1a")))) == 0
