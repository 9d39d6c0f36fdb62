"""The instrument itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness import calibrate
from harness.cli.options import placed
from harness.errors import RecordError


def made() -> calibrate.Calibration:
    """A calibration of this machine, with its dear pieces left out."""
    timing = calibrate.Timing(p50_us=10.0, p99_us=60.0)
    return calibrate.whole(
        {
            "seen_rps": 90_000.0,
            "seen_cpu_percent": 90.0,
            "ceiling_rps": 100_000.0,
            "trusted_rps": 85_000.0,
            "fasthttp_rps": 6_000.0,
            "wrk_rps": None,
            "wrk": "missing: apt-get install wrk",
            "floor": timing,
            "floor_blocking": timing,
            "timer": timing,
            "timer_gevent": timing,
            "histogram_error": calibrate.histogram_error(),
        }
    )


def test_percentiles_are_within_a_tenth_of_a_percent() -> None:
    """Of the exact ones, over scales from 50 us to half a second."""
    assert calibrate.histogram_error() <= 0.001


def test_a_calibration_is_kept_and_quoted_on_the_same_machine_only(tmp_path: Path) -> None:
    """Another CPU's says nothing here."""
    assert calibrate.stored(tmp_path) is None
    found = made()
    calibrate.store(found, tmp_path)
    assert calibrate.stored(tmp_path) == found
    calibrate.store(replace(found, cpu="another"), tmp_path)
    assert calibrate.stored(tmp_path) is None


def test_a_broken_calibration_is_refused_by_name(tmp_path: Path) -> None:
    """With what to do about it."""
    (tmp_path / calibrate.FILE).write_text("{}")
    with pytest.raises(RecordError, match=r"calibration\.json.*gatebench calibrate"):
        calibrate.stored(tmp_path)


@pytest.mark.live
def test_the_ceiling_is_measured_on_a_server_that_only_answers(tmp_path: Path) -> None:
    """The first piece; what a whole core would do is no less than what was seen."""
    pieces = calibrate.calibrate(placed(None), tmp_path)
    what, piece = next(pieces)
    pieces.close()
    assert what == "ceiling"
    assert piece["ceiling_rps"] >= piece["seen_rps"] > 0
    assert piece["trusted_rps"] <= piece["ceiling_rps"]
