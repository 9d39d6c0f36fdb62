"""Schedules are pure: counted, compared and repeated without a clock."""

from __future__ import annotations

from itertools import islice, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.engine.arrivals import SECOND_NS, constant, poisson, scattered, schedule, shifted, until

RATES = st.floats(min_value=0.1, max_value=200_000)


@given(RATES, st.integers(1, 10_000))
def test_constant_arrivals_do_not_drift(rate: float, n: int) -> None:
    """The nth is n intervals after the first, to the nanosecond."""
    last = next(islice(constant(rate), n, None))
    assert last == pytest.approx(n / rate * SECOND_NS, abs=1, rel=1e-12)


@given(RATES, st.text(max_size=10))
def test_poisson_arrivals_rise_and_are_repeated_by_their_seed(rate: float, seed: str) -> None:
    """Never backwards; the same seed, the same arrivals; another seed, others."""
    first = list(islice(poisson(rate, seed), 50))
    assert first == list(islice(poisson(rate, seed), 50))
    assert all(a <= b for a, b in pairwise(first))
    assert first[0] >= 0
    assert first != list(islice(poisson(rate, seed + "x"), 50))


@given(st.integers(0, 200), st.integers(0, 10**15), st.integers(0, 10**10), st.text(max_size=10))
def test_scattered_moments_are_in_order_and_within(count: int, start_ns: int, span_ns: int, seed: str) -> None:
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


def test_poisson_gaps_are_exponential() -> None:
    """Their mean is 1 / rate and so is their deviation, and e^-1 of them are longer than the mean."""
    arrivals = list(islice(poisson(1000, "gaps"), 100_001))
    gaps = [b - a for a, b in pairwise(arrivals)]
    mean = sum(gaps) / len(gaps)
    deviation = (sum((gap - mean) ** 2 for gap in gaps) / len(gaps)) ** 0.5
    assert mean == pytest.approx(1e6, rel=0.02)
    assert deviation == pytest.approx(1e6, rel=0.03)
    assert sum(gap > 1e6 for gap in gaps) / len(gaps) == pytest.approx(0.368, abs=0.01)


def test_the_seed_means_the_same_on_every_machine() -> None:
    """Pinned, since records name the seed and nothing else."""
    assert list(islice(poisson(1000, "0/0"), 3)) == [419591, 1598683, 3375183]


def test_a_schedule_is_moved_and_ended() -> None:
    """What comes at the end itself is left out."""
    assert list(until(shifted(constant(10), 5 * SECOND_NS), 5 * SECOND_NS + 300_000_000)) == [
        5_000_000_000,
        5_100_000_000,
        5_200_000_000,
    ]


def test_a_schedule_is_chosen_by_its_name() -> None:
    """Constant ones need no seed."""
    assert list(islice(schedule("constant", 4, "a"), 3)) == [0, 250_000_000, 500_000_000]
    assert list(islice(schedule("poisson", 4, "a"), 3)) == list(islice(poisson(4, "a"), 3))
