"""Drive the episodes of a block, arms in turn, and turn what comes back into rows."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace

from harness import spec
from harness.errors import GatebenchError, LaunchError, LoadError
from harness.judge.episodes import broke, next_strength, reasons
from harness.machine.process import Process
from harness.record import Episode, GeneratorCheck, utc_now
from harness.spec.calm import Calm
from harness.spec.fates import Fates
from harness.spec.held import HeldLog
from harness.subject.launch import Launched
from harness.suite import Arm, Disturbance, Group, Open
from harness.trial import faults
from harness.trial.bench import Bench, GroupState
from harness.trial.episodes import reduce
from harness.trial.episodes.disturber import Disturber, Stage
from harness.trial.episodes.held import neighbours
from harness.trial.observe import Observation, Observer
from harness.trial.order import arm_spec
from harness.trial.serving import Serving

KINDS: dict[str, Callable[[Stage], AbstractContextManager[Disturber]]] = {"held": neighbours}
"""What does each kind of disturbance."""
HEALTHY_S = 30.0
"""How long a server may take to be well before an episode: it may still work for clients of the last one that left."""
NO_RATE = "no rate to offer: its pair has no capacity on record; see why the closed load failed, or state rate_rps"
NANO_A_MICRO = 1000
NANO_A_SECOND = 1_000_000_000


def measure_episodes(
    bench: Bench,
    state: GroupState,
    block: int,
    serving: Mapping[str, Serving],
    errors: Mapping[str, GatebenchError],
) -> Iterator[Episode]:
    """Yield a row for each episode of the block; of an arm that cannot be driven, a row with the error."""
    disturbance = state.group.disturbance
    if disturbance is None:
        return
    weakest = disturbance.strengths[0]
    for arm in state.group.arms:
        if arm.id not in serving:
            why = errors.get(arm.id, LoadError("it was not driven"))
            yield _failed(state, disturbance, arm, block, weakest, why)
    shown: dict[str, dict[int, bool | None]] = {arm: {} for arm in serving}
    turn = 0
    while left := {arm: at for arm, known in shown.items() if (at := next_strength(disturbance, known)) is not None}:
        chance = random.Random(f"{bench.plan.seed}/{state.group.id}/{block}/episodes/{turn}")
        turn += 1
        for name in [name for name in in_turn(state.group, chance) if name in left]:
            episode = _episode(bench, state, block, state.group.arm(name), left[name], serving[name])
            shown[name][left[name]] = broke(episode)
            yield episode
            if episode.error is not None:  # what one leaves behind must not be the next one's
                del shown[name]


def in_turn(group: Group, chance: random.Random) -> list[str]:
    """The arms of a group in a drawn order, in which the two of a pair are neighbours."""
    together = [[pair.a, pair.b] for pair in group.pairs] or [[arm.id] for arm in group.arms]
    chance.shuffle(together)
    for arms in together:
        chance.shuffle(arms)
    return [arm for arms in together for arm in arms]


def _episode(bench: Bench, state: GroupState, block: int, arm: Arm, strength: int, serving: Serving) -> Episode:
    disturbance = state.group.disturbance
    assert disturbance is not None  # noqa: S101 - only then are there episodes
    started = utc_now()
    try:
        with bench.stopwatch.on("verify"):
            serving.server.wait_ready(HEALTHY_S)
        seen = _driven(bench, state, block, arm, strength, serving)
    except GatebenchError as error:
        cause = _cause(bench, arm, serving, error)
        return _failed(state, disturbance, arm, block, strength, cause, started)
    row = _row(_bare(state, disturbance, arm, block, strength, started), disturbance, seen)
    why = reasons(row, bench.plan.thresholds, seen.wrong)
    return replace(row, valid=not why, reasons=why, fault="arm" if seen.wrong else None)


def _cause(bench: Bench, arm: Arm, serving: Serving, error: GatebenchError) -> GatebenchError:
    """Why an episode has no figures: a service that is gone, a server that died, or else what was raised."""
    if service_error := faults.of_services(bench, [arm]).get(arm.id):
        return service_error
    return error if serving.server.process.alive() else serving.server.process.died()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """What one episode showed."""

    measured: spec.Slice
    totals: spec.Totals
    observation: Observation
    log: HeldLog
    calls: int | None
    wrong: tuple[str, ...]
    """What only a look at the live server can tell against it."""


def _driven(bench: Bench, state: GroupState, block: int, arm: Arm, strength: int, serving: Serving) -> _Seen:
    """Run the load and the disturbance in it; raises `LoadError`, `LaunchError` or `AnswerError`."""
    disturbance, neighbour, server = state.group.disturbance, state.group.neighbour, serving.server
    assert disturbance is not None  # noqa: S101 - only then are there episodes
    counted = neighbour is None or not neighbour.upstream_calls  # else its calls and the victim's cannot be told apart
    before, processes = _hits(bench, arm) if counted else None, set(server.process.members())
    with ExitStack() as stack:
        disturber = stack.enter_context(KINDS[disturbance.kind](Stage(bench, state.group, server, strength)))
        ours = {"disturbance": disturber.process} if disturber.process is not None else {}
        observer = Observer({arm.id: server}, bench.services, ours)

        def on_event(event: spec.Event, generator: Process) -> None:
            if event.event == "opened":
                start_ns = event.at_ns + round(disturbance.before_s * NANO_A_SECOND)
                disturber.begin(start_ns, start_ns + round(disturbance.during_s * NANO_A_SECOND))
            bench.stopwatch.heard(event)
            observer(event, generator)
            if event.event == "drained" and event.throughput_rps is not None:
                bench.progress.slice_done(event.arm, event.throughput_rps)

        result = bench.generator.run(_order(bench, state, block, arm, disturbance, serving), on_event)
        log = disturber.log()
    if not result.slices:
        raise LoadError("nothing was measured: the generator ended before the window closed, see its log under logs/")
    after = _hits(bench, arm) if counted else None
    return _Seen(
        measured=result.slices[0],
        totals=result.totals[0],
        observation=observer.observations.get((arm.id, 0), Observation()),
        log=log,
        calls=None if before is None or after is None else after - before,
        wrong=_wrong(server, processes) if disturbance.keeps_processes else (),
    )


def _order(
    bench: Bench, state: GroupState, block: int, arm: Arm, disturbance: Disturbance, serving: Serving
) -> spec.Spec:
    load = _load(state, arm)
    if not load.can_be_offered:
        raise LoadError(NO_RATE)
    return spec.Spec(
        # Arrivals are the same for both arms of a pair, and for every strength.
        arms=(arm_spec(bench, state, block, arm, load, serving),),
        rounds=((0,),),
        slice_s=disturbance.most_s,
        warmup_s=0.0,
        calm=Calm(
            after_s=disturbance.before_s + disturbance.during_s,
            limit_us=disturbance.deadline_us,
            share=disturbance.late_share,
        ),
        fates=True,
        limits=bench.plan.thresholds.generator,
    )


def _load(state: GroupState, arm: Arm) -> Open:
    return Open(connections=arm.connections, rate_rps=state.rates.of(arm))


def _hits(bench: Bench, arm: Arm) -> int | None:
    return bench.services.hits().get(arm.id, 0) if arm.scenario.upstream_calls else None


def _wrong(server: Launched, processes: set[int]) -> tuple[str, ...]:
    """What must not happen to a server that only has neighbours; raises `LaunchError` where it has died."""
    if not server.process.alive():
        raise LaunchError(f"died in an episode: {server.process.died()}")
    if set(server.process.members()) != processes:
        return (server.process.with_log("lost a worker process in the episode, or started one again"),)
    return ()


def _bare(
    state: GroupState, disturbance: Disturbance, arm: Arm, block: int, strength: int, started: str | None
) -> Episode:
    return Episode(
        episode=f"{arm.id}/{block}/{strength}",
        arm=arm.id,
        pair=arm.pair,
        group=state.group.id,
        block=block,
        cell=arm.cell,
        load=_load(state, arm),
        disturbance=disturbance,
        strength=strength,
        started=started or utc_now(),
    )


def _failed(
    state: GroupState,
    disturbance: Disturbance,
    arm: Arm,
    block: int,
    strength: int,
    error: GatebenchError,
    started: str | None = None,
) -> Episode:
    bare = _bare(state, disturbance, arm, block, strength, started)
    return replace(bare, error=str(error), fault=error.fault)


def _row(bare: Episode, disturbance: Disturbance, seen: _Seen) -> Episode:
    """The row with its figures, not judged yet."""
    measured, observation, log = seen.measured, seen.observation, seen.log
    start_us = round(disturbance.before_s * 1_000_000)
    course = reduce.Course(
        fates=Fates.decode(measured.fates or ""),
        start_us=start_us,
        end_us=start_us + round(disturbance.during_s * 1_000_000),
        length_us=round(measured.length_s * 1_000_000),
        changes=[((at_ns - measured.start_ns) // NANO_A_MICRO, sent, begun) for at_ns, sent, begun in log.changes],
    )
    before, during, after = reduce.parts(course, disturbance)
    check = measured.generator
    return replace(
        bare,
        before=before,
        during=during,
        after=after,
        well_s=reduce.well_s(course, disturbance),
        silent_s=reduce.silent_s(course),
        held_least=reduce.held_least(course),
        begun_most=reduce.begun_most(course),
        held_answers=log.answers,
        held_wrong=log.wrong,
        upstream_hits=seen.calls,
        attempts=seen.totals.attempts,
        reconnects=seen.totals.reconnects,
        good=seen.totals.good,
        cpu_s=sum(observation.cpu_s.values()),
        threads=observation.threads,
        processes=observation.processes,
        memory_bytes=observation.memory.pss if observation.memory else None,
        steal_fraction=observation.steal_fraction,
        outside_fraction=observation.outside_fraction,
        generator=GeneratorCheck(
            cpu_percent=check.cpu_percent,
            waiting_fraction=check.waiting_fraction,
            gc_pause_s=check.gc_pause_s,
            valid=check.valid,
            reasons=check.reasons,
        ),
        timeline=reduce.timeline(course, disturbance),
    )
