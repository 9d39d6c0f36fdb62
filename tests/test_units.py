"""Numbers as people read them."""

from __future__ import annotations

import pytest

from harness import units
from harness.units import MISSING, THIN


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (15312, "15,300"),
        (1096.4, "1,100"),
        (999.6, "1,000"),
        (41.06, "41.1"),
        (9.996, "10.0"),
        (0.000123, "0.000123"),
        (0, "0"),
        (None, MISSING),
        (float("nan"), MISSING),
        (float("inf"), MISSING),
    ],
)
def test_a_number_has_three_digits(value: float | None, text: str) -> None:
    """Thousands are separated, nothing is in scientific notation, and what is missing is no zero."""
    assert units.number(value) == text


@pytest.mark.parametrize(
    ("count", "noun", "text"),
    [
        (1, "worker", "1 worker"),
        (4, "worker", "4 workers"),
        (0, "block", "0 blocks"),
        (1200, "trial", "1,200 trials"),
        (2, "more block", "2 more blocks"),
    ],
)
def test_a_count_goes_with_its_noun(count: int, noun: str, text: str) -> None:
    """One of a thing is singular, any other count plural."""
    assert units.plural(count, noun) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(412, "412 µs"), (1240, "1.24 ms"), (20_300, "20.3 ms"), (1_200_000, "1.20 s"), (None, MISSING)],
)
def test_a_latency_is_in_the_unit_that_it_reads_best_in(value: float | None, text: str) -> None:
    """From microseconds to seconds."""
    assert units.duration_us(value) == text.replace(" ", THIN)


def test_a_duration_in_seconds_reads_like_a_latency() -> None:
    """The CPU time of a request is some microseconds."""
    assert units.seconds(0.000064) == f"64.0{THIN}µs"


@pytest.mark.parametrize(
    ("value", "text"), [(4.4, "4 s"), (59.6, "1 min 00 s"), (520, "8 min 40 s"), (3900, "1 h 05 min")]
)
def test_a_wait_is_in_minutes(value: float, text: str) -> None:
    """Rounded before it is split, so that no minute has sixty seconds."""
    assert units.clock(value).replace(THIN, " ") == text


@pytest.mark.parametrize(
    ("value", "text"), [(212, "212 B"), (93.2 * 2**20, "93.2 MiB"), (24 * 2**30, "24.0 GiB"), (None, MISSING)]
)
def test_memory_is_in_powers_of_1024(value: float | None, text: str) -> None:
    """And says so in its unit."""
    assert units.bytes_(value) == text.replace(" ", THIN)


@pytest.mark.parametrize(("value", "text"), [(0.05, "5 %"), (0.083, "8.3 %"), (0.0996, "10 %"), (0.3123, "31 %")])
def test_a_share_is_a_percentage(value: float, text: str) -> None:
    """To a tenth below ten, unless it is whole."""
    assert units.percent(value) == text.replace(" ", THIN)


@pytest.mark.parametrize(
    ("figures", "text"),
    [
        ((2.131, 1.98, 2.3), "2.13 (1.98 to 2.30)"),
        ((0.158, 0.152, 0.165), "0.158 (0.152 to 0.165)"),
        ((15.96, 15.6, 16.3), "16.0 (15.6 to 16.3)"),
        ((1.024, None, None), "1.02"),
        ((None, None, None), MISSING),
    ],
)
def test_a_ratio_has_its_interval_beside_it(figures: tuple[float | None, ...], text: str) -> None:
    """The ends have as many decimals as the ratio; without an interval there are none."""
    assert units.ratio(*figures) == text


@pytest.mark.parametrize(
    ("text", "short"), [("20.0 ms", "20 ms"), ("1.50 s", "1.5 s"), ("1,000/s", "1,000/s"), ("0.200", "0.2")]
)
def test_a_tick_needs_no_zeros_behind_the_point(text: str, short: str) -> None:
    """It is round by construction."""
    assert units.tick(text) == short


def test_times_by_what_they_go_into_leave_out_what_takes_none() -> None:
    """Each as a person waits for it."""
    text = units.clocks({"load": 247.4, "edges": 0.4, "warm-up": 38.0})
    assert text.replace(THIN, " ") == "load 4 min 07 s, warm-up 38 s"
