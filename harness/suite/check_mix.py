"""Checks of what a scenario asks: that HTTP allows it, and that something fills each placeholder of a mix."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence

from harness.errors import DefinitionError
from harness.suite import data
from harness.suite.mix import TOKEN, Prepared, placeholders, prepared, texts
from harness.suite.subjects import Scenario
from harness.suite.wire import request_problems

MOST_PREPARED = 2_000
"""Requests that a mix may come to: each is asked twice before it is measured."""


def problems(scenario: Scenario) -> Iterator[str]:
    """What is wrong with the requests of a scenario, each with its key."""
    if not scenario.mix:
        yield from _problems_of_one(scenario)
        return
    if scenario.expect is not None:
        yield "expect: each [[request]] of a mix has its own"
    if scenario.upstream_calls:
        yield "upstream_calls: how often a mix calls the slow API is not known; leave it out"
    if scenario.login is not None:
        yield from (problem.replace("request.", "login.", 1) for problem in request_problems(scenario.login))
    names = [each.name for each in scenario.mix]
    yield from (
        f"request[{number}].name: {name!r} is defined twice"
        for number, name in enumerate(names)
        if name in names[:number]
    )
    yield from _problems_of_filling(scenario)


def _problems_of_one(scenario: Scenario) -> Iterator[str]:
    if scenario.request is None:
        yield "request: Field required: a table, or an array of tables for a mix"
    else:
        yield from request_problems(scenario.request)
    if scenario.expect is None:
        yield "expect: Field required"
    for key in ("login", "data"):
        if getattr(scenario, key):
            yield f"{key}: is for a mix: write the request as an array, [[request]] or [[scenario.request]]"


def _problems_of_filling(scenario: Scenario) -> Iterator[str]:
    try:
        columns = list(data.rows(scenario.data)[0].values) if scenario.data else []
    except DefinitionError as error:
        yield from (f"data: {problem}" for problem in error.problems)
        return
    if scenario.login is not None and TOKEN in columns:
        yield "data: its column token is called like the login's {token}: rename it"
    if unknown := list(_unknown(scenario, columns)):
        yield from unknown
        return
    try:
        every = prepared(scenario)
    except DefinitionError as error:
        yield from error.problems
        return
    yield from _problems_of_prepared(every)


def _problems_of_prepared(every: Sequence[Prepared]) -> Iterator[str]:
    """What HTTP does not allow, once for each request of the mix: it may be in the data."""
    if len(every) > MOST_PREPARED:
        yield f"data_rows: these are {len(every)} different requests, at most {MOST_PREPARED} can be: take fewer rows"
        return
    wrong: dict[int, str] = {}
    for each in every:
        for problem in request_problems(each.ask):
            wrong.setdefault(each.number, problem)
    yield from (problem.replace("request.", f"request[{number}].", 1) for number, problem in wrong.items())


def _unknown(scenario: Scenario, columns: Sequence[str]) -> Iterator[str]:
    """Placeholders that nothing fills."""
    with_token = [*columns, *([TOKEN] if scenario.login else [])]
    for number, each in enumerate(scenario.mix):
        for key, text in texts(each):
            known = columns if key.startswith("expect.") else with_token
            for name in placeholders(text):
                if name not in known:
                    yield f"request[{number}].{key}: {_why_unknown(name, known, scenario)}"


def _why_unknown(name: str, known: Sequence[str], scenario: Scenario) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    if near:
        return f"unknown placeholder {{{name}}}; did you mean {{{near[0]}}}?"
    if name == TOKEN and scenario.login is None:
        return "unknown placeholder {token}: it needs a `login`"
    where = f"{scenario.data} has no such column" if scenario.data else "there is no `data`"
    listed = f"; known: {', '.join(f'{{{each}}}' for each in known)}" if known else ""
    return f"unknown placeholder {{{name}}}: {where}{listed}. To send it as it is, write {{{{{name}}}}}"
