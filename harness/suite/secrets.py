"""Where secrets may stand in a plan, and the plan with a mask in their places."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeAlias

from harness import masking
from harness.suite.model import Definitions
from harness.suite.plan import Arm, Plan
from harness.suite.subjects import Scenario, Server, Target

Change: TypeAlias = Callable[[str, str, str], str]
"""Place, key and text -> the text that is to stand there."""
Definition: TypeAlias = Server | Target | Scenario


def masked(plan: Plan) -> Plan:
    """The plan as it may be recorded."""
    return _changed_plan(plan, _mask)


def masked_server(server: Server) -> Server:
    """A server as it may be recorded."""
    return _changed_server(server, _mask)


def filled(plan: Plan, secrets: Mapping[str, str]) -> Plan:
    """The plan with what `secrets` has for a place."""
    return _changed_plan(plan, lambda place, _key, text: secrets.get(place, text))


def of_plan(plan: Plan) -> dict[str, str]:
    """Place -> text, of each text of a plan that is a secret or holds one."""
    found: dict[str, str] = {}
    _changed_plan(plan, _note(found))
    return found


def of_definitions(known: Definitions) -> dict[str, str]:
    """Place -> text, as `of_plan`, of all that may be measured."""
    found: dict[str, str] = {}
    every: list[Definition] = [*known.targets.values(), *known.servers.values(), *known.scenarios.values()]
    for built in every:
        _visit(built, _note(found))
    return found


def learn(built: Definition) -> None:
    """Have the secrets of a definition masked wherever they turn up."""

    def teach(_place: str, key: str, text: str) -> str:
        masking.learn(text, key)
        return text

    _visit(built, teach)


def _mask(_place: str, key: str, text: str) -> str:
    return masking.mask(text, key)


def _note(found: dict[str, str]) -> Change:
    def note(place: str, key: str, text: str) -> str:
        if masking.mask(text, key) != text:
            found[place] = text
        return text

    return note


def _changed_plan(plan: Plan, change: Change) -> Plan:
    def arm(given: Arm) -> Arm:
        return replace(
            given,
            target=_changed_target(given.target, change),
            server=_changed_server(given.server, change),
            scenario=_changed_scenario(given.scenario, change),
        )

    return replace(plan, groups=tuple(replace(group, arms=tuple(map(arm, group.arms))) for group in plan.groups))


def _visit(built: Definition, change: Change) -> None:
    """Show `change` each text of a definition that may hold a secret."""
    if isinstance(built, Target):
        _changed_target(built, change)
    elif isinstance(built, Server):
        _changed_server(built, change)
    else:
        _changed_scenario(built, change)


def _changed_target(target: Target, change: Change) -> Target:
    place = f"target {target.family}: "

    def commands(key: str, given: tuple[tuple[str, ...], ...]) -> tuple[tuple[str, ...], ...]:
        return tuple(_argv(f"{place}{key}[{number}]", argv, change) for number, argv in enumerate(given))

    return replace(
        target,
        env=_table(f"{place}env", target.env, change),
        setup=commands("setup", target.setup),
        teardown=commands("teardown", target.teardown),
    )


def _changed_server(server: Server, change: Change) -> Server:
    place = f"server {server.name}: "
    argv = _argv(f"{place}argv", server.argv, change)
    return replace(server, argv=argv, env=_table(f"{place}env", server.env, change))


def _argv(place: str, argv: tuple[str, ...], change: Change) -> tuple[str, ...]:
    # `--api-key KEY` as two elements: the option is the key of the element after it.
    options = ("", *(element if element.startswith("-") else "" for element in argv))
    return tuple(
        change(f"{place}[{index}]", "" if element.startswith(("-", "{")) else option, element)
        for index, (option, element) in enumerate(zip(options, argv, strict=False))
    )


def _changed_scenario(scenario: Scenario, change: Change) -> Scenario:
    place, request, expect = f"scenario {scenario.name}: ", scenario.request, scenario.expect
    asked = replace(
        request,
        headers=_table(f"{place}request.headers", request.headers, change),
        path=change(f"{place}request.path", "", request.path),
        body=change(f"{place}request.body", "", request.body),
    )
    expected = replace(expect, headers=_table(f"{place}expect.headers", expect.headers, change))
    return replace(scenario, request=asked, expect=expected)


def _table(place: str, table: Mapping[str, str], change: Change) -> dict[str, str]:
    return {key: change(f"{place}.{key}", key, text) for key, text in table.items()}
