"""Statistics: textbook values, and what they hold on data like ours."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from harness.judge.statistics import (
    estimate,
    geometric_mean,
    holm,
    moderated_t,
    normal_tail_as_t,
    sample_size,
    t_quantile,
    welch,
)
from tests.factories import block_values

VALUES = [0.09, 0.12, 0.07, 0.10, 0.14]
OTHERS = [0.01, -0.02, 0.03, 0.00, 0.02, 0.04]


def test_the_interval_of_a_mean_is_students():
    """The t interval agrees with scipy's own."""
    low, high = estimate(VALUES).interval()
    expected = stats.t.interval(0.95, len(VALUES) - 1, loc=np.mean(VALUES), scale=stats.sem(VALUES))
    assert (low, high) == pytest.approx(expected)


def test_one_value_has_no_interval():
    """Nothing is known of the spread of a single value: its interval is everything."""
    assert estimate([0.3]).interval() == (-math.inf, math.inf)
    assert estimate([0.3]).p_below(1.0) == 1.0


def test_no_values_are_no_estimate():
    """A mean of nothing is refused, not zero."""
    with pytest.raises(ValueError, match="no values"):
        estimate([])


def test_welch_agrees_with_scipy():
    """The difference of two samples has scipy's Welch interval and p value."""
    estimated = welch(VALUES, OTHERS)
    expected = stats.ttest_ind(VALUES, OTHERS, equal_var=False)
    assert estimated.interval() == pytest.approx(tuple(expected.confidence_interval()))
    assert 2 * estimated.p_above(0.0) == pytest.approx(expected.pvalue)


def test_p_values_are_one_sided_and_mirror_each_other():
    """What is credibly above a bound is not credibly below it."""
    estimated = estimate(VALUES)
    assert estimated.p_above(0.0) < 0.01
    assert estimated.p_below(0.0) == pytest.approx(1 - estimated.p_above(0.0))


def test_equal_values_are_certain():
    """Values without any spread leave no doubt on either side."""
    estimated = estimate([0.1, 0.1, 0.1])
    assert estimated.interval() == pytest.approx((0.1, 0.1))
    assert estimated.p_above(0.05) < 1e-9
    assert estimated.p_above(0.15) == 1.0


def test_holm_steps_down_and_keeps_the_order():
    """Holm's adjusted values for the example 0.01, 0.04, 0.03, 0.005."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx((0.03, 0.06, 0.06, 0.02))
    assert holm([]) == ()
    assert holm([0.6, 0.9]) == (1.0, 1.0)


def test_a_sample_of_the_forecast_size_is_narrow_enough():
    """The forecast is the smallest count whose half-width fits."""
    count = sample_size(0.02, 0.01)
    assert count is not None
    assert t_quantile(0.975, count - 1) * 0.02 / math.sqrt(count) <= 0.01
    assert t_quantile(0.975, count - 2) * 0.02 / math.sqrt(count - 1) > 0.01
    assert sample_size(1.0, 1e-6) is None
    assert sample_size(0.0, 0.01, at_least=5) == 5


def test_geometric_means_are_of_ratios():
    """Twice and half cancel out."""
    assert geometric_mean([2.0, 0.5, 1.0]) == pytest.approx(1.0)


def test_a_moderated_t_does_not_trust_a_chance_agreement():
    """Three values that happen to agree do not make an infinite t: the prior spread still counts."""
    t, degrees = moderated_t([0.5, 0.5, 0.5])
    assert t == pytest.approx(0.5 * math.sqrt(3 / (10 / 12)))
    assert degrees == 12
    assert normal_tail_as_t(4.0, 1e9) == pytest.approx(4.0, abs=1e-3)
    assert normal_tail_as_t(4.0, degrees) > 5.0


@pytest.mark.parametrize("rounds", [3, 5, 10])
@pytest.mark.parametrize("blocks", [3, 5, 8, 12])
def test_intervals_cover_the_truth_as_often_as_they_say(blocks: int, rounds: int):
    """Coverage of the 95 % interval is 93 to 98 % with heavy tails and a drifting machine."""
    random = np.random.default_rng(blocks * 100 + rounds)
    truth = math.log(0.9)
    means = block_values(random, 3000, blocks, rounds, truth)
    covered = [low <= truth <= high for low, high in (estimate(row.tolist()).interval() for row in means)]
    assert 0.93 <= np.mean(covered) <= 0.98
