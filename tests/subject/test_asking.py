"""A login before the requests of a mix, whose token they carry."""

from __future__ import annotations

import json
from typing import Any

import pytest

from harness import masking
from harness.errors import AnswerError
from harness.subject import asking
from harness.suite import Expect, Login, Scenario, Weighted
from tests.subject.subject_support import HOST, Hello, greeter

TOKEN = "secret-of-the-house"


class Door(Hello):
    """Gives a token for the right body, and greets who brings it."""

    def do_POST(self) -> None:  # noqa: N802 - its caller says so
        """Log in."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        answers = {
            "/login": {"data": {"token": TOKEN}},
            "/number": {"data": {"token": 7}},
            "/list": [TOKEN],
        }
        self.answer(200 if body == b"right" else 403, json.dumps(answers[self.path]).encode())

    def do_GET(self) -> None:  # noqa: N802 - its caller says so
        """Greet."""
        known = self.headers.get("Authorization") == f"Bearer {TOKEN}"
        self.answer(200 if known or self.path == "/free" else 401, b"hello")

    def answer(self, status: int, body: bytes) -> None:
        """Send an answer."""
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def scenario(**login: str) -> Scenario:
    """Two requests, one of which needs the token."""
    given: dict[str, Any] = {"path": "/login", "body": "right", "token": "data.token"} | login
    return Scenario(
        name="door",
        about="",
        login=Login(**given),
        mix=(
            Weighted(name="free", path="/free", expect=Expect(contains="hello")),
            Weighted(name="mine", path="/mine", headers={"Authorization": "Bearer {token}"}, expect=Expect()),
        ),
    )


def test_later_requests_carry_the_token_of_the_login() -> None:
    """Which is masked from then on."""
    with greeter(Door) as port:
        asked = asking.requests_of(scenario(), HOST, port)
        asking.check(HOST, port, scenario())
    assert [each.ask.headers for each in asked] == [{}, {"Authorization": f"Bearer {TOKEN}"}]
    assert TOKEN not in masking.plain(f"the server said {TOKEN}")


@pytest.mark.parametrize(
    ("login", "said"),
    [
        ({"body": "wrong"}, "login, POST /login: status 403, a success was expected"),
        (
            {"token": "access_token"},
            "login, POST /login: its answer has no text under 'access_token', which `token` names",
        ),
        ({"path": "/number"}, "its answer has no text under 'data.token'"),
        ({"path": "/list"}, "its answer has no text under 'data.token'"),
        ({"path": "/free", "method": "GET"}, "its answer has no text under 'data.token'"),
    ],
)
def test_a_login_without_a_token_says_why(login: dict[str, str], said: str) -> None:
    """By its request and its key."""
    with greeter(Door) as port, pytest.raises(AnswerError) as caught:
        asking.requests_of(scenario(**login), HOST, port)
    assert said in str(caught.value)


def test_a_login_that_nobody_answers_says_so() -> None:
    """As any other request."""
    with greeter(Door) as port:
        pass
    with pytest.raises(AnswerError, match="login, POST /login: no answer"):
        asking.requests_of(scenario(), HOST, port)


def test_a_wrong_answer_to_one_of_the_requests_is_found() -> None:
    """And named."""
    wrong = Scenario(name="door", about="", mix=(Weighted(name="mine", path="/mine", expect=Expect()),))
    with greeter(Door) as port, pytest.raises(AnswerError, match="GET /mine: status 401, expected 200"):
        asking.check(HOST, port, wrong)
