"""What may be expected of several answers."""

from __future__ import annotations

import pytest

from harness.subject.answers import Answer
from harness.subject.present import expected


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
