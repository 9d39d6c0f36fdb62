"""What we start does not outlive us, whoever is killed, and nobody else's process is ended."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.machine import ledger, usage
from harness.machine.guard import Guard, Swept, guard, sweep
from harness.machine.identity import MARK, Family, Identity, identity, kill, kin, lives, table
from harness.machine.process import Process, running, stop
from tests.polling import until

SLEEP = "import time; time.sleep(60)"
ESCAPES = f"""
import os, subprocess, sys, time
subprocess.Popen([sys.executable, "-c", {SLEEP!r}], start_new_session=True)
print("escaped", flush=True)
time.sleep(60)
"""
ESCAPES_AND_LOSES_ITS_PARENT = f"""
import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execv(sys.executable, [sys.executable, "-c", {SLEEP!r}])
    os._exit(0)
os.wait()
print("escaped", flush=True)
time.sleep(60)
"""
HARNESS = """
import sys, time
from pathlib import Path
from harness.machine.guard import guard, scratch
from harness.machine.process import running
(scratch() / "spec.json").touch()
with running([sys.executable, "-c", sys.argv[2]], name="server", log=Path(sys.argv[1], "log")) as process:
    while "escaped" not in process.tail() or len(process.members()) != 2:
        time.sleep(0.01)
    print(guard().reaper.pid, *process.members(), flush=True)
    time.sleep(60)
"""


@contextlib.contextmanager
def started(code: str, folder: Path) -> Iterator[Process]:
    """A process that runs `code`."""
    with running([sys.executable, "-c", code], name="server", log=folder / "log") as process:
        yield process


@contextlib.contextmanager
def harness(folder: Path, code: str) -> Iterator[tuple[subprocess.Popen[str], Identity, list[Identity]]]:
    """Another harness that has started `code`, with its reaper and the processes of that family; its /tmp is ours."""
    environment = os.environ | {"TMPDIR": str(folder)}
    argv = [sys.executable, "-c", HARNESS, str(folder), code]
    popen = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, env=environment)
    assert popen.stdout is not None
    try:
        reaper, *members = [identity(int(pid)) for pid in popen.stdout.readline().split()]
        assert reaper is not None
        yield popen, reaper, [member for member in members if member is not None]
    finally:
        popen.kill()
        popen.wait(20)
        popen.stdout.close()


@pytest.mark.parametrize("code", [ESCAPES, ESCAPES_AND_LOSES_ITS_PARENT])
def test_what_leaves_its_session_is_found_and_ended(code: str, tmp_path: Path) -> None:
    """By ancestry, or by the mark that it inherited."""
    with started(code, tmp_path) as process:
        assert until(lambda: "escaped" in process.tail() and len(process.members()) == 2)
        escaped = identity(max(process.members(), key=lambda pid: pid != process.pid))
        assert escaped is not None
        assert escaped.pid in usage.usage(process.members()).cpu_s
    assert not lives(escaped)
    assert process.members() == []


def test_what_escaped_is_ended_also_when_its_leader_died_first(tmp_path: Path) -> None:
    """We have adopted it."""
    with started(ESCAPES, tmp_path) as process:
        assert until(lambda: "escaped" in process.tail())
        process.popen.kill()
        assert until(lambda: not process.alive())
        (escaped,) = process.members()
    assert identity(escaped) is None, "it has been ended, and its end taken note of"


def test_a_stranger_that_bears_the_id_of_a_dead_leader_is_left_alone() -> None:
    """Its session too: what was started at another time is another process."""
    with subprocess.Popen([sys.executable, "-c", SLEEP], start_new_session=True) as stranger:
        try:
            ours = identity(stranger.pid)
            assert ours is not None
            dead = Family(Identity(stranger.pid, ours.start - 1), "dead-0")
            assert kin(dead, table()) == set()
            kill(dead.leader)
            assert lives(ours)
        finally:
            stranger.kill()


def test_what_has_been_stopped_is_withdrawn(tmp_path: Path) -> None:
    """Nobody may end whatever bears its number later."""
    with started(SLEEP, tmp_path) as process:
        assert process.family in guard().families
        assert guard().ledger is not None
        assert str(process.pid) in guard().ledger.read_text()  # type: ignore[union-attr]
        stop(process)
        assert process.family not in guard().families
    assert not guard().ledger.exists()  # type: ignore[union-attr]


@pytest.mark.parametrize("fault", [signal.SIGKILL, signal.SIGSTOP])
def test_a_reaper_that_is_gone_is_replaced_and_told_of_all_that_lives(fault: signal.Signals, tmp_path: Path) -> None:
    """With the next start of a process, or when its pipe is full."""
    ourselves = identity(os.getpid())
    assert ourselves is not None
    ours = Guard(ourselves, tmp_path / "ledger")
    with subprocess.Popen([sys.executable, "-c", SLEEP], start_new_session=True) as server:
        leader = identity(server.pid)
        assert leader is not None
        ours.entrust(Family(leader, "test-0"))
        assert ours.reaper is not None
        first = ours.reaper
        os.kill(first.pid, fault)
        if fault == signal.SIGKILL:
            assert until(lambda: first.poll() is not None)
        for number in range(2000):
            if ours.reaper is not first:
                break
            family = Family(Identity(2**22 + number, 1), "test-1")
            ours.entrust(family)
            ours.withdraw(family)
        assert ours.reaper is not first
        assert lives(leader)
        ours.dismiss()
        assert not lives(leader), "the new reaper knew of it, and has ended it"
    assert not (tmp_path / "ledger").exists()


def test_sigkill_of_the_harness_ends_what_left_its_session_too(tmp_path: Path) -> None:
    """The reaper finds it by its mark."""
    with harness(tmp_path, ESCAPES_AND_LOSES_ITS_PARENT) as (popen, reaper, members):
        assert len(members) == 2
        popen.kill()
        assert until(lambda: not any(map(lives, [reaper, *members])))
    assert list(tmp_path.glob("gatebench-*/*")) == []


def test_what_harness_and_reaper_left_when_both_were_killed_is_swept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the next start; while the harness lives nothing of it is touched."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with harness(tmp_path, ESCAPES_AND_LOSES_ITS_PARENT) as (popen, reaper, members):
        assert sweep() == []
        assert all(map(lives, members))
        kill(reaper)
        owner = identity(popen.pid)
        assert owner is not None
        popen.kill()
        popen.wait(20)
        assert all(map(lives, members))
        assert sweep() == [Swept(owner, ended=2, left=0)]
        assert not any(map(lives, members))
    assert list(tmp_path.glob("gatebench-*/*")) == []


def test_what_was_started_in_the_moment_of_the_death_is_ended_too(tmp_path: Path) -> None:
    """The reaper was not told of it: it has the mark of the harness."""
    code = f"""
import os, sys
from pathlib import Path
from harness.machine.guard import Guard
from harness.machine.process import running
def die(self, family):
    print(family.leader.pid, flush=True)
    while "GATEBENCH_FAMILY" not in Path(f"/proc/{{family.leader.pid}}/environ").read_text():
        pass
    os.kill(os.getpid(), 9)
Guard.entrust = die
with running([sys.executable, "-c", {SLEEP!r}], name="server", log=Path({str(tmp_path / "log")!r})):
    pass
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL
    server = int(done.stdout)
    assert until(lambda: not any(pid == server and not entry.ended for pid, entry in table().items()))


def test_ledgers_stand_in_a_folder_of_ours_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where somebody else could write, there is none."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    within = ledger.folder()
    assert within is not None
    assert within.stat().st_mode & 0o777 == 0o700
    within.chmod(0o777)
    assert ledger.folder() is None
    within.rmdir()
    within.symlink_to(tmp_path)
    assert ledger.folder() is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"boot": "earlier", "namespace": "x", "families": [[1, 2, "m"]]}'])
def test_a_ledger_that_is_torn_or_from_before_the_start_names_nobody(text: str) -> None:
    """Its ids mean nothing."""
    assert ledger.decode(text) == []


def test_every_family_has_a_mark_of_its_own_in_its_environment(tmp_path: Path) -> None:
    """Which its descendants inherit."""
    with started(SLEEP, tmp_path) as one, started(SLEEP, tmp_path) as two:
        assert one.family.mark != two.family.mark
        assert until(lambda: f"{MARK}={one.family.mark}".encode() in Path(f"/proc/{one.pid}/environ").read_bytes())
