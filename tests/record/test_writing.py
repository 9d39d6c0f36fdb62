"""Rows on disk before the next begins, one harness at a time, and a disk that fails."""

from __future__ import annotations

import errno
import json
import math
import os
import re
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness import record
from harness.errors import RecordError, StorageError, UsageError
from harness.record import durable, lock
from harness.record import sitting as sittings
from harness.record.folders import still_there
from tests import factories

ROOT = Path(__file__).resolve().parent.parent.parent
RUN = factories.simulated_run()
HOLDER = """
import sys, time
from pathlib import Path
from harness.record import lock
with lock.held(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""
FILLING = """
import resource, sys
from pathlib import Path
from harness import record
from harness.errors import StorageError
from tests import factories
run = factories.simulated_run()
rows = [record.writer.adapter(record.Trial).dump_json(trial) + b"\\n" for trial in run.trials]
try:
    with record.writing(Path(sys.argv[1]), run.info) as writer:
        size = sum(map(len, rows[:2])) + len(rows[2]) // 2
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
        for trial in run.trials:
            writer.append(trial)
except StorageError as error:
    print(error)
    sys.exit(error.exit_code)
"""


@pytest.fixture
def holder(tmp_path: Path):
    """Another process that holds the lock of `tmp_path`."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_second_harness_is_refused_and_told_of_the_first(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    """By process and host; the records are as they were."""
    with (
        pytest.raises(UsageError, match=f"process {holder.pid} on {os.uname().nodename}, is measuring") as caught,
        record.writing(tmp_path, RUN.info),
    ):
        pytest.fail("both write")
    assert caught.value.exit_code == 2
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]


def test_a_run_that_is_still_running_is_not_resumed(tmp_path: Path) -> None:
    """What it has not written yet would be measured twice."""
    with record.writing(tmp_path, RUN.info), pytest.raises(UsageError, match=f"process {os.getpid()} on"):
        sittings.resume(tmp_path, accept_changes=True)
    assert sittings.resume(tmp_path, accept_changes=True).earlier == ()


def test_the_lock_dies_with_its_holder(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    """However it ends: nothing has to be removed by hand."""
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    with record.writing(tmp_path, RUN.info) as writer:
        writer.append(RUN.trials[0])
    assert len(record.read(tmp_path).trials) == 1


def test_run_json_is_the_old_or_the_new_file_at_every_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk fails while it is replaced."""
    with record.writing(tmp_path, RUN.info) as writer:
        before = (tmp_path / record.INFO).read_bytes()
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", failing(errno.ENOSPC))
            with pytest.raises(StorageError, match="No space left on device"):
                writer.finish()
        assert (tmp_path / record.INFO).read_bytes() == before
        assert writer.info.finished is None
        writer.finish()
    assert record.read_info(tmp_path).finished is not None


def test_the_name_of_a_new_folder_and_of_its_records_is_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a crash could leave rows on the disk that no folder knows."""
    synced: list[str] = []
    monkeypatch.setattr(durable, "sync_folder", lambda folder: synced.append(folder.name))
    folder = record.new_folder(tmp_path / "results", "quick")
    assert synced == [tmp_path.name, "results"]
    folder.mkdir(parents=True, exist_ok=True)
    with record.writing(folder, RUN.info):
        assert synced[-1] == folder.name
        assert (folder / record.TRIALS).exists()


def test_a_resumed_run_keeps_every_row_and_rewrites_none(tmp_path: Path) -> None:
    """Of the interrupted block only the rows of the later sitting count; the earlier ones stay in the file."""
    with record.writing(tmp_path, RUN.info) as writer:
        for trial in RUN.trials[:-1]:
            writer.append(trial)
    before = (tmp_path / record.TRIALS).read_bytes()
    sitting = sittings.resume(tmp_path, accept_changes=True)
    lost = RUN.trials[-1]
    again = [trial for trial in RUN.trials if (trial.group, trial.block) == (lost.group, lost.block)]
    assert list(sitting.earlier) == [trial for trial in RUN.trials if trial not in again]
    with record.writing(tmp_path, sitting.info) as writer:
        for trial in again:
            writer.append(trial)
    assert (tmp_path / record.TRIALS).read_bytes().startswith(before)
    run = record.read(tmp_path)
    assert run.superseded == len(again) - 1
    assert [replace(trial, sitting=0) for trial in run.trials] == [*sitting.earlier, *again]
    assert [trial.sitting for trial in run.trials] == [0] * len(sitting.earlier) + [1] * len(again)
    assert record.whole_blocks(run) == run.trials


def test_rows_of_two_sittings_never_make_up_one_block(tmp_path: Path) -> None:
    """A block that was interrupted twice, at other arms each time, is measured again as a whole."""
    last = RUN.trials[-1]
    block = [trial for trial in RUN.trials if (trial.group, trial.block) == (last.group, last.block)]
    for rows in (block[:-1], block[-1:]):
        with record.writing(tmp_path, RUN.info) as writer:
            for trial in rows:
                writer.append(trial)
    run = record.read(tmp_path)
    assert [trial.trial for trial in run.trials] == [last.trial]
    assert run.superseded == len(block) - 1
    assert record.whole_blocks(run) == ()


def failing(number: int) -> Any:
    """A system call that fails with this error."""

    def call(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    return call


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENOSPC, "Make room on the disk"),
        (errno.EROFS, "Make the file system writable"),
        (errno.EIO, "Look after"),
    ],
)
def test_a_row_that_cannot_be_written_is_one_message_and_leaves_whole_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, remedy: str
) -> None:
    """With what to do, and how the run goes on."""
    with record.writing(tmp_path, RUN.info) as writer:
        writer.append(RUN.trials[0])
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", failing(number))
            with pytest.raises(StorageError, match=remedy) as caught:
                writer.append(RUN.trials[1])
    assert caught.value.exit_code == 3
    assert str(caught.value).endswith(f"gatebench run --resume {tmp_path}")
    run = record.read(tmp_path)
    assert (run.trials, run.torn) == (RUN.trials[:1], 0)


def test_a_disk_that_fills_up_in_a_row_ends_the_run_with_whole_rows(tmp_path: Path) -> None:
    """The kernel writes what fits of the row, and fails only then: that part is cut off again."""
    folder = tmp_path / "run"
    folder.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", FILLING, str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 3, done.stderr
    assert done.stdout == (
        f"{folder} cannot be written: File too large; what was measured before is kept. "
        f"Raise the limit of the size of a file (ulimit -f), then: gatebench run --resume {folder}\n"
    )
    run = record.read(folder)
    assert run.torn == 0
    assert 0 < len(run.trials) < len(RUN.trials)
    assert run.trials == RUN.trials[: len(run.trials)]


def test_a_folder_that_vanished_is_one_message(tmp_path: Path) -> None:
    """Somebody cleaned up."""
    folder = tmp_path / "run"
    folder.mkdir(parents=True, exist_ok=True)
    with record.writing(folder, RUN.info) as writer:
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()
        with pytest.raises(StorageError, match="Put the folder back"):
            writer.finish()


def test_a_folder_that_vanished_before_its_report_is_no_bad_usage(tmp_path: Path) -> None:
    """Something was measured, and is kept wherever the folder is now; a record that is wrong stays a wrong record."""
    gone = tmp_path / "gone"
    with (
        pytest.raises(StorageError, match=r"gone cannot be written: No such file.* then: gatebench report gone"),
        still_there(gone, "gatebench report gone"),
    ):
        record.read(gone)
    (tmp_path / record.INFO).write_text("{")
    with pytest.raises(RecordError, match="not a JSON object") as caught, still_there(tmp_path, "gatebench report"):
        record.read(tmp_path)
    assert not isinstance(caught.value, StorageError)


def test_an_error_of_the_measurement_is_not_taken_for_one_of_the_disk(tmp_path: Path) -> None:
    """The records are open while it runs."""
    with pytest.raises(ConnectionResetError), record.writing(tmp_path, RUN.info):
        raise ConnectionResetError


@pytest.mark.parametrize("figure", [math.nan, math.inf, -math.inf, -1.0])
def test_a_figure_that_cannot_be_true_is_an_error_in_its_row(tmp_path: Path, figure: float) -> None:
    """It is not written as null, which means not known, and does not make the run unreadable."""
    with record.writing(tmp_path, RUN.info) as writer:
        writer.append(replace(RUN.trials[0], throughput_rps=figure))
        writer.append(RUN.trials[1])
    (first, second) = record.read(tmp_path).trials
    assert re.fullmatch(r"cannot be recorded: throughput_rps: .+", first.error or "")
    assert (first.trial, first.throughput_rps, first.valid) == (RUN.trials[0].trial, None, False)
    assert second == RUN.trials[1]


def test_no_number_that_is_not_finite_is_written_as_null(tmp_path: Path) -> None:
    """Where no reader would look for it either, it is refused by name."""
    with record.writing(tmp_path, replace(RUN.info, environment={"load": 1.0})):
        pass
    path = tmp_path / record.INFO
    table = json.loads(path.read_text())
    table["plan"]["thresholds"]["lateness_p99_us"] = math.inf
    path.write_text(json.dumps(table))
    with pytest.raises(RecordError, match=r"run\.json: plan\.thresholds\.lateness_p99_us: .*finite"):
        record.read_info(tmp_path)


def test_a_folder_that_was_moved_away_ends_the_run_and_is_not_made_anew(tmp_path: Path) -> None:
    """No row goes where nobody looks, and no second run.json appears."""
    folder = tmp_path / "run"
    folder.mkdir(parents=True, exist_ok=True)
    with record.writing(folder, RUN.info) as writer:
        writer.append(RUN.trials[0])
        folder.rename(tmp_path / "away")
        with pytest.raises(StorageError, match="Put the folder back"):
            writer.append(RUN.trials[1])
        folder.mkdir()
        with pytest.raises(StorageError, match="Put the folder back"):
            writer.finish()
    assert list(folder.iterdir()) == []
    assert len(record.read(tmp_path / "away").trials) == 1


def test_a_folder_that_was_moved_away_before_the_first_record_is_not_made_anew(tmp_path: Path) -> None:
    """And nothing is there yet that --resume could go on with."""
    folder = sittings.own_folder(tmp_path / "run")
    folder.rename(tmp_path / "away")
    with (
        pytest.raises(StorageError, match=r"Put the folder back, then: start it again$"),
        record.writing(folder, RUN.info),
    ):
        pass
    assert not folder.exists()


def test_a_start_that_did_not_get_as_far_as_run_json_can_be_made_again(tmp_path: Path) -> None:
    """Its folder holds the lock and no record; one that holds anything else is refused."""
    folder = sittings.own_folder(tmp_path / "run")
    with lock.held(folder):
        pass
    assert sittings.own_folder(folder) == folder
    (folder / record.TRIALS).touch()
    with pytest.raises(UsageError, match="exists already"):
        sittings.own_folder(folder)
