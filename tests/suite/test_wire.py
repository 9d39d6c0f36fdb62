"""Requests and environments that cannot be sent are errors of the definition."""

from __future__ import annotations

import pytest

from harness.suite import Ask
from harness.suite.wire import env_problems, request_problems


@pytest.mark.parametrize(
    "request_",
    [
        Ask(path="/"),
        Ask(path="/items/42?q=lamp&limit=5"),
        Ask(path='/search?filter={"a":[1,2]}'),
        Ask(path="/caf%C3%A9"),
        Ask(method="PROPFIND", path="/x", headers={"Authorization": "Bearer open-sesame", "X-Name": "José\tB"}),
        Ask(method="POST", path="/form", headers={"X-Empty": ""}, body="name=José"),
    ],
)
def test_a_request_that_http_allows_has_no_problem(request_: Ask) -> None:
    """A body may hold anything, a header value what Latin-1 has."""
    assert list(request_problems(request_)) == []


@pytest.mark.parametrize(
    ("request_", "problem"),
    [
        (Ask(path="/ü"), "request.path: 'ü' cannot stand in it; write %C3%BC"),
        (Ask(path="/a b"), "request.path: ' ' cannot stand in it; write %20"),
        (Ask(path="/a\r\nX-Evil: 1"), "request.path: '\\r' cannot stand in it; write %0D"),
        (Ask(path="json"), "request.path: 'json' must begin with /"),
        (Ask(path=""), "request.path: '' must begin with /"),
        (Ask(path="/", method=""), "request.method: '' is no HTTP method"),
        (Ask(path="/", method="GE T"), "request.method: 'GE T' is no HTTP method"),
        (Ask(path="/", headers={"X Name": "1"}), "request.headers.'X Name': no name that HTTP allows"),
        (Ask(path="/", headers={"X-Ü": "1"}), "request.headers.'X-Ü': no name that HTTP allows"),
        (Ask(path="/", headers={"": "1"}), "request.headers.'': no name that HTTP allows"),
        (Ask(path="/", headers={"X-A": "1\nX-B: 2"}), "request.headers.'X-A': '\\n' cannot stand in its value"),
        (Ask(path="/", headers={"X-A": "5 €"}), "request.headers.'X-A': '€' cannot stand in its value"),
        (Ask(path="/", headers={"X-A": "\x00"}), "request.headers.'X-A': '\\x00' cannot stand in its value"),
    ],
)
def test_a_request_that_http_does_not_allow_is_reported_by_key(request_: Ask, problem: str) -> None:
    """With the character that is wrong, and how it is written instead where there is a way."""
    assert list(request_problems(request_)) == [problem]


def test_every_problem_of_a_request_is_reported() -> None:
    """Not only the first."""
    request = Ask(method="", path="json", headers={"A B": "\n"})
    assert [problem.split(":")[0] for problem in request_problems(request)] == [
        "request.method",
        "request.path",
        "request.headers.'A B'",
        "request.headers.'A B'",
    ]


@pytest.mark.parametrize(
    ("env", "problems"),
    [
        ({"SHOP_ORM": "async", "NAME": "José = x"}, []),
        ({"A": "1\x002"}, ["env.'A': its value holds a NUL character"]),
        ({"A=B": "1"}, ["env.'A=B': a name may not be empty, or hold = or NUL"]),
        ({"": "1"}, ["env.'': a name may not be empty, or hold = or NUL"]),
        ({"A\x00": "1"}, ["env.'A\\x00': a name may not be empty, or hold = or NUL"]),
    ],
)
def test_an_environment_holds_what_a_process_can_be_given(env: dict[str, str], problems: list[str]) -> None:
    """NUL ends a string there, and = ends a name."""
    assert list(env_problems(env)) == problems
