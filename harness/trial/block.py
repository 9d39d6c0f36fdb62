"""A block: a group launched afresh side by side, verified, warmed up, measured in turn, stopped."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from harness.errors import AnswerError, GatebenchError, LaunchError, LoadError
from harness.record import Episode, Trial
from harness.subject.asking import check_held
from harness.subject.launch import Launched
from harness.suite import Arm, Group, Phase
from harness.trial import faults
from harness.trial.bench import Bench, GroupState
from harness.trial.ending import Ending
from harness.trial.episodes import measure_episodes
from harness.trial.phase import Bounds, failed, measure_phase, warm_up
from harness.trial.serving import Serving
from harness.trial.starting import awaited

Errors: TypeAlias = dict[str, GatebenchError]
"""Arm -> why it cannot be measured; the class of the error says whose fault it is."""
Ready: TypeAlias = tuple[Launched, float | None]
"""What answers, and the seconds from its start to its first answer, where they are known."""


def measure_block(
    bench: Bench,
    state: GroupState,
    block: int,
    *,
    overload: Bounds | None = None,
    keep: Callable[[Episode], None] | None = None,
    ending: Ending | None = None,
) -> Iterator[Trial]:
    """Yield a trial for each arm and phase; then `keep` gets the episodes, where the group has a disturbance.

    `overload` bounds loads that may be more than a server holds. At the end `ending` gets the servers, and
    what it has of the block before has ended before anything of this one is asked or measured.
    Without it they have ended at the end of the block.

    An arm that does not come up, answers wrongly, dies or needs a service that cannot be had is a row with `error`.
    Services that died or hang are started afresh before anything is launched; generators that were lost are tried again
    meanwhile.
    """
    ending = ending or Ending()
    bench.services.heal()
    bench.generator.mend()
    with contextlib.ExitStack() as stack:
        launch = _launch_all(bench, state, block, stack, ending)
        errors = launch.errors
        with bench.stopwatch.on("verify"):
            serving = _verify_all(bench, launch.ready, errors)
            _verify_neighbours(bench, state, serving, errors)
        _warm_up(bench, state, block, serving, errors)
        before: Phase | None = None
        for phase in state.group.phases:
            if before is not None:
                with bench.stopwatch.on("verify"):
                    _lose(serving, errors, faults.gone(serving, before))
            broken = [arm for arm in state.group.arms if arm.id in errors]
            trials = [failed(arm, state, block, phase, errors[arm.id]) for arm in broken]
            trials += measure_phase(bench, state, block, phase, serving, overload) if serving else []
            state.keep(trials)
            yield from trials
            before = phase
        if keep is not None and before is not None and state.group.disturbance is not None:
            _lose(serving, errors, faults.gone(serving, before))
            for episode in measure_episodes(bench, state, block, serving, errors):
                keep(episode)
        with bench.stopwatch.on("stop"):
            ending.take(stack, launch.started)


def _lose(serving: dict[str, Serving], errors: Errors, lost: Errors) -> None:
    """Drive those that were lost no more; their rows say why."""
    for arm, why in lost.items():
        del serving[arm]
        errors[arm] = why


def _warm_up(bench: Bench, state: GroupState, block: int, serving: dict[str, Serving], errors: Errors) -> None:
    """Warm up what the first load does not warm up by itself; where that fails, nothing of the block is measured."""
    if not serving or state.group.arms[0].loads[0].warm_up_s:
        return
    try:
        warm_up(bench, state, block, serving)
    except (LoadError, LaunchError) as error:
        _lose(serving, errors, dict.fromkeys(serving, error))


@dataclass(frozen=True, slots=True)
class _Launch:
    """The servers of a block that were started, those of them that are ready, and why others are not."""

    started: list[Launched]
    ready: list[Ready]
    errors: Errors


def _launch_all(bench: Bench, state: GroupState, block: int, stack: contextlib.ExitStack, ending: Ending) -> _Launch:
    """Start all arms, and wait until those of the block before have ended, and these are quiet.

    What does not start beside those that end may lack what they still have: a port of its own, a lock, memory. It is
    started once more without them, and all further blocks of the group are started so.
    """
    if state.alone:
        _wait(bench, ending)
    launch = _bring_up(bench, state, block, stack, ending)
    if launch.errors.keys() - bench.missing.keys():
        state.alone = True
        if ending.busy:
            _wait(bench, ending)
            with bench.stopwatch.on("stop"):
                stack.close()
            launch = _bring_up(bench, state, block, stack, ending)
    _wait(bench, ending)
    with bench.stopwatch.on("launch"):
        bench.site.settle([server for server, _ in launch.ready])
    return launch


def _wait(bench: Bench, ending: Ending) -> None:
    with bench.stopwatch.on("stop"):
        ending.wait()


def _bring_up(bench: Bench, state: GroupState, block: int, stack: contextlib.ExitStack, ending: Ending) -> _Launch:
    """Start all arms side by side, and wait until they are ready; `stack` stops them side by side too."""
    errors: Errors = {arm.id: LaunchError(bench.missing[arm.id]) for arm in state.group.arms if arm.id in bench.missing}
    started: list[Launched] = []
    ready: list[Ready] = []
    with bench.stopwatch.on("launch"):
        for arm in state.group.arms:
            if arm.id not in errors:
                log = ending.log(bench.logs, arm.id, block)
                try:
                    started.append(stack.enter_context(_launch(bench, state.group, arm, block, log)))
                except LaunchError as error:
                    errors[arm.id] = error
        stack.callback(_ask_to_stop, tuple(started))
        for server, answered in awaited(started, at_once=bench.site.waits_at_once):
            if isinstance(answered, LaunchError):
                errors[server.arm.id] = server.cause(answered)
            else:
                ready.append((server, answered))
    return _Launch(started, ready, errors)


def _ask_to_stop(servers: Iterable[Launched]) -> None:
    for server in servers:
        server.process.ask_to_stop()


def _launch(bench: Bench, group: Group, arm: Arm, block: int, log: Path) -> contextlib.AbstractContextManager[Launched]:
    return bench.site.launch(
        arm,
        bench.plan,
        bench.services,
        cpus=bench.placement.server,
        log=log,
        key=f"/{block}",
        disturbance=group.disturbance,
    )


def _verify_all(bench: Bench, ready: list[Ready], errors: Errors) -> dict[str, Serving]:
    """The arms that answer rightly, by id; the others go into `errors`."""
    serving = {}
    for server, first_answer_s in ready:
        try:
            serving[server.arm.id] = Serving.of(server, first_answer_s)
        except AnswerError as error:
            errors[server.arm.id] = _why_wrong(bench, server, error)
    return serving


def _verify_neighbours(bench: Bench, state: GroupState, serving: dict[str, Serving], errors: Errors) -> None:
    """Lose the arms that answer wrongly what is held beside the victim: an error that comes at once holds nothing.

    Once a sitting, and all at the same time, for such an answer takes long.
    """
    neighbour, arms = state.group.neighbour, [arm for arm in serving if arm not in state.neighbours_right]
    if neighbour is None or not arms:
        return
    with ThreadPoolExecutor(len(arms)) as pool:
        asked = {arm: pool.submit(check_held, *serving[arm].server.address, neighbour) for arm in arms}
    for arm, answer in asked.items():
        error = answer.exception()
        if isinstance(error, AnswerError):
            _lose(serving, errors, {arm: _why_wrong(bench, serving[arm].server, error)})
        elif error is not None:
            raise error
        else:
            state.neighbours_right.add(arm)


def _why_wrong(bench: Bench, server: Launched, error: AnswerError) -> GatebenchError:
    """The cause of a wrong answer: a service that is gone, a server that died, or else the answer itself."""
    if service_error := faults.of_services(bench, [server.arm]).get(server.arm.id):
        return service_error
    if killed := server.killed():
        return killed
    if not server.process.alive():
        return server.process.died()
    return AnswerError(server.process.with_log(f"answers wrongly ({error})"))
