"""The cgroups of a pod: what is written into them, what is read out of them, and that they go."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from harness.machine import ledger, pods
from harness.machine.identity import Identity, identity
from harness.machine.pods import Groups, Spent, made, refused
from harness.machine.process import running

MIB = 1 << 20
SECOND = {
    "proc/self/mounts": "cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n",
    "proc/self/cgroup": "0::/user.slice/session.scope\n",
    "sys/fs/cgroup/cgroup.subtree_control": "cpu memory\n",
    "sys/fs/cgroup/user.slice/cgroup.subtree_control": "memory pids\n",
}
FIRST = {
    "proc/self/mounts": (
        "cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\ncgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0\n"
    ),
    "proc/self/cgroup": "2:memory:/docker/of-the-host\n1:cpu:/ours\n",
    "sys/fs/cgroup/cpu/ours/tasks": "",
    "sys/fs/cgroup/memory/tasks": "",
}


def tree(root: Path, files: Mapping[str, str]) -> Path:
    """A machine of these files."""
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.fixture(autouse=True)
def _own_notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(pods, "EMPTY_S", 0.0)  # files of a tree are no kernel's: its folders stay


def test_a_pod_of_version_2_is_one_group_with_both_limits(tmp_path: Path) -> None:
    """In the nearest group above us that takes it; what that does not give yet to those below it, it is told to."""
    slice_ = tree(tmp_path, SECOND) / "sys/fs/cgroup/user.slice"
    with made(0.25, 512 * MIB, tmp_path) as groups:
        (folder,) = groups.folders
        assert folder.parent == slice_
        written = {path.name: path.read_text() for path in folder.iterdir()}
    assert written == {
        "cpu.max": "25000 100000",
        "memory.max": str(512 * MIB),
        "memory.swap.max": "0",
        "memory.oom.group": "1",
    }
    assert (slice_ / "cgroup.subtree_control").read_text() == "+cpu +memory"


def test_a_pod_of_version_1_is_a_group_for_each_limit(tmp_path: Path) -> None:
    """In our own, or the topmost where our path is that of another machine."""
    tree(tmp_path, FIRST)
    with made(0.5, 64 * MIB, tmp_path) as groups:
        assert groups.cpu is not None
        assert groups.memory is not None
        assert groups.cpu.parent == tmp_path / "sys/fs/cgroup/cpu/ours"
        assert groups.memory.parent == tmp_path / "sys/fs/cgroup/memory"
        assert (groups.cpu / "cpu.cfs_quota_us").read_text() == "50000"
        assert (groups.memory / "memory.limit_in_bytes").read_text() == str(64 * MIB)


def test_what_is_not_limited_has_no_group(tmp_path: Path) -> None:
    """Nor is anything put before the command then."""
    tree(tmp_path, FIRST)
    with made(0.5, None, tmp_path) as groups:
        assert groups.memory is None
        assert groups.entering(["server", "--port"])[-3:] == ["--", "server", "--port"]
    with made(None, None, tmp_path) as groups:
        assert groups.entering(["server"]) == ["server"]


@pytest.mark.parametrize("files", [{}, {"proc/self/mounts": "tmpfs /tmp tmpfs rw 0 0\n"}])
def test_where_no_pod_can_be_had_it_is_said_what_that_needs(tmp_path: Path, files: Mapping[str, str]) -> None:
    """No cgroups are mounted."""
    why = refused(0.5, None, tree(tmp_path, files))
    assert why is not None
    assert "no cgroups with cpu are mounted" in why
    assert "systemd-run --user" in why


@pytest.mark.parametrize(
    ("files", "spent"),
    [
        (
            {
                "cpu.stat": "usage_usec 9\nnr_periods 22\nnr_throttled 20\nthrottled_usec 1500000\n",
                "memory.events": "low 0\noom 3\noom_kill 2\n",
                "memory.peak": "4096\n",
            },
            Spent(periods=22, throttled=20, throttled_s=1.5, oom_kills=2, peak_bytes=4096),
        ),
        (
            {
                "cpu.stat": "nr_periods 22\nnr_throttled 20\nthrottled_time 1500000000\n",
                "memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n",
                "memory.max_usage_in_bytes": "4096\n",
            },
            Spent(periods=22, throttled=20, throttled_s=1.5, oom_kills=2, peak_bytes=4096),
        ),
        ({}, Spent()),
    ],
)
def test_what_a_pod_has_counted_is_read_from_both_versions(
    tmp_path: Path, files: Mapping[str, str], spent: Spent
) -> None:
    """Files as the kernel documents them for v2."""
    tree(tmp_path, files)
    assert Groups(cpu=tmp_path, memory=tmp_path).spent() == spent


def test_counts_of_a_window_are_differences_and_kills_are_all() -> None:
    """A kill before the window has spoiled it too."""
    before, now = Spent(periods=10, throttled=9, throttled_s=0.5, oom_kills=1), Spent(30, 19, 1.5, 1, 77)
    assert now.since(before) == Spent(periods=20, throttled=10, throttled_s=1.0, oom_kills=1, peak_bytes=77)


def test_the_counts_of_several_pods_are_summed(tmp_path: Path) -> None:
    """Where none has a memory limit, the most memory is not known."""
    for name, kills in (("one", 1), ("two", 2)):
        text = "nr_periods 10\nnr_throttled 4\nthrottled_usec 500000\n"
        tree(tmp_path / name, {"cpu.stat": text, "memory.events": f"oom_kill {kills}\n", "memory.peak": "4096\n"})
    one, two = (Groups(cpu=tmp_path / name, memory=tmp_path / name) for name in ("one", "two"))
    both = Groups(one.cpu, one.memory, further=(two,))
    assert both.spent() == Spent(periods=20, throttled=8, throttled_s=1.0, oom_kills=3, peak_bytes=8192)
    assert Groups(cpu=one.cpu, further=(Groups(cpu=two.cpu),)).spent().peak_bytes is None


def test_several_pods_weigh_as_much_as_one(tmp_path: Path) -> None:
    """Where others want the CPU too, they would get as many times its share; a pod of memory alone has no weight."""
    tree(tmp_path, {"one/cpu.shares": "1024", "two/cpu.weight": "100"})
    for folder, name, text in (("one", "cpu.shares", "256"), ("two", "cpu.weight", "25")):
        Groups(cpu=tmp_path / folder).weigh_together(4)
        assert (tmp_path / folder / name).read_text() == text
    Groups(memory=tmp_path / "one").weigh_together(2)
    assert (tmp_path / "one/cpu.shares").read_text() == "256"


def test_groups_that_a_killed_harness_left_go_with_the_next_start(tmp_path: Path) -> None:
    """By its notes; those of a harness that lives are left alone."""
    ours, within = identity(os.getpid()), ledger.folder()
    assert ours is not None
    assert within is not None
    left = {}
    for harness in (ours, Identity(ours.pid, ours.start - 1)):
        left[harness] = tmp_path / f"{pods.PREFIX}{harness.pid}-{harness.start}-0"
        left[harness].mkdir()
        (within / f"{harness.pid}-{harness.start}{pods.SUFFIX}").write_text(f"{left[harness]}\n/never/made\n")
    pods.sweep(within)
    assert [folder.exists() for folder in left.values()] == [True, False]
    assert [path.stem for path in within.iterdir()] == [f"{ours.pid}-{ours.start}"]


@pytest.mark.live
def test_a_server_in_a_pod_and_its_children_have_its_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What they use is counted, and the groups are gone at the end."""
    monkeypatch.setattr(pods, "EMPTY_S", 5.0)
    if why := refused(0.2, 64 * MIB):
        pytest.skip(why)
    spin = "import time; end = time.monotonic() + 1\nwhile time.monotonic() < end: pass"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {spin!r}])\nbytearray(1 << 27)"
    with made(0.2, 64 * MIB) as groups:
        with running(groups.entering([sys.executable, "-c", code]), name="pod", log=tmp_path / "log") as process:
            process.popen.wait(60)
        spent = groups.spent()
    assert spent.throttled > 2
    assert spent.throttled_s > 0.1
    assert spent.oom_kills == 1
    assert not any(folder.exists() for folder in groups.folders)


@pytest.mark.live
def test_a_command_that_is_not_there_is_said() -> None:
    """By the shell that entered the pod."""
    if why := refused(0.5, None):
        pytest.skip(why)
    with made(0.5, None) as groups:
        done = subprocess.run(groups.entering(["/no/python"]), capture_output=True, text=True, check=False)
    assert done.returncode == 127
    assert "/no/python" in done.stderr
