"""What apps answer to a request now, which is then what is expected of them."""

from __future__ import annotations

import contextlib
import json
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import AnswerError, LaunchError, UsageError
from harness.machine.guard import scratch
from harness.subject.answers import FAILED, MOVED, Answer, ask, json_digest
from harness.subject.launch import Launched, launch
from harness.subject.services import Services
from harness.suite import Arm, Expect, Factor

PAUSE_S = 1.1
"""Between two answers of each: a body that holds the time in seconds is then another."""
MOST_MORE, MORE_S = 100, 3.0
"""Answers of each, and seconds for them, where only the length is alike: it may be so by chance."""


@dataclass(frozen=True, slots=True)
class Present:
    """What all of them answer, and what a person should know of it."""

    expect: Expect
    remarks: tuple[str, ...] = ()


def present(arms: Sequence[Arm], factors: Iterable[Factor]) -> Present:
    """Launch `arms`, which have one scenario, side by side, and ask each its request.

    Raises `UsageError` where one does not start, or answers with a status from 400 on, or their statuses differ.
    """
    answers: list[tuple[Arm, Answer]] = []
    varied = tuple(factors)
    with tempfile.TemporaryDirectory(prefix="gatebench-", dir=scratch()) as folder, contextlib.ExitStack() as stack:
        logs = Path(folder)
        try:
            servers = [
                stack.enter_context(launch(arm, varied, Services(), cpus=(), log=logs / f"{number}.log"))
                for number, arm in enumerate(arms)
            ]
            for server in servers:
                server.wait_ready()
            for pause_s in (0.0, PAUSE_S):
                time.sleep(pause_s)
                answers += [(each.arm, _asked(each)) for each in servers]
            if expected([answer for _, answer in answers]).body_bytes is not None:
                for server in servers:
                    answers += ((server.arm, answer) for answer in _more(server))
        except (LaunchError, AnswerError) as error:
            raise UsageError(str(error).partition("; log: ")[0]) from error  # the log goes with the folder
    return Present(expected([answer for _, answer in answers]), tuple(_remarks(answers)))


def _asked(server: Launched) -> Answer:
    return ask(server.host, server.port, server.arm.scenario.requests[0])


def _more(server: Launched) -> Iterator[Answer]:
    """As many more as there is time for."""
    until = time.monotonic() + MORE_S
    for _ in range(MOST_MORE):
        yield _asked(server)
        if time.monotonic() > until:
            return


def expected(answers: Sequence[Answer]) -> Expect:
    """The most that holds of all of them: status, and body, or its value as JSON, or its length."""
    status = answers[0].status
    if len({answer.sha256 for answer in answers}) == 1:
        return Expect(status=status, sha256=answers[0].sha256)
    values = {_of_json(answer.body) for answer in answers}
    if len(values) == 1 and None not in values:
        return Expect(status=status, sha256_json=values.pop())
    if len({len(answer.body) for answer in answers}) == 1:
        return Expect(status=status, body_bytes=len(answers[0].body))
    return Expect(status=status)


def _of_json(body: bytes) -> str | None:
    """The digest of a body's value; None where it is not JSON."""
    try:
        return json_digest(json.loads(body))
    except ValueError:
        return None


def _remarks(answers: Sequence[tuple[Arm, Answer]]) -> Iterable[str]:
    request = answers[0][0].scenario.requests[0]
    what = f"{request.method} {request.path}"
    statuses = {arm.label: answer.status for arm, answer in answers}
    told = "; ".join(f"{label} answers with status {status}" for label, status in statuses.items())
    if max(statuses.values()) >= FAILED:
        raise UsageError(f"{what}: {told}: name a path that is answered with success")
    if len(set(statuses.values())) > 1:
        raise UsageError(f"{what}: {told}: both must answer alike")
    if max(statuses.values()) >= MOVED:
        yield f"{what} is answered with status {max(statuses.values())}, a redirect: that is what is measured"
    least = expected([answer for _, answer in answers])
    if least.sha256 is None and least.sha256_json is None:
        held = "its status and length are" if least.body_bytes is not None else "its status is"
        yield f"the body of {what} is not the same each time, or differs between the arms: only {held} expected of it"
