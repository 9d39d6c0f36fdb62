"""Arrival laws are pure: counted, compared and repeated without a clock."""

from __future__ import annotations

from itertools import islice, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.spec.arrivals import LAWS, SECOND_NS, Constant, Poisson, law

RATES = st.floats(min_value=0.1, max_value=200_000)


@given(RATES, st.integers(1, 10_000))
def test_constant_arrivals_do_not_drift(rate: float, n: int) -> None:
    """The nth is n intervals after the first, to the nanosecond."""
    last = next(islice(Constant().schedule(rate, ""), n, None))
    assert last == pytest.approx(n / rate * SECOND_NS, abs=1, rel=1e-12)


@given(RATES, st.text(max_size=10))
def test_poisson_arrivals_rise_and_are_repeated_by_their_seed(rate: float, seed: str) -> None:
    """Never backwards; the same seed, the same arrivals; another seed, others."""
    first = list(islice(Poisson().schedule(rate, seed), 50))
    assert first == list(islice(Poisson().schedule(rate, seed), 50))
    assert all(a <= b for a, b in pairwise(first))
    assert first[0] >= 0
    assert first != list(islice(Poisson().schedule(rate, seed + "x"), 50))


def test_poisson_gaps_are_exponential() -> None:
    """Their mean is 1 / rate and so is their deviation, and e^-1 of them are longer than the mean."""
    arrivals = list(islice(Poisson().schedule(1000, "gaps"), 100_001))
    gaps = [b - a for a, b in pairwise(arrivals)]
    mean = sum(gaps) / len(gaps)
    deviation = (sum((gap - mean) ** 2 for gap in gaps) / len(gaps)) ** 0.5
    assert mean == pytest.approx(1e6, rel=0.02)
    assert deviation == pytest.approx(1e6, rel=0.03)
    assert sum(gap > 1e6 for gap in gaps) / len(gaps) == pytest.approx(0.368, abs=0.01)


def test_the_seed_means_the_same_on_every_machine() -> None:
    """Pinned, since records name the seed and nothing else."""
    assert list(islice(Poisson().schedule(1000, "0/0"), 3)) == [419591, 1598683, 3375183]


@pytest.mark.parametrize("name", LAWS)
def test_a_law_offers_its_rate(name: str) -> None:
    """Over many arrivals the mean rate is the one that was asked for, to sampling error."""
    text = f"{name}:7" if LAWS[name].sized else name
    last = next(islice(law(text).schedule(1000.0, "rate"), 100_000, None))
    assert last == pytest.approx(100 * SECOND_NS, rel=0.03)


@pytest.mark.parametrize("name", LAWS)
def test_a_stall_is_longer_than_the_gaps_of_a_law(name: str) -> None:
    """No gap between the arrivals of a healthy load is taken for a server that stands still."""
    chosen = law(f"{name}:7" if LAWS[name].sized else name)
    moments = list(islice(chosen.schedule(500.0, "gaps"), 100_000))
    assert max(b - a for a, b in pairwise(moments)) < chosen.stall_ns(500.0)


@pytest.mark.parametrize(
    "text", ["", "poison", "poisson:3", "constant:", "Poisson", "burst", "burst:", "burst:0", "burst:-1", "burst:1e3"]
)
def test_an_unknown_arrival_law_is_refused_with_the_list_of_laws(text: str) -> None:
    """By the words that a user can write."""
    with pytest.raises(ValueError, match="write poisson or constant or burst:SIZE"):
        law(text)


@given(RATES, st.integers(1, 50), st.text(max_size=10))
def test_a_burst_comes_at_once(rate: float, size: int, seed: str) -> None:
    """So many at one moment, then none until the next burst, whose moments are those of Poisson arrivals."""
    moments = list(islice(law(f"burst:{size}").schedule(rate, seed), 5 * size))
    bursts = moments[::size]
    assert moments == [at for at in bursts for _ in range(size)]
    assert bursts == list(islice(Poisson().schedule(rate / size, seed), 5))
