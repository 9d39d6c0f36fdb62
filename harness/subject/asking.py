"""What a scenario asks of a server that is up: a login first, where there is one, then all its requests."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from harness import masking
from harness.errors import AnswerError
from harness.subject.answers import ASK_S, MOVED, ask, verify, verify_held
from harness.suite import Login, Prepared, Scenario, prepared


def requests_of(scenario: Scenario, host: str, port: int) -> tuple[Prepared, ...]:
    """All that the scenario asks of this server, with the token that it gives now; raises `AnswerError`."""
    token = None if scenario.login is None else log_in(host, port, scenario.login)
    return prepared(scenario, token)


def log_in(host: str, port: int, login: Login, timeout_s: float = ASK_S) -> str:
    """The token that the server gives, which from now on is masked wherever it turns up; raises `AnswerError`."""
    what = f"login, {login.method} {login.path}"
    try:
        answer = ask(host, port, login, timeout_s)
    except AnswerError as error:
        raise AnswerError(f"{what}: {error}") from error
    if answer.status >= MOVED:
        raise AnswerError(f"{what}: status {answer.status}, a success was expected")
    token = _at(answer.body, login.token)
    if not isinstance(token, str) or not token:
        raise AnswerError(f"{what}: its answer has no text under {login.token!r}, which `token` names")
    masking.learn(token, "token")
    return token


def check(host: str, port: int, scenario: Scenario, further_ports: Iterable[int] = ()) -> None:
    """Ask all that the scenario asks, once, and check the answers; raises `AnswerError` of the first wrong one.

    What is asked of the first of several pods, with the token that it gives, must be answered rightly by each.
    """
    ports = (port, *further_ports)
    for each in requests_of(scenario, host, port):
        for one in ports:
            verify(host, one, each.ask, each.expect)


def check_held(host: str, port: int, scenario: Scenario) -> None:
    """Ask once what is held beside others, and check the answer; raises `AnswerError` of a wrong one."""
    (held,) = prepared(scenario)
    verify_held(host, port, held.ask, held.expect)


def _at(body: bytes, path: str) -> Any:
    """What stands in a JSON body at that path of keys; None where nothing does."""
    try:
        value = json.loads(body)
    except ValueError:
        return None
    for key in path.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value
