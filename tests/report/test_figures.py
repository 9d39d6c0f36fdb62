"""The figures that every report prints."""

from __future__ import annotations

import math

import pytest

from harness.judge.statistics import ratio_of
from harness.report.figures.value import average


@pytest.mark.parametrize("values", [(5e-324, 1e15), (1e-300, 1e300, 1.0)])
def test_an_interval_beyond_all_ratios_ends_nothing(values: tuple[float, ...]):
    """It is as wide as a number can say."""
    mean, low, high = average(values)
    assert mean is not None
    assert low is not None
    assert high is not None
    assert 0.0 <= low <= mean <= high <= ratio_of(1e6) < math.inf
