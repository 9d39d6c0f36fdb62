"""The known confounds, each named only where its evidence is in the record, with the remedy.

A diagnosis is a small pure function of :class:`Evidence`; its text states the evidence. A new one is such a function,
and its name in `DIAGNOSES`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from harness.judge.limits.bounds import bounds, upstream_wait_s
from harness.judge.limits.clients import client_per_request, client_pool, costly_cache
from harness.judge.limits.connections import delayed_ack, few_connections, no_keep_alive, starving
from harness.judge.limits.evidence import Evidence
from harness.judge.limits.quotas import host_cores, throttled
from harness.judge.limits.stalls import stalls
from harness.judge.limits.workers import anyio_threads, blocking_call, uneven_workers
from harness.judge.validity import kept
from harness.judge.verdicts import Caveat
from harness.record import Trial
from harness.suite import Arm, Phase, Plan

Diagnosis = Callable[[Evidence], Iterator[Caveat]]

DIAGNOSES: Mapping[Phase, Sequence[Diagnosis]] = {
    "closed": (
        blocking_call,
        anyio_threads,
        client_pool,
        client_per_request,
        uneven_workers,
        no_keep_alive,
        delayed_ack,
        costly_cache,
        few_connections,
        starving,
        throttled,
        host_cores,
    ),
    "open": (stalls, throttled),
}
"""By the load that shows them: a server at its capacity, or one at a rate that it did not choose."""

BY_ANSWERS_ALONE: tuple[Diagnosis, ...] = (no_keep_alive, starving)
"""Those that need not know the server's CPU, which is not known of what runs already without a `pid`."""


def diagnoses(
    trial: Trial,
    arm: Arm,
    siblings: Iterable[Trial],
    plan: Plan,
    placement: Mapping[str, tuple[int, ...]],
    host_cpus: int | None = None,
) -> tuple[Caveat, ...]:
    """The known confounds that `trial` shows, alone or against `siblings`: trials of other arms in the same phase.

    `host_cpus` are the CPUs of the machine, where they are known.
    """
    if trial.error is not None or not trial.throughput_rps or not kept(trial):
        return ()
    evidence = Evidence(
        trial=trial,
        arm=arm,
        siblings=tuple(siblings),
        wait_s=upstream_wait_s(trial, arm, plan.upstream),
        bounds={bound.name: bound for bound in bounds(trial, arm, plan.upstream, placement)},
        host_cpus=host_cpus,
    )
    able = [each for each in DIAGNOSES[trial.phase] if arm.target.is_seen or each in BY_ANSWERS_ALONE]
    found = [caveat for diagnosis in able for caveat in diagnosis(evidence)]
    return tuple(replace(caveat, arm=trial.arm, pair=trial.pair) for caveat in found)
