"""Moments at which connections open, and schedules cut to a slice."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from harness.spec.arrivals import SECOND_NS, Constant
from loadtests.engine.starts import scattered, shifted, until


@given(st.integers(0, 200), st.integers(0, 10**15), st.integers(0, 10**10), st.text(max_size=10))
def test_scattered_moments_are_in_order_and_within_their_bounds(
    count: int, start_ns: int, span_ns: int, seed: str
) -> None:
    """As many as asked for, the same for the same seed."""
    moments = scattered(count, start_ns, start_ns + span_ns, seed)
    assert len(moments) == count
    assert moments == sorted(moments)
    assert all(start_ns <= at <= start_ns + span_ns for at in moments)
    assert moments == scattered(count, start_ns, start_ns + span_ns, seed)


def test_scattered_moments_fill_their_time_evenly() -> None:
    """Each tenth holds a tenth, to sampling error (four standard deviations)."""
    moments = scattered(10_000, 0, 1_000_000, "even")
    tenths = [sum(1 for at in moments if tenth <= at / 100_000 < tenth + 1) for tenth in range(10)]
    assert all(abs(count - 1000) < 120 for count in tenths)


def test_a_schedule_is_shifted_and_cut_off_at_its_end() -> None:
    """What comes at the end itself is left out."""
    assert list(until(shifted(Constant().schedule(10, ""), 5 * SECOND_NS), 5 * SECOND_NS + 300_000_000)) == [
        5_000_000_000,
        5_100_000_000,
        5_200_000_000,
    ]
