"""What the generator is to do: the spec of a load on the arms of a block."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

from harness import spec
from harness.suite import Arm, Load, Phase, Scenario, rounds
from harness.trial.bench import Bench, GroupState
from harness.trial.serving import Known, Serving

WARMUP_REQUESTS = 50
"""A worker; by then its pools are open and its memory cache is filled."""


def phase_spec(
    bench: Bench, state: GroupState, block: int, phase: Phase, arms: Sequence[Arm], serving: Mapping[str, Serving]
) -> spec.Spec:
    """The load of `phase` on `arms`, which all serve, in the rounds of the plan."""
    plan = bench.plan
    position = {arm.id: index for index, arm in enumerate(arms)}
    order = tuple(
        tuple(position[name] for name in (state.group.arms[index].id for index in turn) if name in position)
        for turn in rounds(plan, state.group, block, phase)
    )
    load = arms[0].load(phase)
    return spec.Spec(
        arms=tuple(arm_spec(bench, state, block, arm, state.load(arm, phase), serving[arm.id]) for arm in arms),
        rounds=order,
        slice_s=load.least_slice_s(plan),
        warmup_s=load.warm_up_s,
        limits=plan.thresholds.generator,
    )


def arm_spec(bench: Bench, state: GroupState, block: int, arm: Arm, load: Load, serving: Serving) -> spec.DrivenArm:
    """`load` on one arm."""
    return spec.DrivenArm(
        name=arm.id,
        host=serving.server.host,
        port=serving.server.port,
        further_ports=tuple(each.port for each in serving.server.each[1:]),
        request=_asked(arm.scenario, serving),
        load=load,
        response_s=state.response_s.get(arm.id),
        warmup_requests=WARMUP_REQUESTS * arm.cell.workers,
        # Equal for both arms of a pair, and for all of a group without pairs, so that they replay the same arrivals.
        arrivals_seed=zlib.crc32(f"{bench.plan.seed}/{arm.pair or state.group.id}/{block}".encode()),
    )


def _asked(scenario: Scenario, serving: Serving) -> spec.Request | spec.Mix:
    if not scenario.mix:
        return _request(serving.known[0])
    return spec.Mix(
        name=scenario.name,
        requests=tuple(
            spec.Weighted(
                name=each.name,
                weight=each.weight,
                variants=tuple(
                    # What is parsed becomes the template only with its digest: a mix has many, each is parsed rarely.
                    replace(_request(known), digest_every=1)
                    for known in serving.known
                    if known.request.number == number
                ),
            )
            for number, each in enumerate(scenario.mix)
        ),
    )


def _request(known: Known) -> spec.Request:
    asked = known.request.ask
    return spec.Request(
        method=asked.method,
        path=asked.path,
        headers=tuple(asked.headers.items()),
        body=asked.body,
        status=known.request.expect.status,
        length=known.length if known.sha256 else None,
        sha256=known.sha256,
    )
