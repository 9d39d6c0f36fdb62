"""What may be expected of several answers."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest

from harness.subject import present as module
from harness.subject.answers import Answer
from harness.subject.present import expected, present
from harness.suite import load_definitions
from harness.suite.model import Side
from harness.suite.own import closed_arms, request, with_own


@pytest.mark.parametrize(
    ("bodies", "held"),
    [
        ([b"tea", b"tea"], {"sha256": Answer(200, {}, b"tea").sha256}),
        ([b'{"a": 1, "b": 2}', b'{"b":2,"a":1}'], {"sha256_json": Answer(200, {}, b'{"a":1,"b":2}').sha256}),
        ([b"12:00:01", b"12:00:02"], {"body_bytes": 8}),
        ([b"9", b"10"], {}),
    ],
)
def test_the_most_that_all_answers_have_in_common_is_expected(bodies: list[bytes], held: dict[str, str]) -> None:
    """The body, its value as JSON, its length, or the status alone."""
    stated = {"sha256": None, "sha256_json": None, "body_bytes": None} | held
    found = expected([Answer(200, {}, body) for body in bodies])
    assert {name: getattr(found, name) for name in stated} == stated
    assert found.status == 200


def test_a_length_that_is_the_same_by_chance_is_not_expected(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where bodies differ more of them are asked for: one that tells how long it took is shorter now and then."""
    numbers = count(1)

    @contextlib.contextmanager
    def launched(arm: Any, *_: Any, **__: Any) -> Iterator[Any]:
        yield SimpleNamespace(arm=arm, host="127.0.0.1", port=1, wait_ready=lambda: None)

    def answer(*_: Any) -> Answer:
        number = next(numbers)
        return Answer(200, {}, b"%03d" % number if number % 20 else b"-")

    monkeypatch.setattr(module, "launch", launched)
    monkeypatch.setattr(module, "ask", answer)
    monkeypatch.setattr(module, "PAUSE_S", 0.0)
    known = with_own(load_definitions(), (), request("/json"))
    sides = [Side(target="flask", server="gunicorn-sync")] * 2
    found = present(closed_arms(known, sides, request("/json")), ())
    assert (found.expect.status, found.expect.body_bytes) == (200, None)
    assert [remark for remark in found.remarks if "only its status is expected of it" in remark]
