"""A mix: placeholders and what fills them, and bad input, which is named by file and key."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import DefinitionError
from harness.suite import Ask, Expect, Scenario, Weighted, build, data, load_suite, prepared
from harness.suite.layout import Options
from harness.suite.mix import _writing_of
from harness.suite.secrets import masked, of_plan
from tests.suite.mix_support import read, written


def test_a_mix_is_prepared_for_each_row_and_each_value_is_written_as_its_place_needs_it(tmp_path: Path) -> None:
    """%XX in a path, escapes in JSON, a number where the value itself is asked for; braces can be kept."""
    asked = prepared(read(tmp_path), token="abc")
    assert [each.number for each in asked] == [0, 0, 1, 1, 2]
    assert [each.ask.path for each in asked] == [
        "/people/7?city=K%C3%B6ln%20%26%20Bonn",
        "/people/42?city=Rome",
        "/people",
        "/people",
        "/front?as={id}",
    ]
    assert asked[0].expect == Expect(
        json={"id": 7, "name": "Ada", "cities": ["Köln & Bonn"]}, headers={"X-Id": "7"}, status=200
    )
    assert json.loads(asked[3].ask.body) == {"name": 'O\'Neil, "Tip"', "id": 42}
    assert asked[3].ask.headers["Authorization"] == "Bearer abc"
    assert asked[3].expect.contains == 'O\'Neil, "Tip"'
    assert asked[4].expect.status == 204


def test_json_lines_have_values_of_their_own_type(tmp_path: Path) -> None:
    """As text where text is asked for."""
    rows = '{"id": 7, "name": "Ada", "city": ["a", true]}\n\n{"id": 8, "name": "8", "city": null, "more": 1}\n'
    first, second, *_ = prepared(
        read(tmp_path, ("people.csv", "people.jsonl"), ('["{city}"]', '"{city:json}"'), data=rows, name="people.jsonl")
    )
    assert first.expect.json == {"id": 7, "name": "Ada", "cities": ["a", True]}
    assert second.expect.json == {"id": 8, "name": "8", "cities": None}
    assert first.ask.path == "/people/7?city=%5B%22a%22%2Ctrue%5D"


def test_a_single_request_is_prepared_as_it_is_written() -> None:
    """Braces in it mean nothing."""
    asked = Ask(path="/items/{id}", body="{token}")
    (only,) = prepared(Scenario(name="one", about="", request=asked, expect=Expect(contains="{x}")), token="abc")
    assert (only.ask.path, only.ask.body, only.expect.contains) == ("/items/{id}", "{token}", "{x}")


def test_of_a_longer_file_rows_are_taken_evenly() -> None:
    """As many as are asked for."""
    rows = [data.Row(line, {}) for line in range(10)]
    assert [row.line for row in data.chosen(rows, 4)] == [0, 2, 5, 7]
    assert data.chosen(rows, 100) == rows


@given(st.text())
def test_any_text_arrives_in_a_json_body_as_it_was(text: str) -> None:
    """Quotes, backslashes, control characters and half characters."""
    assert json.loads(f'"{_writing_of({"content-type": "application/json"})(text)}"') == text


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("/people/{id}", "/people/{idd}", "request[0].path: unknown placeholder {idd}; did you mean {id}?"),
        ("/people/{id}", "/people/{zip}", "request[0].path: unknown placeholder {zip}: "),
        ('"{name}", "id"', '"{zip}", "id"', "request[1].body: unknown placeholder {zip}: "),
        ('X-Id = "{id}"', 'X-Id = "{token}"', "request[0].expect.headers.X-Id: unknown placeholder {token}"),
        ("login =", "# login =", "request[1].headers.Authorization: unknown placeholder {token}: it needs a `login`"),
        ("weight = 5", "weight = 0", "request[0].weight: Input should be greater than or equal to 1"),
        ("weight = 5", "weight = 1.5", "request[0].weight: Input should be a valid integer"),
        ('name = "write"', 'name = "read"', "request[1].name: 'read' is defined twice"),
        ('path = "/people"', 'path = "people"', "request[1].path: 'people' must begin with /"),
        ("expect = { status = 204 }", "", "request[2].expect: Field required"),
        ("about =", "upstream_calls = 1\nabout =", "upstream_calls: how often a mix calls the slow API is not known"),
        ('{ path = "/login"', '{ path = "login"', "login.path: 'login' must begin with /"),
        (
            '{id:json}"',
            '{name:json}"',
            "request[0]: {name:json} has a value that is no JSON, 'Ada', in the row of line 2",
        ),
        ("about =", "data_rows = 0\nabout =", "data_rows: Input should be greater than or equal to 1"),
        ("Bearer {token}", "Bearer {city}", "request[1].headers.'Authorization': 'ş' cannot stand in its value"),
    ],
)
def test_a_mix_that_cannot_be_is_refused_by_key(tmp_path: Path, old: str, new: str, problem: str) -> None:
    """With the name of the file, and what to do where that is not plain."""
    people = "id,name,city\n7,Ada,Gümüş\n"
    with pytest.raises(DefinitionError) as caught:
        read(tmp_path, (old, new), data=people)
    assert f"{tmp_path / 'mine.toml'}: scenario[0].{problem}" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("people.csv", "", "holds no row: add one, or leave out `data`"),
        ("people.csv", "id,name,city\n\n", "holds no row"),
        ("people.csv", "id,name,city\n7,Ada\n", "people.csv:2: 2 values, but the first line names 3 columns"),
        ("people.csv", 'id,name,city\n7,"Ada,Rome\n', "is not CSV: unexpected end of data"),
        ("people.csv", "id,name,name\n7,Ada,Rome\n", "people.csv:1: names a column twice"),
        ("people.csv", "id,first name,city\n7,Ada,Rome\n", "column 'first name': call it by letters, digits and _"),
        ("people.csv", b"id,name,city\n7,\xff,Rome\n", "is not UTF-8: invalid start byte at byte 15; save it as UTF-8"),
        ("people.csv", "id,name,city,token\n7,Ada,Rome,x\n", "its column token is called like the login's {token}"),
        ("people.jsonl", '{"id": 7}\n7\n', "people.jsonl:2: is no object"),
        ("people.jsonl", '{"id": 7}\n{"id": 8\n', "people.jsonl:2: is not JSON"),
        (
            "people.jsonl",
            '{"id": 7, "name": "Ada"}\n{"id": 8}\n',
            "people.jsonl:2: lacks name, which the first row has",
        ),
        ("people.txt", "id\n7\n", "must be a .csv or a .jsonl file"),
    ],
)
def test_a_data_file_that_cannot_be_used_is_refused_by_name(
    tmp_path: Path, name: str, content: str | bytes, problem: str
) -> None:
    """With the line where there is one."""
    with pytest.raises(DefinitionError) as caught:
        read(tmp_path, ("people.csv", name), data=content, name=name)
    assert f"{tmp_path / 'mine.toml'}: scenario[0].data: " in str(caught.value)
    assert problem in str(caught.value)


def test_a_value_that_no_request_can_hold_is_refused(tmp_path: Path) -> None:
    """Half a character, which JSON can write."""
    rows = '{"id": 7, "name": "\\ud800", "city": "\\ud800"}\n'
    with pytest.raises(DefinitionError, match=r"request\[0\]: .*surrogates not allowed, in the row of line 1"):
        read(tmp_path, ("people.csv", "people.jsonl"), data=rows, name="people.jsonl")


def test_a_data_file_that_is_not_there_or_is_none_is_refused_by_name(tmp_path: Path) -> None:
    """A folder is none."""
    (tmp_path / "folder.csv").mkdir()
    for name in ("nowhere.csv", "folder.csv"):
        with pytest.raises(DefinitionError, match=rf"scenario\[0\]\.data: .*{name}: is no file"):
            read(tmp_path, ("people.csv", name))


def test_more_requests_than_can_be_asked_are_refused(tmp_path: Path) -> None:
    """Each is asked twice in every block."""
    rows = "id,name,city\n" + "".join(f"{number},Ada,Rome\n" for number in range(1200))
    with pytest.raises(DefinitionError, match="data_rows: these are 2001 different requests, at most 2000 can be"):
        read(tmp_path, ("about =", "data_rows = 1000\nabout ="), data=rows)


def test_login_and_data_are_for_a_mix(tmp_path: Path) -> None:
    """A single request is sent as it is written; and a scenario asks something."""
    file = tmp_path / "one.toml"
    file.write_text('[[scenario]]\nname = "one"\nabout = ""\ndata = "x.csv"\nexpect = {}\n[[pair]]\nscenario = "one"\n')
    with pytest.raises(DefinitionError) as caught:
        load_suite(str(file))
    assert "scenario[0].data: is for a mix: write the request as an array" in str(caught.value)
    assert "scenario[0].request: Field required: a table, or an array of tables for a mix" in str(caught.value)


def test_a_record_has_no_secret_of_a_mix_and_keeps_its_placeholders(tmp_path: Path) -> None:
    """`Bearer {token}` is none; the login's password is, and a fixed token."""
    file = written(tmp_path, ('"/front?as={{id}}"', '"/front"\nheaders = { Authorization = "Bearer fixed-one" }'))
    plan = build(*load_suite(str(file)), Options(seed=1))
    kept = masked(plan).groups[0].arms[0].scenario
    assert kept.login is not None
    assert kept.login.body == '{"user": "ada", "password": "***"}'
    assert kept.mix[1].headers["Authorization"] == "Bearer {token}"
    assert kept.mix[2].headers["Authorization"] == "***"
    assert of_plan(plan).keys() == {
        "scenario mine: login.body",
        "scenario mine: request[2].headers.Authorization",
    }


def test_the_requests_of_a_scenario_are_those_of_its_mix_or_the_one(tmp_path: Path) -> None:
    """Whoever goes through them needs not know which."""
    assert [each.name for each in read(tmp_path).requests] == ["read", "write", "plain"]
    one = Scenario(name="one", about="", request=Ask(method="PUT", path="/x"), expect=Expect(status=204))
    assert one.requests == (Weighted(name="PUT /x", method="PUT", path="/x", expect=Expect(status=204)),)
