"""The histogram against sorted lists, and against the HdrHistogram package."""

from __future__ import annotations

import base64
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.spec.histogram import HIGHEST_US, Histogram

VALUES = st.lists(
    st.one_of(
        st.integers(0, 5000), st.integers(0, HIGHEST_US), st.sampled_from([0, 2047, 2048, 4095, 4096, HIGHEST_US])
    ),
    min_size=1,
    max_size=300,
)
PERCENTILES = (0.0, 1.0, 25.0, 50.0, 75.0, 90.0, 99.0, 99.9, 100.0)


def of(*values: int) -> Histogram:
    """Those values, recorded."""
    histogram = Histogram()
    histogram.record(values)
    return histogram


@given(VALUES, st.sampled_from(PERCENTILES))
def test_a_percentile_is_the_recorded_value_to_a_thousandth(values: list[int], q: float) -> None:
    """Against the sorted list, by HdrHistogram's rank; exact below 2,048 us."""
    truth = sorted(values)[max(int(q / 100 * len(values) + 0.5), 1) - 1]
    shown = of(*values).percentile(q)
    assert abs(shown - truth) <= truth / 1000
    assert shown == truth or truth >= 2048


@given(VALUES)
def test_count_mean_and_highest_are_kept(values: list[int]) -> None:
    """To the same resolution."""
    histogram = of(*values)
    assert histogram.count == len(values)
    assert histogram.mean == pytest.approx(sum(values) / len(values), rel=1e-3)
    assert histogram.max == pytest.approx(max(values), rel=1e-3)


@given(VALUES, VALUES)
def test_merging_is_recording_both(some: list[int], others: list[int]) -> None:
    """In any order."""
    both = of(*some, *others)
    assert (Histogram.merged([of(*others), of(*some)]).counts == both.counts).all()
    assert Histogram.merged([]).count == 0


@given(VALUES)
def test_what_is_encoded_decodes_to_the_same_counts(values: list[int]) -> None:
    """Ours reads ours."""
    histogram = of(*values)
    assert (Histogram.decode(histogram.encode()).counts == histogram.counts).all()


@given(VALUES)
def test_hdr_tools_read_the_same_percentiles(values: list[int]) -> None:
    """The HdrHistogram package decodes ours, ours decodes the package's, and all agree."""
    hdr = pytest.importorskip("hdrh.histogram").HdrHistogram
    ours = of(*values)
    theirs = hdr.decode(ours.encode())
    assert theirs.get_total_count() == len(values)
    assert [theirs.get_value_at_percentile(q) for q in PERCENTILES] == [ours.percentile(q) for q in PERCENTILES]
    recorded = hdr(1, HIGHEST_US, 3)
    for value in values:
        recorded.record_value(value)
    assert (Histogram.decode(recorded.encode()).counts == ours.counts).all()


def test_large_counts_survive() -> None:
    """Counts of more than one byte, and of more than eight."""
    histogram = of(5, 6)
    histogram.counts[5] = 1 << 40
    histogram.counts[6] = (1 << 62) - 1
    assert (Histogram.decode(histogram.encode()).counts == histogram.counts).all()


@given(VALUES)
def test_many_percentiles_are_each_of_them(values: list[int]) -> None:
    """One after the other, or all at once."""
    histogram = of(*values)
    assert histogram.percentiles(PERCENTILES) == [histogram.percentile(q) for q in PERCENTILES]


def test_hostile_runs_and_words_are_refused() -> None:
    """Runs of empty buckets that would overflow, a count over 2**62, a count beyond an hour."""
    for body, says in (
        (b"\xff" * 7 + b"\x7f" + b"\x02", "over an hour"),
        ((b"\xff" * 7 + b"\x7f") * 1000 + b"\x02", "over an hour"),
        (b"\xfe" * 8 + b"\xfe\x02", "no load reaches"),
        (b"\x02\x80", "cut off"),
    ):
        with pytest.raises(ValueError, match=says):
            Histogram.decode(packed(body))


def packed(body: bytes) -> bytes:
    """A histogram of these words."""
    header = struct.pack(">IIIIQQd", 0x1C849313, len(body), 0, 3, 1, HIGHEST_US, 1.0)
    compressed = zlib.compress(header + body)
    return base64.b64encode(struct.pack(">II", 0x1C849314, len(compressed)) + compressed)


def test_a_value_out_of_range_counts_as_the_nearest_within() -> None:
    """A latency below zero is zero, one over an hour is an hour: nothing is lost."""
    histogram = of(-7, HIGHEST_US * 3)
    assert histogram.count == 2
    assert histogram.percentile(0) == 0
    assert histogram.max == pytest.approx(HIGHEST_US, rel=1e-3)


def test_an_empty_histogram_is_all_zeros() -> None:
    """Count, mean, maximum and percentiles are 0."""
    empty = Histogram.decode(Histogram().encode())
    assert (empty.count, empty.mean, empty.max, empty.percentile(50)) == (0, 0, 0, 0)
    assert empty.buckets()[0].size == 0


def test_buckets_hold_all_values() -> None:
    """Their middles rise, and their counts add up."""
    middles, counts = of(1, 1, 3000, 10_000_000).buckets()
    assert counts.tolist() == [2, 1, 1]
    assert middles.tolist() == pytest.approx([1, 3000, 10_000_000], rel=1e-3)


@pytest.mark.parametrize("q", [-1, 100.1, float("nan")])
def test_a_percentile_outside_0_to_100_is_refused(q: float) -> None:
    """With an error, not with a wrong value."""
    with pytest.raises(ValueError, match="between 0 and 100"):
        of(1).percentile(q)


@given(st.one_of(st.binary(max_size=60).map(lambda raw: base64.b64encode(raw).decode()), st.text(max_size=20)))
def test_text_that_is_no_histogram_is_refused(text: str) -> None:
    """One kind of error, whatever it is."""
    with pytest.raises(ValueError, match=r"."):
        Histogram.decode(text)


@given(VALUES, st.data())
def test_a_histogram_that_is_cut_off_is_refused(values: list[int], data: st.DataObject) -> None:
    """At any byte."""
    raw = base64.b64decode(of(*values).encode())
    cut = data.draw(st.integers(0, len(raw) - 1))
    with pytest.raises(ValueError, match=r"."):
        Histogram.decode(base64.b64encode(raw[:cut]))
