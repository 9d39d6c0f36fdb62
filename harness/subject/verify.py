"""Launch every cell once and check its answers, measuring nothing."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.errors import AnswerError, LaunchError
from harness.subject import services
from harness.subject.answers import verify as ask_and_check
from harness.subject.launch import Launched, launch
from harness.suite import Arm, Definitions, Scenario, Server, Target, Upstream, cell

AT_ONCE = 4
"""Launches side by side."""


@dataclass(frozen=True, slots=True)
class Checked:
    """One arm's scenario, and what is wrong with it; None when it answered rightly."""

    arm: Arm
    scenario: Scenario
    problem: str | None


def every_arm(known: Definitions) -> Iterator[tuple[Arm, tuple[Scenario, ...]]]:
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


def verify(
    arms: Iterable[tuple[Arm, tuple[Scenario, ...]]], missing: dict[str, str], upstream: Upstream
) -> Iterator[Checked]:
    """Launch `arms` a few at a time and ask each its scenarios; yields as the answers come."""
    with tempfile.TemporaryDirectory(prefix="gatebench-") as folder:
        logs = Path(folder)
        with services.started(upstream=upstream, redis=True, cpus=(), logs=logs) as beside:
            pending = list(arms)
            while pending:
                batch, pending = pending[:AT_ONCE], pending[AT_ONCE:]
                yield from _batch(batch, missing, beside, logs)


def _batch(
    batch: list[tuple[Arm, tuple[Scenario, ...]]], missing: dict[str, str], beside: services.Services, logs: Path
) -> Iterator[Checked]:
    with contextlib.ExitStack() as stack:
        launched: list[tuple[Launched, tuple[Scenario, ...]]] = []
        for arm, scenarios in batch:
            if arm.id in missing:
                yield from (Checked(arm, scenario, missing[arm.id]) for scenario in scenarios)
                continue
            try:
                log = logs / f"{len(list(logs.iterdir()))}.log"
                launched.append((stack.enter_context(launch(arm, beside, cpus=(), log=log)), scenarios))
            except LaunchError as error:
                yield from (Checked(arm, scenario, str(error)) for scenario in scenarios)
        for server, scenarios in launched:
            yield from _check(server, scenarios)


def _check(server: Launched, scenarios: tuple[Scenario, ...]) -> Iterator[Checked]:
    try:
        server.wait_ready()
    except LaunchError as error:
        yield from (Checked(server.arm, scenario, str(error)) for scenario in scenarios)
        return
    for scenario in scenarios:
        try:
            ask_and_check(server.host, server.port, scenario.request, scenario.expect)
        except AnswerError as error:
            yield Checked(server.arm, scenario, str(error))
        else:
            yield Checked(server.arm, scenario, None)


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
