"""Whether a server is ready, and whether it answers rightly."""

from __future__ import annotations

import hashlib
import http.client
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from harness.errors import AnswerError, LaunchError
from harness.machine.process import Process
from harness.suite import Ask, Expect

READY_S = 30.0
POLL_S = 0.01

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. Header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def sha256(self) -> str:
        """Hexadecimal digest of the body."""
        return hashlib.sha256(self.body).hexdigest()


def ask(host: str, port: int, request: Ask, timeout_s: float = 10.0) -> Answer:
    """Send `request` on a connection of its own; raises `OSError` or `http.client.HTTPException`."""
    connection = http.client.HTTPConnection(host, port, timeout=timeout_s)
    try:
        headers = {"Accept-Encoding": "identity"} | request.headers
        connection.request(request.method, request.path, request.body.encode() or None, headers)
        answer = connection.getresponse()
        return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
    finally:
        connection.close()


def wait_until(process: Process, what: str, ready: Callable[[], T | None], timeout_s: float = READY_S) -> T:
    """Poll `ready` until it returns something; raises `LaunchError` if the process dies or the time is up."""
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            value = ready()
        except (OSError, http.client.HTTPException):
            value = None
        if value is not None:
            return value
        if not process.alive():
            raise process.died()
        if time.monotonic() > deadline:
            message = f"{process.name}: not {what} after {timeout_s:.0f} s; its last lines:\n{process.tail()}"
            raise LaunchError(message)
        time.sleep(POLL_S)


def wait_ready(process: Process, host: str, port: int, request: Ask, timeout_s: float = READY_S) -> None:
    """Poll until the server answers HTTP at all, whatever it answers."""
    wait_until(process, "ready", lambda: ask(host, port, request), timeout_s)


def verify(host: str, port: int, request: Ask, expect: Expect) -> Answer:
    """Ask once and hold the answer against what is expected; raises `AnswerError` that says what differs."""
    try:
        answer = ask(host, port, request)
    except (OSError, http.client.HTTPException) as error:
        message = f"{request.method} {request.path}: no answer: {error!r}"
        raise AnswerError(message) from error
    wrong = list(differences(answer, expect))
    if wrong:
        message = f"{request.method} {request.path}: " + "; ".join(wrong)
        raise AnswerError(message)
    return answer


def differences(answer: Answer, expect: Expect) -> list[str]:
    """In what `answer` is not what is expected; empty when it is."""
    found = []
    if answer.status != expect.status:
        found.append(f"status {answer.status}, expected {expect.status}, body {_short(answer.body)}")
    for name, value in expect.headers.items():
        got = answer.headers.get(name.lower())
        if got != value:
            found.append(f"header {name}: {got!r}, expected {value!r}")
    found += [f"header {name} is missing" for name in expect.headers_present if name.lower() not in answer.headers]
    if expect.contains is not None and expect.contains.encode() not in answer.body:
        found.append(f"body lacks {expect.contains!r}: {_short(answer.body)}")
    if expect.json is not None or expect.sha256_json is not None:
        found += _json_differences(answer.body, expect)
    return found


def _json_differences(body: bytes, expect: Expect) -> list[str]:
    try:
        value: Any = json.loads(body)
    except ValueError:
        return [f"body is not JSON: {_short(body)}"]
    if expect.json is not None and value != expect.json:
        return [f"JSON {_short(body)}, expected {_short(json.dumps(expect.json).encode())}"]
    if expect.sha256_json is not None:
        canonical = json.dumps(value, sort_keys=True, separators=(",", ":"))
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        if digest != expect.sha256_json:
            return [f"JSON has digest {digest}, expected {expect.sha256_json}"]
    return []


def _short(body: bytes, limit: int = 120) -> str:
    text = body[:limit].decode("utf-8", "replace")
    return text + ("..." if len(body) > limit else "")
