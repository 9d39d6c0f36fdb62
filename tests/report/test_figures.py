"""The figures that every report prints."""

from __future__ import annotations

import math

import pytest

from harness.judge.statistics import ratio_of
from harness.report.figures.value import average, rows
from harness.report.templating import exact
from tests.report import report_support as support
from tests.report.report_pairs import hostile_pairs


@pytest.mark.parametrize("values", [(5e-324, 1e15), (1e-300, 1e300, 1.0)])
def test_an_interval_beyond_all_ratios_ends_nothing(values: tuple[float, ...]):
    """It is as wide as a number can say."""
    mean, low, high = average(values)
    assert mean is not None
    assert low is not None
    assert high is not None
    assert 0.0 <= low <= mean <= high <= ratio_of(1e6) < math.inf


def test_a_table_is_read_as_it_was_written() -> None:
    """Names with commas, quotes and line ends; what is no table is refused."""
    study = support.study_of(support.run(hostile_pairs()))
    read = rows(study.table)
    assert [row["id"] for row in read] == [value.id for value in study.values.values()]
    assert [row["target"] for row in read] == [value.target or "" for value in study.values.values()]
    assert [row["value"] for row in read] == [exact(value.value) for value in study.values.values()]
    for text in ("", "kind,id\npair,p1\n", "\x00", study.table.replace("verdict", "other", 1)):
        with pytest.raises(ValueError, match="no "):
            rows(text)
