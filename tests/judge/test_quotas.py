"""What a pod's quota does: the limit, its evidence, and the diagnoses of a server in it."""

from __future__ import annotations

from typing import Any

import pytest

from harness.judge.limits import arm_bound_by, diagnoses, limit
from harness.judge.verdicts import Caveat
from harness.record import Trial
from harness.suite import Arm, Pod
from harness.units import THIN
from tests import factories
from tests.factories import PLACEMENT

PLAN = factories.plan()
TWO_CPUS = PLACEMENT | {"server": (0, 1)}


def within(cpus: float | None, **changes: Any) -> Arm:
    """An arm in a pod of so many CPUs."""
    arm = factories.arm(**changes)
    return factories.arm(cell=arm.cell.within(Pod(cpus=cpus)), **changes) if cpus else arm


def trial(arm: Arm, cpu: float, throttled: int | None = 58, **changes: Any) -> Trial:
    """Three slices of twenty periods at 1,000 requests a second, using `cpu` CPUs; so many periods were throttled."""
    rows = tuple(factories.slice_row(round=number, length_s=2.0, cpu_s=cpu * 2.0) for number in range(3))
    counts = {"nr_periods": 60, "nr_throttled": throttled, "throttled_s": 0.05 * (throttled or 0)}
    return factories.trial(arm, slices=rows, **(counts if arm.cell.cpus else {}) | changes)


def diagnosed(judged: Trial, arm: Arm, host_cpus: int | None = 4) -> dict[str, Caveat]:
    """The diagnoses by their kind."""
    return {caveat.kind: caveat for caveat in diagnoses(judged, arm, (), PLAN, PLACEMENT, host_cpus)}


@pytest.mark.parametrize(
    ("quota", "cpu", "throttled", "expected"),
    [
        (0.5, 0.49, 58, "cpu-quota"),
        (0.5, 0.49, 0, None),  # nothing says that it was stopped
        (0.5, 0.30, 3, None),  # a fifth and more of it is left
        (0.25, 0.26, 60, "cpu-quota"),  # the edges of a slice may give it more
        (2.0, 0.97, 0, "server-cpu"),  # more than its one CPU gives is no limit
        (None, 0.97, None, "server-cpu"),
        (None, 0.49, None, None),
    ],
)
def test_utilization_is_judged_against_the_quota(
    quota: float | None, cpu: float, throttled: int | None, expected: str | None
) -> None:
    """It is the limit where it is used up, and periods were throttled."""
    arm = within(quota)
    assert limit(trial(arm, cpu, throttled), arm, PLAN, PLACEMENT)[0] == expected


def test_the_ceiling_of_a_quota_is_what_all_of_it_would_serve() -> None:
    """CPUs of the quota over CPU seconds a request, also where workers can use two CPUs at once."""
    arm = within(0.5, workers=2)
    bound, ceiling = limit(trial(arm, 0.45), arm, PLAN, TWO_CPUS)
    assert bound == "cpu-quota"
    assert ceiling == pytest.approx(1000 * 0.5 / 0.45)


def test_a_quota_is_said_with_its_cpus() -> None:
    """In the clause of a sentence."""
    assert arm_bound_by("cpu-quota", within(0.5), 1) == "uses up its quota of 0.5 CPU"
    assert arm_bound_by("cpu-quota", within(2.5), 4) == "uses up its quota of 2.5 CPUs"


def test_the_stalls_of_throttling_are_diagnosed_with_their_evidence() -> None:
    """Under both loads; few of them make no p99."""
    arm = within(0.5)
    caveat = diagnosed(trial(arm, 0.49), arm)["throttled"]
    assert f"in 58 of 60 periods of 100{THIN}ms it was used up, and nothing ran for 50.0{THIN}ms" in caveat.text
    opened = within(0.5, rate_rps=1000.0)
    assert "throttled" in diagnosed(trial(opened, 0.3, phase="open"), opened)
    for few in (3, 0, None):
        assert "throttled" not in diagnosed(trial(arm, 0.3, few), arm)


def test_the_stalls_of_several_pods_are_counted_over_them() -> None:
    """Each has periods of its own; their masters are no workers."""
    arm = within(1.0, workers=4, pods=4)
    text = diagnosed(trial(arm, 0.98, nr_periods=240, nr_throttled=200), arm, 4)["throttled"].text
    assert "its quota of 1 CPU, shared by 4 pods, makes it stand still: in 200 of 240 periods of 100" in text
    assert "of one pod each" in text
    assert "host-cores" not in diagnosed(trial(arm, 0.98, processes=8), arm, 3)  # 2 x 3 + 1, one of them no master


def test_stalls_that_the_quota_makes_are_not_looked_for_in_python() -> None:
    """Where nothing was throttled they still are."""
    arm = within(0.5, rate_rps=1000.0)
    still = {"stalls": 8, "stalled_s": 0.4, "cpu_s": 0.6, "length_s": 2.0}
    rows = tuple(factories.slice_row(round=number, **still) for number in range(3))

    def kinds(throttled: int) -> set[str]:
        counts = {"nr_periods": 60, "nr_throttled": throttled, "throttled_s": 1.0}
        return {*diagnosed(factories.trial(arm, phase="open", slices=rows, **counts), arm)}

    assert kinds(40) == {"throttled"}
    assert kinds(0) == {"stalls"}


@pytest.mark.parametrize(
    ("stated", "serving", "processes", "host", "found"),
    [
        (1, 9, 10, 4, "9 workers are 2 x 4 + 1"),  # it has chosen for itself
        (9, 9, 10, 4, "9 workers are 2 x 4 + 1"),  # whoever wrote the suite has
        (1, 3, 10, 4, "9 workers are 2 x 4 + 1"),  # not all of them had a connection
        (1, 4, 5, 4, "4 workers are 4"),
        (4, 4, 5, 4, None),  # four were asked for: that may have another reason
        (1, 1, 4, 4, None),
        (2, 2, 3, None, None),  # a record that does not say
        (1, 9, 10, 1, None),
    ],
)
def test_workers_by_the_hosts_cores_are_told_so(
    stated: int, serving: int, processes: int, host: int | None, found: str | None
) -> None:
    """A quota of half a CPU leaves one worker busy."""
    arm = within(0.5, workers=stated)
    shares = {str(pid): 1 / serving for pid in range(serving)}
    caveats = diagnosed(trial(arm, 0.49, worker_shares=shares, processes=processes), arm, host)
    assert ("host-cores" in caveats) == (found is not None)
    if found is not None:
        assert found in caveats["host-cores"].text
        assert "the pod has 0.5 CPU, which 1 worker can use up" in caveats["host-cores"].text
    outside = within(None, workers=stated)
    assert "host-cores" not in diagnosed(trial(outside, 0.49, worker_shares=shares, processes=processes), outside, host)
