"""A block: a group launched afresh side by side, verified, warmed up, measured in turn, stopped."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from harness.errors import AnswerError, GatebenchError, LaunchError, LoadError
from harness.record import Trial
from harness.subject.launch import Launched, launch, wait_settled
from harness.suite import Arm
from harness.trial.bench import Bench, GroupState
from harness.trial.phase import Serving, failed, measure_phase, warm_up


def measure_block(bench: Bench, state: GroupState, block: int) -> Iterator[Trial]:
    """Yield a trial for each arm and phase; an arm that does not come up, or answers wrongly, is a row with `error`."""
    with contextlib.ExitStack() as stack:
        launched, errors = _launch_all(bench, state, block, stack)
        serving = _verify_all(launched, errors)
        wait_settled([ready.server for ready in serving.values()])
        _warm_up(bench, state, block, serving, errors)
        for phase in state.group.phases:
            broken = [arm for arm in state.group.arms if arm.id in errors]
            trials = [
                failed(arm, state, block, phase, str(error), fault=error.fault)
                for arm, error in ((arm, errors[arm.id]) for arm in broken)
            ]
            trials += measure_phase(bench, state, block, phase, serving) if serving else []
            state.keep(trials)
            yield from trials


def _warm_up(
    bench: Bench, state: GroupState, block: int, serving: dict[str, Serving], errors: dict[str, GatebenchError]
) -> None:
    """Warm up what the first load does not warm up by itself; where that fails, nothing of the block is measured."""
    if not serving or state.group.arms[0].loads[0].warm_up_s:
        return
    try:
        warm_up(bench, state, block, serving)
    except LoadError as error:
        errors |= dict.fromkeys(serving, error)
        serving.clear()


def _launch_all(
    bench: Bench, state: GroupState, block: int, stack: contextlib.ExitStack
) -> tuple[list[Launched], dict[str, GatebenchError]]:
    launched = []
    errors: dict[str, GatebenchError] = {
        arm.id: LaunchError(bench.missing[arm.id]) for arm in state.group.arms if arm.id in bench.missing
    }
    for arm in state.group.arms:
        if arm.id not in errors:
            try:
                launched.append(stack.enter_context(_launch(bench, arm, block)))
            except LaunchError as error:
                errors[arm.id] = error
    return launched, errors


def _launch(bench: Bench, arm: Arm, block: int) -> contextlib.AbstractContextManager[Launched]:
    log = bench.logs / f"{arm.id}.log"
    return launch(arm, bench.plan.factors, bench.services, cpus=bench.placement.server, log=log, key=f"/{block}")


def _verify_all(launched: list[Launched], errors: dict[str, GatebenchError]) -> dict[str, Serving]:
    """The arms that are ready and answer rightly, by id; the others go into `errors`."""
    serving = {}
    for one in launched:
        try:
            one.wait_ready()
            first, second = one.verify(), one.verify()
        except (LaunchError, AnswerError) as error:
            errors[one.arm.id] = error
        else:
            serving[one.arm.id] = Serving(one, second, digest_holds=first.body == second.body)
    return serving
