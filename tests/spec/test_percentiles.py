"""Which percentiles are resolved."""

from __future__ import annotations

import pytest

from harness.spec.histogram import Histogram
from harness.spec.percentiles import QUANTILES, is_resolved, resolved, samples_needed


@pytest.mark.parametrize("quantile", QUANTILES.values())
def test_exactly_as_many_samples_as_are_needed_resolve_a_percentile(quantile: float) -> None:
    """10 / (1 - quantile) samples are enough and one fewer is not, whatever floating point makes of 1 - quantile."""
    needed = samples_needed(quantile)
    assert is_resolved(needed, quantile)
    assert not is_resolved(needed - 1, quantile)


def test_a_percentile_that_is_not_resolved_has_no_value() -> None:
    """None, rather than the highest of a few samples."""
    histogram = Histogram()
    histogram.record([1000] * 999)
    assert resolved(histogram, 0.99) is None
    histogram.record([1000])
    assert resolved(histogram, 0.99) == 1000
