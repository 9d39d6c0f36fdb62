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
from harness.suite import (
    NONE,
    Arm,
    Cell,
    Closed,
    Definitions,
    Factor,
    Level,
    Scenario,
    Server,
    Target,
    Upstream,
    cell,
    single,
)

AT_ONCE = 4
"""Launches side by side."""


@dataclass(frozen=True, slots=True)
class Checked:
    """One arm's scenario, and what is wrong with it; None when it answered rightly."""

    arm: Arm
    scenario: Scenario
    problem: str | None


def every_arm(known: Definitions) -> Iterator[tuple[Arm, tuple[Scenario, ...]]]:
    """Each target on each server of its interface, with the scenarios that one launch can answer as they are measured.

    Levels beyond the defaults that a scenario varies for a side are tried on one server of each target: it is the
    target that is told of them.
    """
    for target in known.targets.values():
        servers = [server for server in known.servers.values() if server.interface == target.interface]
        for server in servers:
            launches: list[tuple[Arm, list[Scenario]]] = []
            for scenario in known.scenarios.values():
                for made in _cells(known, target, server, scenario, further=server is servers[0]):
                    _join(launches, known, made, scenario)
            yield from ((arm, tuple(scenarios)) for arm, scenarios in launches)


def _cells(known: Definitions, target: Target, server: Server, scenario: Scenario, *, further: bool) -> Iterator[Cell]:
    """The cell of the defaults, and one for each further level of what the scenario varies for a side."""
    yield cell(known, target, server, scenario)
    for factor in known.factors.values() if further else ():
        if factor.on == "side" and factor.by_scenario and factor.applies(target, server, scenario):
            for level in factor.levels_of(target, server):
                if level not in (NONE, factor.default_of(target)):
                    yield cell(known, target, server, scenario, {factor.name: level})


def _join(launches: list[tuple[Arm, list[Scenario]]], known: Definitions, made: Cell, scenario: Scenario) -> None:
    """Add `scenario` to a launch that tells its target the same and no less, or no more; else to a new one."""
    told = _told(known, made)
    for arm, scenarios in launches:
        others = _told(known, arm.cell)
        if told.items() <= others.items() or others.items() <= told.items():
            if len(told) > len(others):
                launches[launches.index((arm, scenarios))] = (_arm(known, arm.id, made), [*scenarios, scenario])
            else:
                scenarios.append(scenario)
            return
    name = f"{made.target}-{made.server}-{len(launches)}"
    launches.append((_arm(known, name, made), [scenario]))


def _told(known: Definitions, made: Cell) -> dict[str, Level]:
    return {name: level for name, level in made.levels if known.factors[name].tells(level)}


def _arm(known: Definitions, name: str, made: Cell) -> Arm:
    return single(known, name, made, (Closed(connections=1),))


def verify(
    arms: Iterable[tuple[Arm, tuple[Scenario, ...]]],
    factors: Iterable[Factor],
    missing: dict[str, str],
    upstream: Upstream,
) -> Iterator[Checked]:
    """Launch `arms` a few at a time and ask each its scenarios; yields as the answers come."""
    varied = tuple(factors)
    with tempfile.TemporaryDirectory(prefix="gatebench-") as folder:
        logs = Path(folder)
        with services.started(upstream=upstream, redis=True, cpus=(), logs=logs) as beside:
            pending = list(arms)
            while pending:
                batch, pending = pending[:AT_ONCE], pending[AT_ONCE:]
                yield from _batch(batch, varied, missing, beside, logs)


def _batch(
    batch: list[tuple[Arm, tuple[Scenario, ...]]],
    factors: tuple[Factor, ...],
    missing: dict[str, str],
    beside: services.Services,
    logs: Path,
) -> Iterator[Checked]:
    with contextlib.ExitStack() as stack:
        launched: list[tuple[Launched, tuple[Scenario, ...]]] = []
        for arm, scenarios in batch:
            if arm.id in missing:
                yield from (Checked(arm, scenario, missing[arm.id]) for scenario in scenarios)
                continue
            try:
                log = logs / f"{len(list(logs.iterdir()))}.log"
                launched.append((stack.enter_context(launch(arm, factors, beside, cpus=(), log=log)), scenarios))
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
