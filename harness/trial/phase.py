"""One load on all the arms of a block: tell the generator, watch, and turn what comes back into trials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from harness import spec
from harness.errors import GatebenchError, LoadError, MemoryLimitError, ServiceError
from harness.judge.limits import limit
from harness.judge.validity import judge, left_out
from harness.machine.process import Process
from harness.record import SliceRow, Trial, utc_now
from harness.spec.loads import WARM_UP_S
from harness.subject.launch import Launched
from harness.suite import Arm, Closed, Phase, spares_upstream
from harness.trial import faults
from harness.trial.assemble import Hits, Observed, Parts, assemble, slice_row, trial_name
from harness.trial.bench import Bench, GroupState
from harness.trial.generator import OnEvent
from harness.trial.observe import Observer
from harness.trial.order import arm_spec, phase_spec
from harness.trial.serving import Serving

NO_RATE = (
    "no rate to offer: no closed slice of its pair has a good answer yet, and the open phase offers a share of what "
    "those show; see why they failed, or state a rate (rate_rps)"
)
NO_SLICES = "no slice was measured: the generator ended before it, see its log under logs/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What bounds an open load that may be more than the server holds: a trial is not invalid for that."""

    queue: int
    """Arrivals that may wait, so that an overload is soon drained."""
    stops: tuple[tuple[int | None, int], ...]
    """End a slice whose objective is lost (`spec.Spec.stops`)."""


def measure_phase(
    bench: Bench,
    state: GroupState,
    block: int,
    phase: Phase,
    serving: Mapping[str, Serving],
    overload: Bounds | None = None,
) -> list[Trial]:
    """Drive the arms that serve through one phase: a judged trial for each, all of which are there at the end."""
    loads = {arm.id: state.load(arm, phase) for arm in state.group.arms if arm.id in serving}
    driven = [arm for arm in state.group.arms if arm.id in serving and loads[arm.id].can_be_offered]
    rateless = [arm for arm in state.group.arms if arm.id in serving and not loads[arm.id].can_be_offered]
    trials = [failed(arm, state, block, phase, LoadError(NO_RATE)) for arm in rateless]
    if not driven:
        return trials
    order = phase_spec(bench, state, block, phase, driven, serving)
    if overload is not None:
        order = replace(order, queue=overload.queue, stops=overload.stops)
    return trials + _driven(bench, state, block, order, driven, serving)


def warm_up(bench: Bench, state: GroupState, block: int, serving: Mapping[str, Serving]) -> None:
    """A closed load without rounds, for arms whose first load does not warm them up.

    Raises `LoadError`, or `LaunchError` when the generator cannot be started.
    """
    arms = [arm for arm in state.group.arms if arm.id in serving]
    closed = {arm.id: Closed(connections=arm.connections) for arm in arms}
    order = spec.Spec(
        arms=tuple(arm_spec(bench, state, block, arm, closed[arm.id], serving[arm.id]) for arm in arms),
        rounds=(),
        warmup_s=WARM_UP_S,
        limits=bench.plan.thresholds.generator,
    )
    result = _generated(bench, order, lambda *_: None)
    state.learn(result.totals)


def failed(
    arm: Arm, state: GroupState, block: int, phase: Phase, error: GatebenchError, started: str | None = None
) -> Trial:
    """The row of an arm that could not be measured, and whose fault that is."""
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
        error=str(error),
        fault=error.fault,
        oom_kills=error.oom_kills if isinstance(error, MemoryLimitError) else None,
        peak_memory_bytes=error.peak_bytes if isinstance(error, MemoryLimitError) else None,
    )


def _driven(
    bench: Bench,
    state: GroupState,
    block: int,
    order: spec.Spec,
    arms: Sequence[Arm],
    serving: Mapping[str, Serving],
) -> list[Trial]:
    """Run the generator over `arms` and put their trials together; what went wrong with one is in its row alone."""
    started = utc_now()
    processes = {arm.id: set(serving[arm.id].server.process.members()) for arm in arms}
    broken = faults.of_services(bench, arms)
    if len(broken) == len(arms):
        return [failed(arm, state, block, order.phase, broken[arm.id], started) for arm in arms]
    try:
        measured = _measured(bench, order, arms, serving)
    except GatebenchError as error:
        # Whatever it is, it is none of the arms': the generator's, or that of a service that may be gone by now.
        broken = faults.of_services(bench, arms)
        cause = error if isinstance(error, LoadError) else ServiceError(str(error))
        return [failed(arm, state, block, order.phase, broken.get(arm.id, cause), started) for arm in arms]
    state.learn(measured.totals.values())
    broken = faults.of_services(bench, arms) | broken
    dropped = _left_out(bench, measured.slices)
    trials = []
    for arm in arms:
        ready, server = serving[arm.id], serving[arm.id].server
        slices = [observed for observed in measured.slices if observed.measured.arm == arm.id]
        if lost := broken.get(arm.id) or _lost(server, slices):
            trials.append(failed(arm, state, block, order.phase, lost, started))
            continue
        parts = Parts(
            arm=arm,
            group=state.group.id,
            block=block,
            load=state.load(arm, order.phase),
            started=started,
            slices=slices,
            dropped_rounds=dropped,
            cached=spares_upstream(arm.cell, bench.plan.factors),
            hits=measured.hits(arm),
            answer_bytes=ready.answer_bytes,
            first_answer_s=ready.first_answer_s,
            shared_before_bytes=ready.memory.shared if ready.memory else None,
        )
        trial = assemble(parts, bench.started_ns)
        with bench.stopwatch.on("verify"):
            wrong = faults.after_load(ready, processes[arm.id])
        trials.append(_judged(bench, arm, trial, wrong, overload=bool(order.stops)))
    return trials


def _lost(server: Launched, slices: Sequence[Observed]) -> GatebenchError | None:
    """Why nothing that was measured of a server is of use; None where it is."""
    if killed := server.killed():
        return killed
    if slices:
        return None
    return LoadError(NO_SLICES) if server.process.alive() else server.process.died()


@dataclass(frozen=True, slots=True)
class _Measured:
    """What a phase showed of all its arms."""

    slices: list[Observed]
    totals: dict[str, spec.Totals]
    """By arm."""
    calls: dict[str, int]
    """Of the upstream, in this phase, by arm. A service is never started afresh within a phase."""

    def hits(self, arm: Arm) -> Hits | None:
        """Calls of the upstream for `arm`; None where its scenario has none."""
        if not arm.scenario.upstream_calls:
            return None
        return Hits(calls=self.calls.get(arm.id, 0), totals=self.totals[arm.id])


def _measured(bench: Bench, order: spec.Spec, arms: Sequence[Arm], serving: Mapping[str, Serving]) -> _Measured:
    """Run the generator; raises `LoadError`, or `AnswerError` and `LaunchError` of a service beside the arms."""
    servers = {arm.id: serving[arm.id].server for arm in arms}
    observer = Observer(servers, bench.services, readings=bench.site.readings())
    before = _hits(bench, arms)

    def on_event(event: spec.Event, generator: Process) -> None:
        observer(event, generator)
        if event.event == "drained":
            faults.require_services(bench, arms)
            if event.throughput_rps is not None:
                bench.progress.slice_done(event.arm, event.throughput_rps)

    result = _generated(bench, order, on_event)
    slices = []
    for measured in result.slices:
        if observation := observer.observations.get((measured.arm, measured.round)):
            known = observation.knowing(measured.shares, bench.plan)
            slices.append(Observed(measured=measured, observation=known))
    after = _hits(bench, arms)
    calls = {arm: count - before.get(arm, 0) for arm, count in after.items()}
    return _Measured(slices, {total.arm: total for total in result.totals}, calls)


def _hits(bench: Bench, arms: Sequence[Arm]) -> dict[str, int]:
    return bench.services.hits() if any(arm.scenario.upstream_calls for arm in arms) else {}


def _generated(bench: Bench, order: spec.Spec, on_event: OnEvent) -> spec.Result:
    """Drive the phase, and note where its time goes."""

    def heard(event: spec.Event, process: Process) -> None:
        bench.stopwatch.heard(event)
        on_event(event, process)

    return bench.generator.run(order, heard, lambda: _require(bench.site.lost()))


def _require(lost: GatebenchError | None) -> None:
    if lost is not None:
        raise lost


def _left_out(bench: Bench, observed: list[Observed]) -> tuple[int, ...]:
    """Rounds to leave out for every arm because something outside disturbed them."""
    rows: dict[int, list[SliceRow]] = {}
    for each in observed:
        rows.setdefault(each.measured.round, []).append(slice_row(each, bench.started_ns))
    return left_out(rows, bench.plan.thresholds)


def _judged(bench: Bench, arm: Arm, trial: Trial, wrong: list[str], *, overload: bool) -> Trial:
    calls = arm.scenario.upstream_calls
    reasons = judge(trial, bench.plan.thresholds, upstream_calls=calls, seen=wrong, overload=overload)
    judged = replace(trial, valid=not reasons, reasons=reasons, fault="arm" if wrong else None)
    bound, ceiling = limit(judged, arm, bench.plan, bench.placement.as_dict())
    return replace(judged, limit=bound, ceiling_rps=ceiling)
