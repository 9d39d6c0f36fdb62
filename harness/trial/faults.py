"""What went wrong with an arm, in words for its row: a server that died or hangs, a worker, a service beside it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from harness.errors import AnswerError, GatebenchError, LaunchError, ServiceError
from harness.subject.answers import ASK_S
from harness.subject.services import needed
from harness.suite import Arm, Phase
from harness.trial.bench import Bench
from harness.trial.serving import Serving


def of_services(bench: Bench, arms: Iterable[Arm]) -> dict[str, GatebenchError]:
    """Arm -> why it cannot be measured now: a service that it needs has died or does not answer.

    All of them where the machine of the servers is lost.
    """
    if lost := bench.site.lost():
        return {arm.id: lost for arm in arms}
    needs = {arm.id: sorted(needed(arm, bench.plan.factors)) for arm in arms}
    problems = {name: bench.services.problem(name) for name in {name for names in needs.values() for name in names}}
    why = {arm: "; ".join(problems[name] for name in names if problems[name]) for arm, names in needs.items()}
    return {arm: ServiceError(text) for arm, text in why.items() if text}


def require_services(bench: Bench, arms: Iterable[Arm]) -> None:
    """Raise `ServiceError` when every one of `arms` needs a service that has died: nothing is worth going on for."""
    dead = bench.services.dead()
    if not dead:
        return
    needs = [needed(arm, bench.plan.factors) & dead.keys() for arm in arms]
    if all(needs):
        raise ServiceError(dead[min(needs[0])])


def after_load(serving: Serving, processes_before: set[int]) -> list[str]:
    """What only a look at the live server can tell against its trial; empty when nothing does."""
    server = serving.server
    if not server.process.alive():
        return [f"died during the load: {server.process.died()}"]
    reasons = []
    if set(server.process.members()) != processes_before:
        reasons.append(server.process.with_log("lost a worker process during the load, or started one again"))
    try:
        serving.verify(ASK_S)
    except AnswerError as error:
        reasons.append(server.process.with_log(f"gave a wrong answer or none after the load ({error})"))
    return reasons


def gone(serving: Mapping[str, Serving], after: Phase) -> dict[str, GatebenchError]:
    """Arm -> why it is not driven any more: it died or was killed in the phase `after`, or gives no answer since.

    For an answer it has ASK_S.
    """
    errors: dict[str, GatebenchError] = {}
    lost = f"not driven, for it was lost in the {after} phase of this block"
    for arm, ready in serving.items():
        try:
            ready.server.wait_ready(ASK_S)
        except LaunchError as error:
            errors[arm] = LaunchError(f"{lost}: {ready.server.cause(error)}")
        else:
            if killed := ready.server.killed():
                errors[arm] = LaunchError(f"{lost}: {killed}")
    return errors
