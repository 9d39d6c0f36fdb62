"""One load on all the arms of a block: tell Locust, watch, and turn what comes back into trials."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from harness import spec
from harness.errors import AnswerError, LoadError
from harness.judge.limits import limit
from harness.judge.validity import judge, left_out
from harness.machine.process import Process
from harness.record import Load, SliceRow, Trial, utc_now
from harness.subject.answers import Answer
from harness.subject.launch import Launched
from harness.suite import Arm, Phase, Scenario, rounds
from harness.trial import generator as load
from harness.trial.assemble import Hits, Observed, Parts, assemble, slice_row, trial_name
from harness.trial.bench import Bench, GroupState
from harness.trial.observe import Observer

WARMUP_S = 0.5
WARMUP_REQUESTS = 50
"""A worker; by then its pools are open and its memory cache is filled."""
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
) -> Iterator[Trial]:
    """Drive the arms that serve through one phase and yield a judged trial for each.

    Under an open load `queue` bounds the arrivals that may wait, so that an overload is soon drained, and `stops` end a
    slice whose objective is lost (`spec.Spec.stops`): such a load may be more than the server holds, and a trial is not
    invalid for that.
    """
    arms = [arm for arm in state.group.arms if arm.id in serving]
    told = _spec(bench, state, block, phase, arms, serving)
    if queue is not None:
        told = replace(told, queue=queue, stops=stops)
    observer = Observer({name: one.server for name, one in serving.items()}, bench.services)
    started, workers_before = utc_now(), {name: set(one.server.process.members()) for name, one in serving.items()}
    hits_before = bench.services.hits()

    def on_event(event: spec.Event, generator: Process) -> None:
        observer(event, generator)
        if event.event == "drained" and event.throughput_rps is not None:
            bench.progress.slice_done(event.arm, event.throughput_rps)

    try:
        result = load.run(told, cpus=bench.placement.generator, log=bench.logs / "generator.log", on_event=on_event)
        bench.services.check()
    except LoadError as error:
        yield from (failed(arm, state, block, phase, str(error), started) for arm in arms)
        return
    hits_after = bench.services.hits()
    totals = {total.arm: total for total in result.totals}
    state.learn(totals.values())
    observed = [
        Observed(measured=piece, seen=observer.seen[piece.arm, piece.round])
        for piece in result.slices
        if (piece.arm, piece.round) in observer.seen
    ]
    dropped = _left_out(bench, observed)
    for arm, asked in zip(arms, told.arms, strict=True):
        kept = [one for one in observed if one.measured.arm == arm.id and one.measured.round not in dropped]
        if not kept:
            continue  # a warm-up only
        calls = hits_after.get(arm.id, 0) - hits_before.get(arm.id, 0)
        parts = Parts(
            arm=arm,
            group=state.group.id,
            block=block,
            load=_load(told, asked, state),
            started=started,
            kept=kept,
            dropped_rounds=dropped,
            hits=Hits(calls=calls, totals=totals[arm.id]) if arm.scenario.upstream_calls else None,
            answer_bytes=len(serving[arm.id].answer.body),
        )
        trial = assemble(parts, bench.started_ns)
        wrong = _seen_wrong(serving[arm.id].server, workers_before[arm.id])
        yield _judged(bench, arm, trial, wrong, overload=bool(stops))


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
        load=Load(kind=phase, connections=arm.connections),
        started=started or utc_now(),
        error=why,
    )


def _spec(
    bench: Bench, state: GroupState, block: int, phase: Phase, arms: list[Arm], serving: Mapping[str, Serving]
) -> spec.Spec:
    plan = bench.plan
    place = {arm.id: index for index, arm in enumerate(arms)}
    planned = rounds(plan, state.group, block, phase) if phase in state.group.phases else ()
    order = tuple(
        tuple(place[name] for name in (state.group.arms[index].id for index in each) if name in place)
        for each in planned
    )
    warm = phase == "closed"
    return spec.Spec(
        kind=phase,
        arms=tuple(_arm(bench, state, block, phase, arm, serving[arm.id]) for arm in arms),
        rounds=order,
        slice_s=plan.slice_s if phase == "closed" else plan.open_slice_s,
        warmup_s=WARMUP_S if warm else 0.0,
        arrivals=plan.arrivals,
    )


def _arm(bench: Bench, state: GroupState, block: int, phase: Phase, arm: Arm, serving: Serving) -> spec.Arm:
    return spec.Arm(
        name=arm.id,
        host=serving.server.host,
        port=serving.server.port,
        request=_request(arm.scenario, serving),
        connections=arm.connections,
        response_s=state.response_s.get(arm.id),
        warmup_requests=WARMUP_REQUESTS * arm.cell.workers,
        rate_rps=state.rate_rps(arm) if phase == "open" else None,
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


def _load(told: spec.Spec, asked: spec.Arm, state: GroupState) -> Load:
    if told.kind == "closed":
        return Load(kind="closed", connections=asked.connections, response_s=state.response_s.get(asked.name))
    return Load(
        kind="open",
        connections=asked.connections,
        rate_rps=asked.rate_rps,
        arrivals=told.arrivals,
        when_full=told.when_full,
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
