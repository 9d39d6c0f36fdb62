"""Drive the episodes of a block, arms in turn, and turn what comes back into rows."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace

from harness import spec
from harness.errors import GatebenchError, LaunchError, LoadError
from harness.judge.episodes import broke, next_strength, reasons
from harness.machine.process import Process
from harness.record import Episode, utc_now
from harness.spec.calm import Calm
from harness.subject.launch import Launched
from harness.suite import Arm, Group, Open
from harness.trial import faults
from harness.trial.bench import Bench, GroupState
from harness.trial.episodes.deploys import deploys
from harness.trial.episodes.disturber import Disturber, Stage, load_alone
from harness.trial.episodes.held import neighbours
from harness.trial.episodes.rows import Counted, Seen, bare, filled, settled
from harness.trial.episodes.watch import watching
from harness.trial.observe import Observation, Observer
from harness.trial.order import arm_spec
from harness.trial.serving import Serving

KINDS: dict[str, Callable[[Stage], AbstractContextManager[Disturber]]] = {
    "held": neighbours,
    "deploy": deploys,
    "overload": load_alone,
}
"""What does each kind of disturbance."""
QUIET_S, POLL_S = 0.2, 0.02
"""A server that counts nothing for so long has done with its queues; how often it is looked at."""
HEALTHY_S = 30.0
"""How long a server may take to be well before an episode: it may still work for clients of the last one that left."""
NO_RATE = "no rate to offer: its pair has no capacity on record; see why the closed load failed, or state rate_rps"
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
            yield _failed(bare(state, arm, block, weakest, _victim_load(state, arm), utc_now()), why)
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
    empty = bare(state, arm, block, strength, _victim_load(state, arm), utc_now())
    try:
        with bench.stopwatch.on("verify"):
            serving.server.wait_ready(HEALTHY_S)
            _wait_quiet(serving.server)
        empty = replace(empty, load=_offered(empty))
        order = _order(bench, state, block, arm, empty, serving)
        seen = _driven(Stage(bench, state.group, serving.server, strength, empty.load), arm, order)
    except GatebenchError as error:
        return _failed(empty, _cause(bench, arm, serving, error))
    row = filled(empty, seen)
    why = reasons(row, bench.plan.thresholds, seen.wrong)
    return replace(row, valid=not why, reasons=why, fault="arm" if seen.wrong else None)


def _failed(empty: Episode, error: GatebenchError) -> Episode:
    return replace(empty, error=str(error), fault=error.fault)


def _wait_quiet(server: Launched) -> None:
    """Wait until the server has done with what earlier clients left, by its own count; in any case not for longer."""
    if server.served is None:
        return
    deadline, before, since = time.monotonic() + HEALTHY_S, server.served.workers(), time.monotonic()
    while time.monotonic() < min(deadline, since + QUIET_S):
        time.sleep(POLL_S)
        now = server.served.workers()
        if now != before:
            before, since = now, time.monotonic()


def _cause(bench: Bench, arm: Arm, serving: Serving, error: GatebenchError) -> GatebenchError:
    """Why an episode has no figures: a service that is gone, a server that died, or else what was raised."""
    if service_error := faults.of_services(bench, [arm]).get(arm.id):
        return service_error
    return error if serving.server.process.alive() else serving.server.process.died()


def _driven(stage: Stage, arm: Arm, order: spec.Spec) -> Seen:
    """Run the load and the disturbance in it; raises `LoadError`, `LaunchError` or `AnswerError`."""
    disturbance, neighbour, server, bench = stage.group.disturbance, stage.group.neighbour, stage.server, stage.bench
    assert disturbance is not None  # noqa: S101 - only then are there episodes
    counted = neighbour is None or not neighbour.upstream_calls  # else its calls and the victim's cannot be told apart
    with ExitStack() as stack:
        watch = stack.enter_context(watching(server))
        disturber = stack.enter_context(KINDS[disturbance.kind](stage))
        # From here on: a disturber may have asked the server, or started it afresh.
        before, processes = _hits(bench, arm) if counted else None, set(server.process.members())
        served = Counted.of(server.served)
        ours = {"disturbance": disturber.process} if disturber.process is not None else {}
        changing = None if disturbance.keeps_processes else watch.usage
        observer = Observer({arm.id: server}, bench.services, ours, changing)

        def on_event(event: spec.Event, generator: Process) -> None:
            if event.event == "opened":
                start_ns = event.at_ns + round(disturbance.before_s * NANO_A_SECOND)
                end_ns = start_ns + round(disturbance.during_s * NANO_A_SECOND)
                disturber.begin(start_ns, end_ns)
                watch.begin(start_ns, end_ns)
            bench.stopwatch.heard(event)
            observer(event, generator)
            if event.event == "drained" and event.throughput_rps is not None:
                bench.progress.slice_done(event.arm, event.throughput_rps)

        result = bench.generator.run(order, on_event)
        done, pressed = disturber.done(), watch.seen
    if not result.slices:
        raise LoadError("nothing was measured: the generator ended before the window closed, see its log under logs/")
    after = _hits(bench, arm) if counted else None
    return Seen(
        measured=result.slices[0],
        totals=result.totals[0],
        observation=observer.observations.get((arm.id, 0), Observation()),
        done=done,
        memory_most_bytes=watch.most_bytes,
        pressed=pressed,
        served=settled(server.served, served, result.totals[0].good),
        calls=None if before is None or after is None else after - before,
        wrong=_wrong(server, processes) if disturbance.keeps_processes else (),
    )


def _order(bench: Bench, state: GroupState, block: int, arm: Arm, empty: Episode, serving: Serving) -> spec.Spec:
    """What the generator is told."""
    disturbance, load = empty.disturbance, empty.load
    order = spec.Spec(
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
    patience_s = disturbance.patience_s
    if patience_s is None or load.rate_rps is None:
        return order
    # Its many connections open no faster than requests come before the overload: they would be one themselves.
    opening_s = load.connections / load.rate_rps
    return replace(order, read_timeout_s=patience_s, connect_timeout_s=patience_s, opening_s=opening_s)


def _offered(empty: Episode) -> Open:
    """What the victim is offered; raises `LoadError` where there is nothing to offer."""
    if not empty.load.can_be_offered:
        raise LoadError(NO_RATE)
    try:
        return empty.disturbance.offered(empty.load, empty.strength)
    except ValueError as error:
        raise LoadError(str(error)) from error


def _victim_load(state: GroupState, arm: Arm) -> Open:
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
