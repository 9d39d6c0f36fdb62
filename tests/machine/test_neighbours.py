"""Harnesses on one machine know of one another."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.machine.guard import sweep
from harness.machine.neighbours import SUFFIX, Neighbour, announced

HOLDS = (
    "import sys; from pathlib import Path; from harness.machine.neighbours import announced\n"
    "with announced('gatebench run quick', Path('results/a'), Path(sys.argv[1])):\n"
    "    print('there', flush=True); sys.stdin.read()"
)


def test_a_harness_sees_those_that_were_there_before_it(tmp_path: Path) -> None:
    """With process, command and folder; not itself, and none when they have ended."""
    with announced("gatebench run quick", Path("/x/results/a"), tmp_path) as first:
        assert first == []
        with announced("gatebench load", None, tmp_path) as second:
            (seen,) = second
            assert (seen.command, seen.folder) == ("gatebench run quick", "/x/results/a")
    with announced("gatebench tune", None, tmp_path) as third:
        assert third == []
    assert list(tmp_path.iterdir()) == []


def test_the_file_of_a_killed_harness_is_no_harness(tmp_path: Path, checkout: Path) -> None:
    """The kernel drops the lock, and who comes next removes the file."""
    argv = [sys.executable, "-c", HOLDS, str(tmp_path)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=checkout) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "there\n"
        with announced("gatebench run", None, tmp_path) as seen:
            assert [each.pid for each in seen] == [other.pid]
            assert str(seen[0]) == f"process {other.pid}, `gatebench run quick`, into {checkout}/results/a"
        other.send_signal(signal.SIGKILL)
        other.wait()
    assert len(list(tmp_path.glob(f"*{SUFFIX}"))) == 1
    with announced("gatebench run", None, tmp_path) as seen:
        assert seen == []
    assert list(tmp_path.iterdir()) == []


def test_the_reaper_of_a_killed_harness_removes_its_file(tmp_path: Path, checkout: Path) -> None:
    """At once; files of harnesses that live stay."""
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    argv = [sys.executable, "-c", f"from harness.machine.guard import guard; guard()\n{HOLDS}"]
    within = tmp_path / f"gatebench-{os.getuid()}"
    with subprocess.Popen(
        [*argv, str(within)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=checkout, env=environment
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "there\n"
        with announced("gatebench load", None, within):
            other.send_signal(signal.SIGKILL)
            other.wait()
            deadline = time.monotonic() + 20.0
            while len(list(within.iterdir())) > 1 and time.monotonic() < deadline:
                time.sleep(0.01)
            assert len(list(within.glob(f"*{SUFFIX}"))) == 1, "ours"
    assert list(within.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_no_reason_to_stop(tmp_path: Path) -> None:
    """Nobody is seen then."""
    with announced("gatebench run", None, tmp_path / "gone") as seen:
        assert seen == []


def test_a_long_command_is_told_in_part(tmp_path: Path) -> None:
    """Its file is read at once."""
    with announced("x" * 100_000, None, tmp_path), announced("gatebench run", None, tmp_path) as seen:
        (long,) = seen
        assert isinstance(long, Neighbour)
        assert long.command.startswith("xxx")


def test_files_that_cannot_be_removed_are_no_reason_to_stop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a disk that has become read-only: the sweep at a start goes on, and the file stays."""
    left = tmp_path / f"left{SUFFIX}"
    left.write_text("{}")

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(Path, "unlink", refuse)
    assert sweep(tmp_path) == []
    assert left.exists()
