"""The interval of a capacity, in a short form of the simulation."""

from __future__ import annotations

import pytest

from bench.capacity_simulation import KINDS, judged, searched


@pytest.mark.parametrize("kind", KINDS)
def test_the_interval_covers_what_the_next_launch_holds(kind: str) -> None:
    """Six of eight at least, and in every search there is time for one."""
    found = [searched(kind, 300.0, seed) for seed in range(10_000, 10_008)]
    outcome = judged(found)
    assert outcome.none == 0
    assert outcome.covered >= 6 / 8
    for interval, _ in found:
        assert interval is not None
        assert interval.low < interval.middle < interval.high < 2 * interval.low
        assert 0 < interval.machine + interval.launches < 1
