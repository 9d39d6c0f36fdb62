"""Launch every cell once and check its answers, measuring nothing."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from harness.errors import AnswerError, LaunchError
from harness.subject import services
from harness.subject.answers import verify as ask_and_check
from harness.subject.launch import Launched, launch
from harness.suite import Arm, Definitions, Scenario, Server, Target, Upstream, cell

AT_ONCE = 4
"""Servers that are launched side by side."""

ArmAndScenarios: TypeAlias = tuple[Arm, tuple[Scenario, ...]]


@dataclass(frozen=True, slots=True)
class Checked:
    """One arm's scenario, and what is wrong with it; None when it answered rightly."""

    arm: Arm
    scenario: Scenario
    problem: str | None


def every_arm(known: Definitions) -> Iterator[ArmAndScenarios]:
    """Each target on each server of its interface, once for each level of the factors that its scenarios need."""
    for target in known.targets.values():
        for server in known.servers.values():
            if server.interface != target.interface:
                continue
            plain = tuple(one for one in known.scenarios.values() if "middleware" not in one.factors)
            layered = tuple(one for one in known.scenarios.values() if "middleware" in one.factors)
            for level in target.middleware:
                asked = plain if level == "none" else layered
                if asked:
                    yield _arm(target, server, asked[0], level), asked


def verify(arms: Iterable[ArmAndScenarios], missing: Mapping[str, str], upstream: Upstream) -> Iterator[Checked]:
    """Launch `arms` a few at a time and ask each its scenarios; yields as the answers come.

    `missing` says by arm why it cannot be launched. The logs are kept where something was wrong: a problem names its.
    """
    logs = Path(tempfile.mkdtemp(prefix="gatebench-verify-"))
    wrong = False
    try:
        with services.started(upstream=upstream, redis=True, cpus=(), logs=logs) as beside:
            for checked in _check_all(list(arms), missing, beside, logs):
                wrong = wrong or checked.problem is not None
                yield checked
    finally:
        if not wrong:
            shutil.rmtree(logs, ignore_errors=True)


def _check_all(
    arms: list[ArmAndScenarios], missing: Mapping[str, str], beside: services.Services, logs: Path
) -> Iterator[Checked]:
    launchable = []
    for arm, scenarios in arms:
        if arm.id in missing:
            yield from _all_wrong(arm, scenarios, missing[arm.id])
        else:
            launchable.append((arm, scenarios))
    for start in range(0, len(launchable), AT_ONCE):
        yield from _check_side_by_side(launchable[start : start + AT_ONCE], beside, logs)


def _check_side_by_side(arms: list[ArmAndScenarios], beside: services.Services, logs: Path) -> Iterator[Checked]:
    with contextlib.ExitStack() as stack:
        launched: list[tuple[Launched, tuple[Scenario, ...]]] = []
        for arm, scenarios in arms:
            log = logs / f"{len(list(logs.iterdir()))}.log"  # a name of the user's own may be no file name
            try:
                server = stack.enter_context(launch(arm, beside, cpus=(), log=log))
            except LaunchError as error:
                yield from _all_wrong(arm, scenarios, str(error))
            else:
                launched.append((server, scenarios))
        for server, scenarios in launched:
            yield from _check(server, scenarios)


def _check(server: Launched, scenarios: tuple[Scenario, ...]) -> Iterator[Checked]:
    try:
        server.wait_ready()
    except LaunchError as error:
        yield from _all_wrong(server.arm, scenarios, str(error))
        return
    for scenario in scenarios:
        problem = None
        try:
            ask_and_check(server.host, server.port, scenario.request, scenario.expect)
        except AnswerError as error:
            problem = f"{error}; log: {server.process.log}"
        yield Checked(server.arm, scenario, problem)


def _all_wrong(arm: Arm, scenarios: tuple[Scenario, ...], problem: str) -> Iterator[Checked]:
    return (Checked(arm, scenario, problem) for scenario in scenarios)


def _arm(target: Target, server: Server, scenario: Scenario, middleware: str) -> Arm:
    made = cell(target, server, scenario, middleware=middleware)
    return Arm(
        id=f"{target.name}-{server.name}-{middleware}",
        cell=made,
        connections=1,
        target=target,
        server=server,
        scenario=scenario,
    )
