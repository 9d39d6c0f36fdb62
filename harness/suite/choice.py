"""An arm that is chosen by names on a command line, not by a pair of a suite."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from harness.errors import UsageError
from harness.spec.loads import Load
from harness.suite.check import unserved
from harness.suite.factors import Factor
from harness.suite.layout import cell, single
from harness.suite.model import Definitions
from harness.suite.plan import Arm
from harness.suite.subjects import Level, Scenario, Server, Target


def known(option: str, name: str, names: Iterable[str]) -> str:
    """`name`, where it is one of `names`; else raises `UsageError`, which lists them."""
    listed = list(names)
    if name not in listed:
        raise UsageError(f"{option} {name}: unknown; one of {', '.join(listed)}")
    return name


def fitting(definitions: Definitions, target: str, server: str) -> tuple[Target, Server]:
    """The target and the server of these names; raises `UsageError` where their interfaces differ."""
    application = definitions.targets[known("--target", target, definitions.targets)]
    process = definitions.servers[known("--server", server, definitions.servers)]
    if application.interface != process.interface:
        raise UsageError(f"--server {server} serves {process.interface}, {target} is {application.interface}")
    if not process.serves(application):
        raise UsageError(f"--server {server}: {unserved(application, process)}")
    return application, process


def arm_of(
    definitions: Definitions,
    name: str,
    target: Target,
    server: Server,
    scenario: Scenario,
    *,
    levels: Mapping[str, Level],
    loads: tuple[Load, ...],
) -> Arm:
    """The arm `name` at those levels; factors that `levels` does not name stand at their defaults."""
    return single(definitions, name, cell(definitions, target, server, scenario, levels), loads)


def with_every_factor(scenario: Scenario, definitions: Definitions) -> Scenario:
    """The scenario, listing all factors: each may then be set of a target that is served and not measured."""
    return replace(scenario, factors=tuple(definitions.factors))


def stated_levels(texts: Iterable[str], definitions: Definitions, target: Target, server: Server) -> dict[str, Level]:
    """Levels from texts such as `client=httpx`; raises `UsageError`, which names the possible ones."""
    levels: dict[str, Level] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise UsageError(f"--set {text}: write NAME=LEVEL, such as cache=redis")
        factor = definitions.factors[known("--set", name, definitions.factors)]
        levels[name] = _level(factor, value, target, server)
    return levels


def _level(factor: Factor, value: str, target: Target, server: Server) -> Level:
    if factor.is_count:
        if not value.isdecimal() or int(value) < 1:
            raise UsageError(f"--set {factor.name}={value}: a whole number from 1 on")
        return int(value)
    levels = {str(level): level for level in factor.levels_of(target, server)}
    if value not in levels:
        reason = (
            f"{target.name} on {server.name} has {', '.join(levels)}" if levels else f"{target.name} does not take it"
        )
        raise UsageError(f"--set {factor.name}={value}: {reason}")
    return levels[value]
