"""Launch every cell once and check its answers, measuring nothing."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol, TypeAlias

from harness.errors import AnswerError, LaunchError, ServiceError
from harness.subject import services
from harness.subject.asking import check, check_held
from harness.subject.launch import Launched
from harness.subject.pods import launch_pods
from harness.subject.prepare import prepared
from harness.subject.together import Together
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
"""Servers that are launched side by side."""


@dataclass(frozen=True, slots=True)
class Asked:
    """An arm to launch, and what it is to be asked."""

    arm: Arm
    scenarios: tuple[Scenario, ...]
    held: Scenario | None = None
    """What is held beside them."""

    @property
    def every(self) -> tuple[Scenario, ...]:
        """All that it is asked."""
        return self.scenarios if self.held is None else (*self.scenarios, self.held)


@dataclass(frozen=True, slots=True)
class Checked:
    """One arm's scenario, and what is wrong with it; None when it answered rightly."""

    arm: Arm
    scenario: Scenario
    problem: str | None


def every_arm(known: Definitions) -> Iterator[Asked]:
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
            yield from (Asked(arm, tuple(scenarios)) for arm, scenarios in launches)


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


class Ground(Protocol):
    """Where arms are launched to be asked, with the services that they need beside them."""

    def log(self, arm: Arm) -> Path:
        """Where its log will lie here."""

    def launch(self, arm: Arm, log: Path) -> AbstractContextManager[Launched]:
        """Start it; raises `LaunchError`."""


Opened: TypeAlias = Callable[
    [Sequence[Arm], Mapping[str, str], Path], AbstractContextManager[tuple[Ground, Mapping[str, str]]]
]
"""Opens a ground for arms but those that are missing, with a folder for their logs; says which more are missing."""


def verify(
    arms: Iterable[Asked], factors: Iterable[Factor], missing: Mapping[str, str], upstream: Upstream
) -> Iterator[Checked]:
    """Launch `arms` on this machine and ask each its scenarios, as `verify_on` does."""
    return verify_on(partial(_here, tuple(factors), upstream), arms, missing)


def verify_on(opened: Opened, arms: Iterable[Asked], missing: Mapping[str, str]) -> Iterator[Checked]:
    """Launch `arms` a few at a time and ask each its scenarios; yields as the answers come.

    `missing` says by arm why it cannot be launched. The logs are kept where something was wrong: a problem names its.
    """
    logs = Path(tempfile.mkdtemp(prefix="gatebench-verify-"))
    wrong = False
    try:
        wanted = list(arms)
        with opened([asked.arm for asked in wanted], missing, logs) as (ground, more):
            for checked in _check_all(wanted, {**missing, **more}, ground):
                wrong = wrong or checked.problem is not None
                yield checked
    finally:
        if not wrong:
            shutil.rmtree(logs, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class _Here:
    """This machine."""

    factors: tuple[Factor, ...]
    services: services.Services
    logs: Path

    def log(self, _arm: Arm) -> Path:
        """See `Ground`."""
        return self.logs / f"{len(list(self.logs.iterdir()))}.log"  # a name of the user's own may be no file name

    def launch(self, arm: Arm, log: Path) -> AbstractContextManager[Launched]:
        """See `Ground`."""
        return launch_pods(arm, self.factors, self.services, cpus=(), log=log)


@contextlib.contextmanager
def _here(
    factors: tuple[Factor, ...], upstream: Upstream, arms: Sequence[Arm], missing: Mapping[str, str], logs: Path
) -> Iterator[tuple[Ground, Mapping[str, str]]]:
    with (
        services.started(upstream=upstream, redis=True, cpus=(), logs=logs) as beside,
        prepared([arm for arm in arms if arm.id not in missing], logs) as unprepared,
    ):
        yield _Here(factors, beside, logs), unprepared


def _check_all(arms: list[Asked], missing: Mapping[str, str], ground: Ground) -> Iterator[Checked]:
    launchable = []
    for asked in arms:
        if asked.arm.id in missing:
            yield from _all_wrong(asked, missing[asked.arm.id])
        else:
            launchable.append(asked)
    for start in range(0, len(launchable), AT_ONCE):
        yield from _check_side_by_side(launchable[start : start + AT_ONCE], ground)


def _check_side_by_side(arms: list[Asked], ground: Ground) -> Iterator[Checked]:
    with contextlib.ExitStack() as stack:
        launched: list[tuple[Launched, Asked, Path]] = []
        for asked in arms:
            log = ground.log(asked.arm)
            try:
                server = stack.enter_context(ground.launch(asked.arm, log))
            except (LaunchError, ServiceError) as error:
                yield from _all_wrong(asked, str(error))
            else:
                launched.append((server, asked, log))
        for server, asked, log in launched:
            yield from _check(server, asked, log)


def _check(server: Launched, asked: Asked, log: Path) -> Iterator[Checked]:
    try:
        server.wait_ready()
    except (LaunchError, ServiceError) as error:
        yield from _all_wrong(asked, str(error))
        return
    for scenario in asked.every:
        problem = None
        try:
            if scenario is asked.held:
                check_held(server.host, server.port, scenario)
            else:
                check(server.host, server.port, scenario, [each.port for each in server.each[1:]])
        except AnswerError as error:
            named = server.process.log if isinstance(server.process, Together) else log
            problem = str(error) if server.arm.target.url else f"{error}; log: {named}"
        yield Checked(server.arm, scenario, problem)


def _all_wrong(asked: Asked, problem: str) -> Iterator[Checked]:
    return (Checked(asked.arm, scenario, problem) for scenario in asked.every)
