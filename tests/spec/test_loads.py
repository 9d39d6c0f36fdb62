"""A load: what differs between closed and open is inside it."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from harness.spec.loads import LONGEST_BY_RESPONSE_S, Closed, Load, Open
from harness.strict import adapter
from tests import factories


def test_a_closed_slice_lasts_five_responses_within_bounds() -> None:
    """At least as long as asked for; a server that takes seconds does not make it endless."""
    closed = Closed(connections=8)
    assert closed.length_s(0.5, 0.01) == 0.5
    assert closed.length_s(0.5, 0.2) == 1.0
    assert closed.length_s(0.5, 60.0) == LONGEST_BY_RESPONSE_S


@pytest.mark.parametrize("load", [Closed(connections=8), Open(connections=8, rate_rps=10.0)])
def test_a_slice_is_never_shorter_than_the_suite_asks(load: Load) -> None:
    """A minute stays a minute, and the plan records what is measured."""
    assert load.length_s(60.0, 0.01) == 60.0


def test_rounds_and_slices_are_those_of_the_plan() -> None:
    """Closed: short slices in rounds. Open: one long one, for its percentiles."""
    plan = factories.plan(rounds=4, slice_s=0.7, open_slice_s=3.0)
    closed, opened = factories.loads("closed", "open", connections=8)
    assert (closed.rounds(plan), closed.least_slice_s(plan)) == (4, 0.7)
    assert (opened.rounds(plan), opened.least_slice_s(plan)) == (1, 3.0)


def test_a_load_is_written_and_read_as_one_value() -> None:
    """By its kind; what is of the other kind is an unknown key."""
    for load in (Closed(connections=3, response_s=0.1), Open(connections=3, rate_rps=5.0, when_full="drop")):
        assert adapter(Load).validate_json(adapter(Load).dump_json(load)) == load  # type: ignore[arg-type]
    with pytest.raises(ValidationError, match="rate_rps"):
        adapter(Load).validate_json('{"kind": "closed", "connections": 3, "rate_rps": 4}')  # type: ignore[arg-type]
    with pytest.raises(ValidationError, match="no arrival law"):
        adapter(Load).validate_json('{"kind": "open", "connections": 3, "arrivals": "x"}')  # type: ignore[arg-type]


def test_an_open_load_takes_a_rate_and_a_closed_load_ignores_it() -> None:
    """A closed one offers what the server takes."""
    assert Open(connections=3).offering(70.0).rate_rps == 70.0
    assert Closed(connections=3).offering(70.0).rate_rps is None
