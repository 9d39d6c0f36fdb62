"""A block: a group launched afresh side by side, verified, warmed up, measured in turn, stopped."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from harness.errors import AnswerError, LaunchError
from harness.record import Trial
from harness.subject.launch import Launched, launch, wait_settled
from harness.suite import Arm, Phase
from harness.trial.bench import Bench, GroupState
from harness.trial.phase import Serving, failed, measure_phase


def measure_block(bench: Bench, state: GroupState, block: int) -> Iterator[Trial]:
    """Yield a trial for each arm and phase; an arm that does not come up, or answers wrongly, is a row with `error`."""
    with contextlib.ExitStack() as stack:
        launched, errors = _launch_all(bench, state, block, stack)
        serving = _verify_all(launched, errors)
        wait_settled([one.server for one in serving.values()])
        for phase in _phases(state):
            if phase in state.group.phases:
                broken = [arm for arm in state.group.arms if arm.id in errors]
                yield from (failed(arm, state, block, phase, errors[arm.id]) for arm in broken)
            if serving:
                yield from measure_phase(bench, state, block, phase, serving)


def _phases(state: GroupState) -> tuple[Phase, ...]:
    """A group that is only driven openly is still warmed up, by a closed phase without rounds."""
    return ("closed", "open") if state.group.phases == ("open",) else state.group.phases


def _launch_all(
    bench: Bench, state: GroupState, block: int, stack: contextlib.ExitStack
) -> tuple[list[Launched], dict[str, str]]:
    launched = []
    errors = {arm.id: bench.missing[arm.id] for arm in state.group.arms if arm.id in bench.missing}
    for arm in state.group.arms:
        if arm.id not in errors:
            try:
                launched.append(stack.enter_context(_launch(bench, arm, block)))
            except LaunchError as error:
                errors[arm.id] = str(error)
    return launched, errors


def _launch(bench: Bench, arm: Arm, block: int) -> contextlib.AbstractContextManager[Launched]:
    log = bench.logs / f"{arm.id}.log"
    return launch(arm, bench.services, cpus=bench.placement.server, log=log, key=f"/{block}")


def _verify_all(launched: list[Launched], errors: dict[str, str]) -> dict[str, Serving]:
    """The arms that are ready and answer rightly, by id; the others go into `errors`."""
    serving = {}
    for one in launched:
        try:
            one.wait_ready()
            first, second = one.verify(), one.verify()
        except (LaunchError, AnswerError) as error:
            errors[one.arm.id] = str(error)
        else:
            serving[one.arm.id] = Serving(one, second, digest_holds=first.body == second.body)
    return serving
