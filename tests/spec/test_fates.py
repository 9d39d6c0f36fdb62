"""What became of each arrival, as text and as parts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.spec.fates import KINDS, Fates

arrivals = st.lists(
    st.tuples(st.integers(0, 10**9), st.integers(0, 10**8), st.integers(0, len(KINDS) - 1)), max_size=50
)


def fates(rows: list[tuple[int, int, int]]) -> Fates:
    """As arrays."""
    due, took, kind = np.array(rows, dtype=np.int64).reshape(-1, 3).T
    return Fates(due, took, kind)


@given(arrivals)
def test_fates_survive_their_text_form(rows: list[tuple[int, int, int]]) -> None:
    """None is lost or changed, and their order stays."""
    before = fates(rows)
    after = Fates.decode(before.encode())
    assert (after.due_us.tolist(), after.took_us.tolist(), after.kind.tolist()) == (
        before.due_us.tolist(),
        before.took_us.tolist(),
        before.kind.tolist(),
    )


@pytest.mark.parametrize("text", ["", "%", "bm8=", "eJw="])
def test_what_is_no_text_of_fates_is_refused(text: str) -> None:
    """By the one error that callers expect."""
    with pytest.raises(ValueError):  # noqa: PT011 - the message is numpy's, zlib's or ours
        Fates.decode(text)


def test_good_late_and_lost_are_told_apart() -> None:
    """In time: a good answer within the limit, the limit itself included."""
    seen = fates([(0, 100, 0), (10, 101, 0), (20, 5, KINDS.index("reset")), (30, 1, KINDS.index("dropped"))])
    assert seen.good().tolist() == [True, True, False, False]
    assert seen.in_time(100).tolist() == [True, False, False, False]
    assert seen.between(10, 30).due_us.tolist() == [10, 20]
