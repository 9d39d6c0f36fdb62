"""Tuning in a pod: what is tried, and what is deployed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.suite import Pod
from harness.tune.candidates import Candidate, Service, candidates
from harness.tune.conclusion import recommend
from harness.tune.explain import explain
from harness.tune.rate.asked import Asked
from harness.tune.rate.grid import lines
from harness.tune.recommendation import CandidateRow, Recommendation
from harness.tune.resources import manifest, resources
from harness.tune.state import Question, Tuning
from harness.tune.subject import of_names, within
from tests import factories

MIB = 1 << 20
HALF = Pod(cpus=0.5, memory=512 * MIB)
EIGHT = Service(
    cores=8, connections=64, unloaded_s=0.02, cpu_s_per_request=0.001, slots="threads", worker_bytes=100 * MIB
)


def test_half_a_core_is_not_given_workers_for_the_hosts_eight() -> None:
    """Neither 2C + 1 of them, nor threads for requests that it has no CPU for."""
    whole, pod = candidates(EIGHT), candidates(replace(EIGHT, quota=0.5))
    assert max(candidate.workers for candidate in whole) == 17
    assert max(candidate.workers for candidate in pod) == 3
    assert replace(EIGHT, quota=0.5).knee == 10
    assert max(candidate.slots for candidate in pod) < max(candidate.slots for candidate in whole)


@pytest.mark.parametrize(("quota", "most"), [(None, 17), (2.0, 5), (0.5, 3)])
def test_a_rate_in_a_pod_is_not_sought_with_workers_for_the_hosts_cores(quota: float | None, most: int) -> None:
    """The lines end with 2C + 1 of the CPUs that the quota amounts to."""
    service = replace(EIGHT, quota=quota)
    asked = Asked(service=service, rate_rps=100.0, headroom=0.3, connections=64, slice_s=2.0)
    assert max(place.workers for line in lines(asked) for place in line.places) == most


def test_a_quota_beyond_the_cpus_changes_nothing() -> None:
    """There is no more to be had than these."""
    assert candidates(replace(EIGHT, quota=12.0)) == candidates(EIGHT)


def test_the_memory_limit_bounds_the_workers() -> None:
    """Workers times what one takes."""
    limited = replace(EIGHT, memory_bytes=512 * MIB)
    assert max(candidate.workers for candidate in candidates(limited)) <= 5


def test_what_is_tuned_in_a_pod_says_so_and_has_slices_of_twenty_periods() -> None:
    """The rest of the plan stays."""
    whole = of_names("flask", "gunicorn-gthread", "json", seed=7)
    pod = within(whole, HALF)
    assert pod.arm.cell.pod == HALF
    assert pod.arm.own == (*whole.arm.own, "0.5 CPU", "512\u202fMiB")
    assert replace(pod.plan, slice_s=whole.plan.slice_s) == whole.plan
    assert pod.plan.slice_s == 2.0


@pytest.mark.parametrize(
    ("pod", "amounts"),
    [
        (HALF, ["cpu: 500m", "memory: 512Mi"]),
        (Pod(cpus=2.0), ["cpu: 2000m"]),
        (Pod(memory=3 * MIB + 1), [f"memory: {3 * MIB + 1}"]),
    ],
)
def test_the_block_for_kubernetes_is_what_was_measured(pod: Pod, amounts: list[str]) -> None:
    """What it asks for is what it may have."""
    wanted = resources(pod)
    assert wanted is not None
    assert wanted["requests"] == wanted["limits"]
    block = [line for name in ("requests", "limits") for line in (f"  {name}:", *(f"    {each}" for each in amounts))]
    assert manifest(wanted).splitlines() == ["resources:", *block]


def test_the_answer_has_the_block_only_in_a_pod() -> None:
    """Even where nothing was measured yet."""
    question = Question(slo=None, budget_s=60.0, margin=0.05)
    arm = factories.flask_arm()
    assert recommend(question, arm, Tuning()).resources is None
    inside = replace(arm, cell=arm.cell.within(HALF))
    answer = recommend(question, inside, Tuning())
    assert answer.resources == resources(HALF)
    assert answer.levels[-2:] == ("0.5 CPU", "512\u202fMiB")


def test_a_quota_that_is_used_up_is_said_to_be_the_limit() -> None:
    """More workers are no remedy."""
    row = CandidateRow(
        workers=1,
        threads=8,
        standing="recommended",
        blocks=3,
        throughput_rps=500.0,
        low_rps=490.0,
        high_rps=510.0,
        of_best=1.0,
        p99_us=None,
        p99_low_us=None,
        p99_high_us=None,
        memory_bytes=50 * MIB,
        ceiling_rps=510.0,
        limit="cpu-quota",
        worker_shares=(1.0,),
        share_of_picks=1.0,
        why=None,
    )
    text = explain(
        Recommendation(
            target="flask",
            server="gunicorn-gthread",
            scenario="json",
            margin=0.05,
            budget_s=60.0,
            service=replace(EIGHT, quota=0.5),
            recommended=Candidate(1, 8),
            candidates=(row,),
        )
    )
    assert "Its limit is the CPU quota of its pod, which is used up" in text
    assert "the quota of 0.5 CPU is all there is for all of them" in text
