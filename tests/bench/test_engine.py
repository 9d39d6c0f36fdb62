"""The claims about the load engine, without measuring."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import engine, instruments
from bench.engine import Claim
from bench.instruments import Placed
from harness import spec
from harness.errors import LaunchError, LoadError

WHERE = Placed(server=(0,), generator=(0,), folder=Path())


def test_the_tests_of_a_connection_are_where_the_claim_runs_them() -> None:
    """Pytest would find none, and the claim would not hold."""
    assert (instruments.ROOT / engine.WIRE_TESTS).is_file()


def test_a_program_that_fails_is_a_claim_that_does_not_hold() -> None:
    """What was shown before stands, and the claims after it are checked."""

    def claim(_: Placed) -> Iterator[Claim]:
        yield True, "10,000/s"
        raise LoadError("the load generator ended early")

    assert list(engine.checked(claim, WHERE)) == [(True, "10,000/s"), (False, "the load generator ended early")]


def test_an_engine_that_ends_too_soon_is_a_claim_that_does_not_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no memory after a million requests where there was no million."""

    def run(*_: object) -> spec.Result:
        raise LoadError("the load generator ended early")

    monkeypatch.setattr(engine, "run", run)
    monkeypatch.setattr(instruments, "nginx", lambda _: FakeNginx())
    assert list(engine.constant_memory(WHERE)) == [(False, "the engine ended after 0 requests")]


class FakeNginx:
    """A server that is not asked."""

    def __enter__(self) -> int:
        return 1

    def __exit__(self, *_: object) -> None:
        pass


def test_a_rival_that_fails_is_named_with_its_last_words() -> None:
    """Whatever the program says of it."""
    with instruments.placed() as where, pytest.raises(LaunchError, match=r"(?s)nonsense ended with 1:.*is no rival"):
        instruments.rival(where, "nonsense")
