"""Moments at which connections open, and schedules cut to a slice."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.spec import arrivals
from harness.spec.arrivals import SECOND_NS, Constant
from harness.spec.loads import Open
from loadtests.engine.open import arrivals_of_a_slice
from loadtests.engine.starts import ALONE, Share, computed, scattered, shifted, until


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


@given(
    of=st.sampled_from([1, 2, 4, 8]),
    law=st.sampled_from(["poisson", "constant", "burst:5"]),
    rate_rps=st.floats(1, 50_000),
    seed=st.text(max_size=5),
)
def test_several_generators_take_the_whole_schedule_and_nothing_twice(
    of: int, law: str, rate_rps: float, seed: str
) -> None:
    """The union of what they take is the schedule of the only one, whatever the law."""
    alone = list(islice(arrivals.law(law).schedule(rate_rps, seed), 200))

    def share(rank: int) -> list[int]:
        return list(Share(rank, of).taken(iter(alone), seed))

    together = [share(rank) for rank in range(of)]
    assert sorted(at for each in together for at in each) == alone
    assert all(each == sorted(each) for each in together)


@pytest.mark.parametrize("of", [1, 2, 4, 8])
@given(
    law=st.sampled_from(["poisson", "constant", "burst:5"]),
    rate_rps=st.floats(1, 5000),
    seed=st.text(max_size=5),
    steady_ms=st.integers(1, 100),
    start_ns=st.integers(0, 10**15),
)
def test_the_open_slices_of_several_are_together_that_of_one(
    of: int, law: str, rate_rps: float, seed: str, steady_ms: int, start_ns: int
) -> None:
    """Before the window and in it, computed in advance or as they come."""
    load = Open(connections=8, rate_rps=rate_rps, arrivals=law)
    steady_ns, opens_ns, end_ns = steady_ms * 10**6, (steady_ms + 50) * 10**6, start_ns + 400 * 10**6

    def slice_of(share: Share) -> Iterator[int]:
        return arrivals_of_a_slice(load, seed, steady_ns, opens_ns, share, start_ns)

    alone = list(until(slice_of(ALONE), end_ns))
    shares = [list(until(computed(slice_of(Share(rank, of)), end_ns, lambda: None), end_ns)) for rank in range(of)]
    assert sorted(at for each in shares for at in each) == alone


def test_the_shares_of_a_long_schedule_are_nearly_equal() -> None:
    """Eight generators, forty thousand arrivals: none has more than a twentieth too many or too few."""
    for seed in ("1", "2", "3"):
        counts = [len(list(Share(rank, 8).taken(iter(range(40_000)), seed))) for rank in range(8)]
        assert sum(counts) == 40_000
        assert min(counts) > 0.95 * 5000
        assert max(counts) < 1.05 * 5000


@given(count=st.integers(0, 1000), of=st.integers(1, 20))
def test_connections_are_dealt_out_evenly(count: int, of: int) -> None:
    """All of them, and no process has two more than another."""
    counts = [Share(rank, of).dealt(count) for rank in range(of)]
    assert sum(counts) == count
    assert max(counts) - min(counts) <= 1
    moments = list(range(count))
    assert [len(moments[rank::of]) for rank in range(of)] == counts, "as every so many-th of a list"


@given(end_ns=st.integers(-1, 400), gap_ns=st.integers(1, 50))
def test_what_is_computed_in_advance_is_the_same_schedule(end_ns: int, gap_ns: int) -> None:
    """However much of it, none is lost where the rest begins; and what is asked for is computed."""
    asked: list[int] = []

    def schedule() -> Iterator[int]:
        for at in range(0, 10_000, gap_ns):
            asked.append(at)
            yield at

    ahead = computed(schedule(), end_ns, lambda: None)
    assert asked[-1] >= end_ns
    assert list(ahead) == list(range(0, 10_000, gap_ns))


def test_a_long_schedule_is_computed_with_breath() -> None:
    """A generator that says nothing for seconds would be taken for lost."""
    breaths: list[None] = []
    ahead = computed(iter(range(20_001)), 20_000, lambda: breaths.append(None))
    assert len(breaths) == 4
    assert list(ahead) == list(range(20_001))
