"""Where secrets may stand in a plan, and the plan with a mask in their places."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeAlias, TypeVar

from harness import masking
from harness.suite.mix import PLACEHOLDER
from harness.suite.model import Definitions
from harness.suite.plan import Arm, Group, Plan
from harness.suite.subjects import Ask, Expect, Login, Scenario, Server, Target, Weighted

Change: TypeAlias = Callable[[str, str, str], str]
"""Place, key and text -> the text that is to stand there."""
Definition: TypeAlias = Server | Target | Scenario
A = TypeVar("A", Ask, Weighted, Login)

_BARE = re.compile(r"(?:(?:basic|bearer|digest|token|apikey)\s+|[\w-]+=)?\s*", re.IGNORECASE)
"""What may stand around the placeholder of a secret: the scheme of an Authorization, the name of a cookie."""


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

    def group(given: Group) -> Group:
        neighbour = _changed_scenario(given.neighbour, change) if given.neighbour else None
        return replace(given, arms=tuple(map(arm, given.arms)), neighbour=neighbour)

    return replace(plan, groups=tuple(map(group, plan.groups)))


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
    place, filling = f"scenario {scenario.name}: ", _around_placeholders(change)

    def expected(key: str, expect: Expect, change: Change) -> Expect:
        return replace(expect, headers=_table(f"{place}{key}.headers", expect.headers, change))

    def weighted(number: int, each: Weighted) -> Weighted:
        key = f"request[{number}]"
        return replace(
            _changed_ask(f"{place}{key}", each, filling), expect=expected(f"{key}.expect", each.expect, filling)
        )

    return replace(
        scenario,
        request=scenario.request and _changed_ask(f"{place}request", scenario.request, change),
        expect=scenario.expect and expected("expect", scenario.expect, change),
        mix=tuple(weighted(number, each) for number, each in enumerate(scenario.mix)),
        login=scenario.login and _changed_ask(f"{place}login", scenario.login, change),
    )


def _changed_ask(place: str, request: A, change: Change) -> A:
    return replace(
        request,
        headers=_table(f"{place}.headers", request.headers, change),
        path=change(f"{place}.path", "", request.path),
        body=change(f"{place}.body", "", request.body),
    )


def _around_placeholders(change: Change) -> Change:
    """As `change`, for text with placeholders: these are no secrets, though `Bearer {token}` looks like one."""

    def changed(place: str, key: str, text: str) -> str:
        rest = PLACEHOLDER.sub("", text)
        harmless = masking.mask(rest) == rest and (not masking.is_secret(key) or _BARE.fullmatch(rest) is not None)
        return text if rest != text and harmless else change(place, key, text)

    return changed


def _table(place: str, table: Mapping[str, str], change: Change) -> dict[str, str]:
    return {key: change(f"{place}.{key}", key, text) for key, text in table.items()}
