"""A file that is replaced is the old one or the new one, at every moment."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from pathlib import Path

import pytest

from harness.record import durable


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file with some content, alone in its folder."""
    path = tmp_path / "calibration.json"
    path.write_bytes(b"old")
    return path


def failing(number: int) -> OSError:
    """The error of that number."""
    return OSError(number, os.strerror(number))


def test_the_content_is_replaced_and_nothing_is_left_beside_it(file: Path) -> None:
    """Shorter or longer than before."""
    for content in (b"new and longer", b""):
        durable.replace(file, content)
        assert file.read_bytes() == content
        assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_a_file_that_was_not_there_is_made(tmp_path: Path) -> None:
    """The first calibration of a machine."""
    durable.replace(tmp_path / "new", b"content")
    assert (tmp_path / "new").read_bytes() == b"content"


def test_the_content_is_on_disk_before_the_name_and_the_name_before_the_return(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In any other order a crash could leave an empty file under the name, or bring the old one back."""
    steps: list[str] = []

    def fsync(descriptor: int) -> None:
        folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        steps.append(f"sync folder: {file.read_text()}" if folder else f"sync file: {os.fstat(descriptor).st_size}")

    monkeypatch.setattr(os, "fsync", fsync)
    durable.replace(file, b"new!")
    assert steps == ["sync file: 4", "sync folder: new!"]


def test_a_file_that_has_the_content_already_is_not_written_again(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its times stay, it is on the disk, and what a killed process has left beside it is removed all the same."""
    os.utime(file, (1, 1))
    (file.parent / f"{file.name}.4194305.part").write_bytes(b"hal")
    steps: list[bool] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: steps.append(stat.S_ISDIR(os.fstat(descriptor).st_mode)))
    durable.replace(file, b"old")
    assert (file.stat().st_mtime, file.read_bytes()) == (1, b"old")
    assert [path.name for path in file.parent.iterdir()] == [file.name]
    assert steps == [False, True]


@pytest.mark.parametrize("content", [b"odd", b"older", b"ol", b""])
def test_a_file_with_other_content_is_written(file: Path, content: bytes) -> None:
    """Of the same length too."""
    os.utime(file, (1, 1))
    durable.replace(file, content)
    assert file.read_bytes() == content
    assert file.stat().st_mtime != 1


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_a_disk_that_fails_leaves_the_old_file_and_nothing_else(
    file: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """The caller hears of it."""

    def fsync(_: int) -> None:
        raise failing(number)

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(OSError, match=os.strerror(number)):
        durable.replace(file, b"new")
    assert file.read_bytes() == b"old"
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_an_interruption_leaves_the_old_file_and_nothing_else(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C may come at any moment."""

    def fsync(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(KeyboardInterrupt):
        durable.replace(file, b"new")
    assert file.read_bytes() == b"old"
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_what_a_killed_process_has_left_for_that_file_is_removed(file: Path) -> None:
    """Nothing of another file, nothing of another name, and nothing that a living process still writes."""
    (file.parent / f"{file.name}.4194305.part").write_bytes(b"hal")
    others = [file.parent / name for name in ("run.json.4194305.part", f"{file.name}.part", f"{file.name}.x.part")]
    living = file.parent / f"{file.name}.4194306.part"
    for path in (*others, living):
        path.write_bytes(b"kept")
    with living.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        durable.replace(file, b"new")
    assert file.read_bytes() == b"new"
    assert {path.name for path in file.parent.iterdir()} == {path.name for path in (file, living, *others)}


def test_a_folder_that_cannot_be_synced_is_no_failure(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some network file systems know no sync of folders."""

    def fsync(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise failing(errno.EINVAL)

    monkeypatch.setattr(os, "fsync", fsync)
    durable.replace(file, b"new")
    assert file.read_bytes() == b"new"


def test_a_folder_on_a_failing_disk_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the descriptor of the folder is given back."""

    def fsync(_: int) -> None:
        raise failing(errno.EIO)

    monkeypatch.setattr(os, "fsync", fsync)
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        durable.sync_folder(tmp_path)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
