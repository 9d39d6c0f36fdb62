"""calibration.json: what is kept beside the runs, and when a run quotes it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.errors import RecordError
from harness.record import calibration as calibrations
from harness.record.calibration import Calibration
from tests.calibration_support import calibration


@pytest.fixture
def kept(tmp_path: Path) -> Calibration:
    """A calibration of this machine that lies in `tmp_path`."""
    made = calibration()
    calibrations.store(made, tmp_path)
    return made


def test_a_calibration_is_quoted_on_the_machine_that_it_was_made_on(tmp_path: Path, kept: Calibration) -> None:
    """What a generator can do depends on its CPU and on which of them it may use."""
    assert calibrations.stored(tmp_path) == kept
    for elsewhere in (replace(kept, cpu="another"), replace(kept, usable_cpus=(98, 99))):
        calibrations.store(elsewhere, tmp_path)
        assert calibrations.stored(tmp_path) is None


def test_without_a_calibration_none_is_quoted(tmp_path: Path) -> None:
    """Nor is that an error."""
    assert calibrations.stored(tmp_path) is None


def test_a_torn_calibration_is_refused_by_name(tmp_path: Path, kept: Calibration) -> None:
    """Cut off anywhere, with what to do about it."""
    path = tmp_path / calibrations.FILE
    whole = path.read_bytes()
    assert kept.cpu.encode() in whole
    for length in (0, 1, len(whole) // 2, len(whole) - 3):
        path.write_bytes(whole[:length])
        with pytest.raises(RecordError, match=r"calibration\.json.*gatebench calibrate"):
            calibrations.stored(tmp_path)


def test_a_calibration_that_cannot_be_opened_is_refused_by_name(tmp_path: Path) -> None:
    """A folder of that name, or a file of another user."""
    (tmp_path / calibrations.FILE).mkdir()
    with pytest.raises(RecordError, match=r"calibration\.json.*gatebench calibrate"):
        calibrations.stored(tmp_path)


@pytest.mark.usefixtures("kept")
def test_a_disk_that_is_full_leaves_the_calibration_that_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And is one clear message."""

    def fsync(_: int) -> None:
        raise OSError(28, "No space left on device")

    before = (tmp_path / calibrations.FILE).read_bytes()
    monkeypatch.setattr("os.fsync", fsync)
    with pytest.raises(RecordError, match=r"calibration\.json cannot be written: No space left"):
        calibrations.store(calibration(), tmp_path)
    assert (tmp_path / calibrations.FILE).read_bytes() == before
