"""Where a pair's ratio changed from run to run: steps and creeps are found, noise is not."""

from __future__ import annotations

import math

import numpy as np
import pytest

from harness.judge.statistics import Estimate, estimate, ratio_of
from harness.judge.trend import LEVEL, estimated, shifts

MARGIN = 0.05


def series(*ratios: float, error: float = 0.005) -> list[Estimate | None]:
    """Runs of five blocks with these ratios, to half a percent."""
    return [Estimate(mean=math.log(ratio), standard_error=error, degrees=4) for ratio in ratios]


def test_a_step_is_marked_where_it_happens() -> None:
    """Down by a fifth in the third run, up again in the fifth; each with its interval."""
    down, up = shifts(series(2, 2.01, 1.6, 1.61, 2), MARGIN)
    assert (down.at, down.since, up.at, up.since) == (2, 0, 4, 2)
    assert down.low < down.ratio < down.high < 1 < up.low
    assert down.ratio == pytest.approx(0.8)
    assert up.ratio == pytest.approx(2 / 1.6)


def test_a_creep_is_marked_once_it_is_beyond_the_margin() -> None:
    """Two percent a run: no run differs from the one before it by the margin."""
    found = shifts(series(*(1.02**step for step in range(10))), MARGIN)
    assert found
    assert all(shift.at - shift.since > 2 for shift in found)


def test_what_stays_within_the_margin_is_no_change() -> None:
    """However surely it is known."""
    assert shifts(series(1, 1.03, 0.98, 1.04, error=1e-6), MARGIN) == ()


def test_a_run_without_an_estimate_is_passed_over() -> None:
    """It is neither a change nor what the next is compared with."""
    known = series(1, 1, 0.7)
    (found,) = shifts([None, known[0], None, known[2]], MARGIN)
    assert (found.since, found.at) == (1, 3)
    assert shifts([None, None], MARGIN) == shifts([], MARGIN) == shifts(known[:1], MARGIN) == ()


def test_a_series_in_which_nothing_changed_is_rarely_marked() -> None:
    """At no margin at all, in no more of 600 series of eight runs than the level says."""
    random = np.random.default_rng(4)
    marked = 0
    for _ in range(600):
        runs = [estimate(list(random.normal(0, 0.02, 5))) for _ in range(8)]
        marked += bool(shifts(runs, 0.0))
    assert marked <= 600 * LEVEL * 1.3


def test_an_estimate_comes_back_from_its_interval() -> None:
    """What summary.csv has is enough; with too few blocks for a verdict there is none."""
    whole = estimate([0.1, 0.14, 0.09, 0.12])
    low, high = whole.interval()
    back = estimated(ratio_of(whole.mean), ratio_of(low), ratio_of(high), 4)
    assert back is not None
    assert (back.mean, back.standard_error, back.degrees) == pytest.approx(
        (whole.mean, whole.standard_error, whole.degrees)
    )
    assert estimated(1.1, 1.0, 1.2, 2) is None
    assert estimated(1.1, None, None, 5) is None
