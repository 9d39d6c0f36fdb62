"""One load on all the arms of a block: tell the generator, watch, and turn what comes back into trials."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from harness import spec
from harness.errors import AnswerError, LoadError
from harness.judge.limits import limit
from harness.judge.validity import judge, left_out
from harness.machine.process import Process
from harness.record import SliceRow, Trial, utc_now
from harness.spec.loads import WARM_UP_S
from harness.subject.answers import Answer
from harness.subject.launch import Launched
from harness.suite import Arm, Closed, Load, Phase, Scenario, rounds, spares_upstream
from harness.trial import generator
from harness.trial.assemble import Hits, Observed, Parts, assemble, slice_row, trial_name
from harness.trial.bench import Bench, GroupState
from harness.trial.observe import Observer

WARMUP_REQUESTS = 50
"""A worker; by then its pools are open and its memory cache is filled."""
NO_RATE = (
    "no rate to offer: no closed slice of its pair has a good answer yet, and the open phase offers a share of what "
    "those show; see why they failed, or state a rate (rate_rps)"
)
NO_SLICES = "no slice was measured: the generator ended before it, see its log under logs/"
DIED = "a worker process died or was started again during the load: look at the arm's log under logs/"


@dataclass(frozen=True, slots=True)
class Serving:
    """An arm that runs and has answered rightly."""

    server: Launched
    answer: Answer
    digest_holds: bool
    """Whether two answers were the same to the byte, so that a digest may be held against them."""


def measure_phase(
    bench: Bench,
    state: GroupState,
    block: int,
    phase: Phase,
    serving: Mapping[str, Serving],
    *,
    queue: int | None = None,
    stops: tuple[tuple[int | None, int], ...] = (),
) -> list[Trial]:
    """Drive the arms that serve through one phase: a judged trial for each, all of which are there at the end.

    Under an open load `queue` bounds the arrivals that may wait, so that an overload is soon drained, and `stops` end a
    slice whose objective is lost (`spec.Spec.stops`): such a load may be more than the server holds, and a trial is not
    invalid for that.
    """
    loads = {arm.id: state.load(arm, phase) for arm in state.group.arms if arm.id in serving}
    driven = [arm for arm in state.group.arms if arm.id in serving and _can_be_offered(loads[arm.id])]
    rateless = [arm for arm in state.group.arms if arm.id in serving and not _can_be_offered(loads[arm.id])]
    trials = [failed(arm, state, block, phase, NO_RATE) for arm in rateless]
    if not driven:
        return trials
    told = _spec(bench, state, block, phase, driven, serving)
    if queue is not None:
        told = replace(told, queue=queue, stops=stops)
    return trials + _driven(bench, state, block, told, driven, serving)


def warm_up(bench: Bench, state: GroupState, block: int, serving: Mapping[str, Serving]) -> None:
    """A closed load without rounds, for arms whose first load does not warm them up; raises `LoadError`."""
    arms = [arm for arm in state.group.arms if arm.id in serving]
    closed = {arm.id: Closed(connections=arm.connections) for arm in arms}
    told = spec.Spec(
        arms=tuple(_arm(bench, state, block, arm, closed[arm.id], serving[arm.id]) for arm in arms),
        rounds=(),
        warmup_s=WARM_UP_S,
        limits=bench.plan.thresholds.generator,
    )
    result = _generated(bench, told, lambda *_: None)
    state.learn(result.totals)


def failed(arm: Arm, state: GroupState, block: int, phase: Phase, why: str, started: str | None = None) -> Trial:
    """The row of an arm that could not be measured."""
    return Trial(
        trial=trial_name(arm, block, phase),
        arm=arm.id,
        pair=arm.pair,
        group=state.group.id,
        block=block,
        phase=phase,
        cell=arm.cell,
        load=state.load(arm, phase),
        started=started or utc_now(),
        error=why,
    )


def _can_be_offered(load: Load) -> bool:
    return load.kind == "closed" or load.rate_rps is not None


def _driven(
    bench: Bench,
    state: GroupState,
    block: int,
    told: spec.Spec,
    arms: Sequence[Arm],
    serving: Mapping[str, Serving],
) -> list[Trial]:
    """Run the generator over `arms` and put their trials together."""
    observer = Observer({arm.id: serving[arm.id].server for arm in arms}, bench.services)
    started, workers_before = utc_now(), {arm.id: set(serving[arm.id].server.process.members()) for arm in arms}
    hits_before = bench.services.hits()

    def on_event(event: spec.Event, generator: Process) -> None:
        observer(event, generator)
        if event.event == "drained" and event.throughput_rps is not None:
            bench.progress.slice_done(event.arm, event.throughput_rps)

    try:
        result = _generated(bench, told, on_event)
    except LoadError as error:
        return [failed(arm, state, block, told.phase, str(error), started) for arm in arms]
    hits_after = bench.services.hits()
    totals = {total.arm: total for total in result.totals}
    state.learn(totals.values())
    observed = [
        Observed(measured=piece, seen=observer.seen[piece.arm, piece.round])
        for piece in result.slices
        if (piece.arm, piece.round) in observer.seen
    ]
    dropped = _left_out(bench, observed)
    trials = []
    for arm in arms:
        slices = [one for one in observed if one.measured.arm == arm.id]
        if not slices:
            trials.append(failed(arm, state, block, told.phase, NO_SLICES, started))
            continue
        calls = hits_after.get(arm.id, 0) - hits_before.get(arm.id, 0)
        parts = Parts(
            arm=arm,
            group=state.group.id,
            block=block,
            load=state.load(arm, told.phase),
            started=started,
            slices=slices,
            dropped_rounds=dropped,
            cached=spares_upstream(arm.cell, bench.plan.factors),
            hits=Hits(calls=calls, totals=totals[arm.id]) if arm.scenario.upstream_calls else None,
            answer_bytes=len(serving[arm.id].answer.body),
        )
        trial = assemble(parts, bench.started_ns)
        wrong = _seen_wrong(serving[arm.id].server, workers_before[arm.id])
        trials.append(_judged(bench, arm, trial, wrong, overload=bool(told.stops)))
    return trials


def _generated(bench: Bench, told: spec.Spec, on_event: Callable[[spec.Event, Process], None]) -> spec.Result:
    """What the generator measured; raises `LoadError` when it, or a service beside it, ended early."""
    result = generator.run(told, cpus=bench.placement.generator, log=bench.logs / "generator.log", on_event=on_event)
    bench.services.check()
    return result


def _spec(
    bench: Bench, state: GroupState, block: int, phase: Phase, arms: Sequence[Arm], serving: Mapping[str, Serving]
) -> spec.Spec:
    plan = bench.plan
    place = {arm.id: index for index, arm in enumerate(arms)}
    order = tuple(
        tuple(place[name] for name in (state.group.arms[index].id for index in each) if name in place)
        for each in rounds(plan, state.group, block, phase)
    )
    load = arms[0].load(phase)
    return spec.Spec(
        arms=tuple(_arm(bench, state, block, arm, state.load(arm, phase), serving[arm.id]) for arm in arms),
        rounds=order,
        slice_s=load.least_slice_s(plan),
        warmup_s=load.warm_up_s,
        limits=plan.thresholds.generator,
    )


def _arm(bench: Bench, state: GroupState, block: int, arm: Arm, load: Load, serving: Serving) -> spec.DrivenArm:
    return spec.DrivenArm(
        name=arm.id,
        host=serving.server.host,
        port=serving.server.port,
        request=_request(arm.scenario, serving),
        load=load,
        response_s=state.response_s.get(arm.id),
        warmup_requests=WARMUP_REQUESTS * arm.cell.workers,
        # Equal for both arms of a pair, so that they replay the same arrivals.
        arrivals_seed=zlib.crc32(f"{bench.plan.seed}/{arm.pair or arm.id}/{block}".encode()),
    )


def _request(scenario: Scenario, serving: Serving) -> spec.Request:
    asked = scenario.request
    return spec.Request(
        method=asked.method,
        path=asked.path,
        headers=tuple(asked.headers.items()),
        body=asked.body,
        status=scenario.expect.status,
        length=len(serving.answer.body) if serving.digest_holds else None,
        sha256=serving.answer.sha256 if serving.digest_holds else None,
    )


def _left_out(bench: Bench, observed: list[Observed]) -> tuple[int, ...]:
    """Rounds to leave out for every arm because something outside disturbed them."""
    rows: dict[int, list[SliceRow]] = {}
    for one in observed:
        rows.setdefault(one.measured.round, []).append(slice_row(one, bench.started_ns))
    return left_out(rows, bench.plan.thresholds)


def _seen_wrong(server: Launched, workers_before: set[int]) -> list[str]:
    """What only a look at the live processes can tell against the trial."""
    reasons = []
    if set(server.process.members()) != workers_before:
        reasons.append(DIED)
    try:
        server.verify()
    except AnswerError as error:
        reasons.append(f"wrong answer after the load: {error}")
    return reasons


def _judged(bench: Bench, arm: Arm, trial: Trial, seen: list[str], *, overload: bool) -> Trial:
    calls = arm.scenario.upstream_calls
    reasons = judge(trial, bench.plan.thresholds, upstream_calls=calls, seen=seen, overload=overload)
    judged = replace(trial, valid=not reasons, reasons=reasons)
    bound, ceiling = limit(judged, arm, bench.plan, bench.placement.as_dict())
    return replace(judged, limit=bound, ceiling_rps=ceiling)
