"""Checks of definitions against one another: whether what they name exists, and whether it fits."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from harness.suite import check_disturbance, check_mix
from harness.suite.factors import NONE, Factor
from harness.suite.model import PLACEHOLDERS, Definitions, Levels, PairDefinition, Side, Suite
from harness.suite.names import near, unknown
from harness.suite.pods import pods_problems
from harness.suite.running import check_running, running_side_problems
from harness.suite.subjects import REQUESTS, Ask, Level, Scenario, Server, Target
from harness.suite.wire import command_problems, env_problems, request_problems


def check_server(server: Server, factors: Mapping[str, Factor]) -> Iterator[str]:
    """Its argv has only known placeholders (`PLACEHOLDERS`, and a factor's name), and those that it needs."""
    allowed = PLACEHOLDERS | {factor.placeholder for factor in factors.values()}
    for index, element in enumerate(server.argv):
        for name in re.findall(r"\{[^}]*\}", element):
            if name not in allowed:
                yield f"argv[{index}]: unknown placeholder {name}; known are {', '.join(sorted(allowed))}"
    if server.recycle is not None and REQUESTS not in " ".join(server.recycle.argv):
        yield f"recycle.argv: must contain {REQUESTS}, in whose place comes their number"
    yield from env_problems(server.env)
    text = " ".join(server.argv)
    needed = ["{port}", "{app}", *(["{threads}"] if server.slots == "threads" else [])]
    yield from (f"argv: must contain {name}" for name in needed if name not in text)
    if "{factory}" in text and "{factory}" not in server.argv:
        yield "argv: {factory} must be an element of its own"
    if server.factory and "{factory}" not in server.argv:
        yield "factory: its arguments have no place: add an element {factory} to argv"
    if not isinstance(server.tls, bool):
        yield from _stray_levels("tls", server.tls, factors)


def check_target(target: Target, known: Definitions) -> Iterator[str]:
    """The levels and the bridge that it states exist, and processes can be given its environment and its commands."""
    factors = known.factors
    yield from _check_bridge(target, known)
    yield from check_running(target)
    yield from env_problems(target.env)
    yield from command_problems("setup", target.setup)
    yield from command_problems("teardown", target.teardown)
    if target.ready_path:
        yield from (
            problem.replace("request.path", "ready_path") for problem in request_problems(Ask(path=target.ready_path))
        )
    yield from _stray_levels("levels", target.levels, factors)


def _stray_levels(key: str, stated: Mapping[str, Iterable[Level]], factors: Mapping[str, Factor]) -> Iterator[str]:
    """Factors under `key` that do not exist, and levels that these do not have."""
    for name, levels in stated.items():
        if name not in factors:
            yield f"{key}.{name}: {unknown('factor', name, factors)}"
        else:
            yield from (
                f"{key}.{name}: {_not_among(name, level, factors[name])}"
                for level in levels
                if not _is_level(level, factors[name])
            )


def _check_bridge(target: Target, known: Definitions) -> Iterator[str]:
    """A bridge is there, and its target is served as what the bridge makes of it."""
    if not target.bridge:
        return
    yield from _reference("bridge", target.bridge, known.bridges)
    if target.interface != "asgi":
        yield f"interface: bridge {target.bridge} makes a WSGI app one of ASGI: write asgi, as what it is served"
    if target.handler != "threadpool":
        yield f"handler: bridge {target.bridge} runs the app in a pool of threads: write threadpool"
    if target.is_factory and not target.app.endswith("()"):
        yield f"app: a bridge calls a factory without arguments only, and this is {target.app}"


def check_scenario(scenario: Scenario, definitions: Definitions) -> Iterator[str]:
    """HTTP allows its requests, something fills their placeholders, and the factors that it varies exist."""
    yield from check_mix.problems(scenario)
    yield from (
        f"factors: {unknown('factor', name, definitions.factors)}"
        for name in scenario.factors
        if name not in definitions.factors
    )


def check_factor(factor: Factor, definitions: Definitions) -> Iterator[str]:
    """The targets that it names exist, and something passes its level to a target or a server."""
    yield from (
        f"targets.{name}: {unknown('target', name, definitions.targets)}"
        for name in factor.targets
        if name not in definitions.targets
    )
    in_argv = any(factor.placeholder in " ".join(server.argv) for server in definitions.servers.values())
    if not (factor.env or factor.is_count or in_argv):
        yield f"env: no target or server gets {factor.name}: state env, or put {factor.placeholder} into an argv"


def check_suite(suite: Suite, definitions: Definitions) -> Iterator[str]:
    """Every pair names what exists, and each of its settings is possible there."""
    if not suite.pairs:
        yield "pair: a suite needs at least one [[pair]]"
    if not suite.phases:
        yield "phases: at least one of closed, open"
    yield from suite.machines.problems()
    for index, pair in enumerate(suite.pairs):
        yield from (f"pair[{index}].{problem}" for problem in _check_pair(pair, definitions))


def _check_pair(pair: PairDefinition, definitions: Definitions) -> Iterator[str]:
    yield from _reference("scenario", pair.scenario, definitions.scenarios)
    yield from _check_keys(pair.levels, "pair", definitions)
    yield from check_disturbance.problems(pair, definitions)
    if pair.scenario in definitions.scenarios:
        yield from _check_varied(pair, definitions)
    for letter, side in (("a", pair.a), ("b", pair.b)):
        yield from (f"{letter}.{problem}" for problem in _check_side(side, pair, definitions))


def _check_keys(levels: Levels, place: str, definitions: Definitions) -> Iterator[str]:
    """Each key is a factor that is stated at this place (`pair` or `side`), and its value is one of its levels."""
    for name, level in levels:
        factor = definitions.factors.get(name)
        if factor is None:
            yield f"{name}: unknown key{near(name, definitions.factors)}"
        elif factor.on != place:
            right_place = "on the pair" if factor.on == "pair" else "on a side: a = { ... }, b = { ... }"
            yield f"{name}: stands {right_place}"
        elif not _is_level(level, factor):
            yield f"{name}: {_not_among(name, level, factor)}"


def _check_varied(pair: PairDefinition, definitions: Definitions) -> Iterator[str]:
    """A factor that applies by scenario is stated only where the scenario lists it."""
    scenario = definitions.scenarios[pair.scenario]
    for place, levels in (("", pair.levels), ("a.", pair.a.levels), ("b.", pair.b.levels)):
        for name, level in levels:
            factor = definitions.factors.get(name)
            if factor and factor.by_scenario and name not in scenario.factors and level != NONE:
                yield f"{place}{name}: scenario {scenario.name} does not vary it: add it to the scenario's `factors`"


def _check_side(side: Side, pair: PairDefinition, definitions: Definitions) -> Iterator[str]:
    yield from _reference("target", side.target, definitions.targets)
    yield from _reference("server", side.server, definitions.servers)
    yield from _check_keys(side.levels, "side", definitions)
    target, server = definitions.targets.get(side.target), definitions.servers.get(side.server)
    if target is None or server is None:
        return
    if target.interface != server.interface:
        yield f"server: {server.name} serves {server.interface}, {target.name} is {target.interface}"
    if not server.serves(target):
        yield f"server: {unserved(target, server)}"
    if target.url:
        yield from running_side_problems(target, side, pair, definitions)
    yield from pods_problems(side, pair, definitions)
    levels = dict(pair.levels + side.levels)
    if _count(levels.get("workers")) > side.pods and not server.workers:
        yield f"server: {server.name} runs one worker process only; the pair asks for {levels['workers']}"
    if _count(levels.get("threads")) > 1 and definitions.serving(target, server).slots != "threads":
        yield f"threads: {server.name} has no threads to set"
    yield from _check_levels(side, target, server, definitions)


def unserved(target: Target, server: Server) -> str:
    """Why `server` cannot import the app of `target`, with the remedy."""
    if server.factory is None:
        return f"{server.name} calls no factory, and {target.name} is {target.app}: name the app that it makes"
    return f"{server.name} calls a factory without arguments only, and {target.name} is {target.app}"


def _check_levels(side: Side, target: Target, server: Server, definitions: Definitions) -> Iterator[str]:
    """The target or the server has the levels that the side states."""
    for name, level in side.levels:
        factor = definitions.factors.get(name)
        if factor is None or factor.is_count or not _is_level(level, factor):
            continue
        allowed = factor.levels_of(target, server)
        if not allowed:
            yield f"{name}: neither {target.name} nor {server.name} takes it"
        elif level not in allowed:
            yield f"{name}: {target.name} has {', '.join(map(str, allowed))}, not {level}"


def _is_level(level: Level, factor: Factor) -> bool:
    if factor.levels == "count":
        return isinstance(level, int) and level >= 1
    return level in factor.levels


def _not_among(name: str, level: Level, factor: Factor) -> str:
    if factor.levels == "count":
        return f"{level!r} is no number of {name}: write a whole number from 1 on"
    return f"{level!r} is no level of {name}; it has {', '.join(map(str, factor.levels))}"


def _count(level: Level | None) -> int:
    return level if isinstance(level, int) else 1


def _reference(key: str, name: str, names: Iterable[str]) -> Iterator[str]:
    if name not in names:
        yield f"{key}: {unknown(key, name, names)}"
