"""The requests of a scenario as they are sent: those of a mix once for each row of its data.

A placeholder `{column}` is filled with the row's value as text, and `{token}` with what the login gave. The text is
written as its place needs it: %XX in a path and in a form, escaped in a JSON body, as it is elsewhere. `{column:json}`
is the value itself, such as 42, true or a list; a text is read as JSON for that. `{{column}}` stands for `{column}`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias
from urllib.parse import quote, quote_plus

from harness import masking
from harness.errors import DefinitionError
from harness.suite import data
from harness.suite.subjects import Ask, Expect, Scenario, Weighted

TOKEN = "token"  # noqa: S105 - the name of a placeholder
PLACEHOLDER = re.compile(
    r"\{\{(?P<kept>[A-Za-z_]\w*(?::json)?)\}\}|\{(?P<name>[A-Za-z_]\w*)(?P<json>:json)?\}", re.ASCII
)
Writing: TypeAlias = Callable[[str], str]
"""How a text is written in its place."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request as it is sent, and what its answer must be."""

    number: int
    """Of the request in `Scenario.requests`."""
    ask: Ask
    expect: Expect


def prepared(scenario: Scenario, token: str | None = None) -> tuple[Prepared, ...]:
    """All that a scenario asks, in the order of its requests; without `token` its placeholder stays.

    Raises `DefinitionError` where the data cannot be read, or are not what a placeholder needs.
    """
    if not scenario.mix:
        return tuple(Prepared(number, each, each.expect) for number, each in enumerate(scenario.requests))
    rows = data.chosen(data.rows(scenario.data), scenario.data_rows) if scenario.data else []
    _learn(rows)
    given: dict[str, str] = {} if token is None else {TOKEN: token}
    return tuple(
        _filled(number, each, row, given)
        for number, each in enumerate(scenario.mix)
        for row in (rows if _names(each) - {TOKEN} else [data.Row(0, {})])
    )


def texts(each: Weighted) -> Iterator[tuple[str, str]]:
    """Every text of a request that may hold placeholders, by its key."""
    expect = each.expect
    yield "path", each.path
    yield "body", each.body
    yield from ((f"headers.{name}", text) for name, text in each.headers.items())
    yield from ((f"expect.headers.{name}", text) for name, text in expect.headers.items())
    for key in ("contains", "sha256", "sha256_json"):
        if text := getattr(expect, key):
            yield f"expect.{key}", text
    yield from (("expect.json", text) for text in _texts_in(expect.json))


def _texts_in(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _texts_in(each)


def placeholders(text: str) -> Iterator[str]:
    """The names that are to be filled in a text."""
    return (found["name"] for found in PLACEHOLDER.finditer(text) if found["name"])


def _names(each: Weighted) -> set[str]:
    return {name for _, text in texts(each) for name in placeholders(text)}


def _learn(rows: Sequence[data.Row]) -> None:
    """Have the values of columns that are called like secrets masked wherever they turn up."""
    for row in rows:
        for column, value in row.values.items():
            if masking.is_secret(column):
                masking.learn(_plain(value), column)


def _filled(number: int, each: Weighted, row: data.Row, given: dict[str, str]) -> Prepared:
    values = row.values | given
    expect = each.expect

    def fill(text: str, writing: Writing = str) -> str:
        return PLACEHOLDER.sub(lambda found: _value(found, values, writing), text)

    try:
        ask = Ask(
            method=each.method,
            path=fill(each.path, lambda text: quote(text, safe="")),
            headers={name: fill(text) for name, text in each.headers.items()},
            body=fill(each.body, _writing_of(each.headers)),
        )
        return Prepared(
            number,
            ask,
            replace(
                expect,
                json=_filled_json(expect.json, values, fill),
                sha256_json=expect.sha256_json and fill(expect.sha256_json),
                sha256=expect.sha256 and fill(expect.sha256),
                contains=expect.contains and fill(expect.contains),
                headers={name: fill(text) for name, text in expect.headers.items()},
            ),
        )
    except (_NoJsonError, UnicodeEncodeError) as error:  # half a character, which JSON can write
        raise DefinitionError([f"request[{number}]: {error}, in the row of line {row.line} of the data"]) from error


class _NoJsonError(Exception):
    """A text that is to be read as JSON is none."""


def _value(found: re.Match[str], values: Mapping[str, Any], writing: Writing) -> str:
    if found["kept"]:
        return f"{{{found['kept']}}}"
    if found["name"] not in values:
        return found[0]
    value = values[found["name"]]
    if found["json"]:
        return _dumped(_of_json(found["name"], value))
    return writing(_plain(value))


def _filled_json(expected: Any, values: Mapping[str, Any], fill: Writing) -> Any:
    """An expected JSON value: a text that is just `{name:json}` becomes the value, any other text is filled."""
    if isinstance(expected, dict):
        return {key: _filled_json(value, values, fill) for key, value in expected.items()}
    if isinstance(expected, list):
        return [_filled_json(value, values, fill) for value in expected]
    if not isinstance(expected, str):
        return expected
    whole = PLACEHOLDER.fullmatch(expected)
    if whole and whole["json"] and whole["name"] in values:
        return _of_json(whole["name"], values[whole["name"]])
    return fill(expected)


def _of_json(name: str, value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError) as error:
        raise _NoJsonError(f"{{{name}:json}} has a value that is no JSON, {value[:50]!r}") from error


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else _dumped(value)


def _dumped(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _writing_of(headers: Mapping[str, str]) -> Writing:
    """How a text is written in a body of that type."""
    kind = next((text.lower() for name, text in headers.items() if name.lower() == "content-type"), "")
    if "json" in kind:
        return lambda text: _dumped(text)[1:-1]
    return quote_plus if kind.startswith("application/x-www-form-urlencoded") else str
