"""Arrival laws are pure: counted, compared and repeated without a clock."""

from __future__ import annotations

from itertools import islice, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.spec.arrivals import LAWS, SECOND_NS, Constant, Poisson, law

RATES = st.floats(min_value=0.1, max_value=200_000)
WRITTEN = ("poisson", "constant", "burst:7", "surge:2:3:0.5")
"""Each law, with numbers where it takes some."""


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


def test_each_law_is_tried() -> None:
    """By the tests that follow."""
    assert [text.partition(":")[0] for text in WRITTEN] == list(LAWS)


@pytest.mark.parametrize("text", WRITTEN)
def test_a_law_offers_its_rate(text: str) -> None:
    """Over many arrivals the mean rate is the one that was asked for, to sampling error."""
    last = next(islice(law(text).schedule(1000.0, "rate"), 100_000, None))
    assert last == pytest.approx(100 * SECOND_NS, rel=0.03)


@pytest.mark.parametrize("text", WRITTEN)
def test_a_stall_is_longer_than_the_gaps_of_a_law(text: str) -> None:
    """No gap between the arrivals of a healthy load is taken for a server that stands still."""
    chosen = law(text)
    moments = list(islice(chosen.schedule(500.0, "gaps"), 100_000))
    assert max(b - a for a, b in pairwise(moments)) < chosen.stall_ns(500.0)


@pytest.mark.parametrize(
    "text",
    [
        *("", "poison", "poisson:3", "constant:", "Poisson", "burst", "burst:", "burst:0", "burst:-1", "burst:1e3"),
        *("surge", "surge:1:2", "surge:2:1:3", "surge:1:1:3", "surge:1:2:0", "surge:1:2:-1", "surge:1:nan:2"),
    ],
)
def test_an_unknown_arrival_law_is_refused_with_the_list_of_laws(text: str) -> None:
    """By the words that a user can write."""
    with pytest.raises(ValueError, match="write poisson or constant or burst:SIZE or surge:START_S:END_S:FACTOR"):
        law(text)


@given(RATES, st.integers(1, 50), st.text(max_size=10))
def test_a_burst_comes_at_once(rate: float, size: int, seed: str) -> None:
    """So many at one moment, then none until the next burst, whose moments are those of Poisson arrivals."""
    moments = list(islice(law(f"burst:{size}").schedule(rate, seed), 5 * size))
    bursts = moments[::size]
    assert moments == [at for at in bursts for _ in range(size)]
    assert bursts == list(islice(Poisson().schedule(rate / size, seed), 5))


@given(st.floats(1, 1000), st.text(max_size=10))
def test_a_surge_is_the_same_load_on_a_clock_that_runs_faster_meanwhile(factor: float, seed: str) -> None:
    """What comes before it does not depend on its factor; in it and behind it come the same arrivals, moved."""
    calm = list(islice(Poisson().schedule(100.0, seed), 400))
    surge = list(islice(law(f"surge:1:2:{factor:.6f}").schedule(100.0, seed), 400))
    before = [at for at in calm if at < SECOND_NS]
    assert surge[: len(before)] == before
    assert all(a <= b for a, b in pairwise(surge))
    assert all(at >= SECOND_NS for at in surge[len(before) :])


def test_a_surge_offers_its_factor_and_then_the_rate_again() -> None:
    """Counted: 100 a second, four times that for three seconds, then 100 a second."""
    moments = list(islice(law("surge:10:13:4").schedule(100.0, "counted"), 4000))
    counted = [
        sum(low * SECOND_NS <= at < high * SECOND_NS for at in moments) for low, high in ((0, 10), (10, 13), (13, 23))
    ]
    assert counted == pytest.approx([1000, 1200, 1000], rel=0.1)
