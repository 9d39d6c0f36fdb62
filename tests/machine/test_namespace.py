"""Whoever is killed, the kernel ends all that was started in a namespace."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.machine.doctor import orphans
from harness.machine.identity import Identity, identity, lives
from harness.machine.namespace import SWITCH
from tests.loadtests.engine_support import ROOT
from tests.polling import until

PROBE = "from harness.machine.namespace import impossible; print(impossible() or '')"
ESCAPES = """
import os, sys, time
if os.fork() == 0:
    os.setsid()
    os.execve(sys.executable, ["lost", "-c", "import time; time.sleep(60)"], {})
time.sleep(60)
"""
HARNESS = """
import os, subprocess, sys, time
from pathlib import Path
from harness.cli import handle_signals
from harness.machine import namespace
from harness.machine.guard import forget, guard, scratch, sweep
from harness.machine.process import running
handle_signals()
sweep()
namespace.enter(at_end=forget)
(scratch() / "spec.json").touch()
with running([sys.executable, "-c", sys.argv[2]], name="server", log=Path(sys.argv[1], "log")) as process:
    def waits(pid):
        return Path(f"/proc/{pid}/cmdline").read_text().startswith("lost")  # its parent names it too
    while not any(waits(pid) for pid in process.members()):
        time.sleep(0.01)
    here = [path for path in Path("/proc").iterdir() if path.name.isdigit()]
    try:
        print(os.getpid(), len(here), namespace.outside().harness.pid, flush=True)
        time.sleep(60)
    except KeyboardInterrupt:
        print("interrupted", flush=True)
        sys.exit(130)
"""
"""Starts a process, of which another leaves the session, loses its parent and clears its environment."""


def run(*argv: str, **env: str) -> subprocess.CompletedProcess[str]:
    """A program with this project's modules."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | env
    return subprocess.run(
        [sys.executable, "-c", *argv], capture_output=True, text=True, env=environment, check=True, timeout=60
    )


WHY_NOT = run(PROBE).stdout.strip()
needs_namespaces = pytest.mark.skipif(bool(WHY_NOT), reason=f"no PID namespace can be made: {WHY_NOT}")


def inside(outer: int) -> list[Identity]:
    """All processes of the namespace that the first child of `outer` leads, as the machine sees them."""
    (child,) = map(int, Path(f"/proc/{outer}/task/{outer}/children").read_text().split())
    theirs = Path(f"/proc/{child}/ns/pid").readlink()
    found = []
    for path in Path("/proc").iterdir():
        if path.name.isdigit():
            try:
                same = (path / "ns/pid").readlink() == theirs
            except OSError:
                continue
            if same and (known := identity(int(path.name))):
                found.append(known)
    return found


@contextmanager
def harness(folder: Path, **env: str) -> Iterator[subprocess.Popen[str]]:
    """One that has started what is hard to find."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(folder)} | env
    argv = [sys.executable, "-c", HARNESS, str(folder), ESCAPES]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            yield process
        finally:
            process.kill()


def said(process: subprocess.Popen[str]) -> list[int]:
    """Its id as it sees it, how many processes it sees, its id on the machine."""
    assert process.stdout is not None
    return [int(word) for word in process.stdout.readline().split()]


@needs_namespaces
def test_the_harness_sees_only_what_it_has_started(tmp_path: Path) -> None:
    """It is the first process; on the machine it is known by the one that was called."""
    with harness(tmp_path) as process:
        own, there, outer = said(process)
        assert own == 1
        assert there == len(inside(process.pid))
        assert there < 8
        assert outer == process.pid


@needs_namespaces
@pytest.mark.parametrize("struck", ["outer", "harness", "both", "helper and outer"])
def test_whoever_is_killed_nothing_is_left(struck: str, tmp_path: Path) -> None:
    """What is on disk is gone with the process outside, or with the next start."""
    with harness(tmp_path) as process:
        said(process)
        everyone = inside(process.pid)
        (first,) = (each for each in everyone if each.pid == min(other.pid for other in everyone))
        if struck == "helper and outer":
            for each in everyone:
                if "reaper" in Path(f"/proc/{each.pid}/cmdline").read_text():
                    os.kill(each.pid, signal.SIGKILL)
        if struck != "harness":
            process.kill()
        if struck in {"harness", "both"}:
            os.kill(first.pid, signal.SIGKILL)
        assert until(lambda: not any(map(lives, everyone)), 5.0)
        code = process.wait(20)
        if struck == "harness":
            assert code == 128 + signal.SIGKILL
            assert not list(tmp_path.glob("gatebench-*/*"))
    run("from harness.machine.guard import sweep; sweep()", TMPDIR=str(tmp_path))
    assert not list(tmp_path.glob("gatebench-*/*"))


@needs_namespaces
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_reaches_the_harness_once_and_its_exit_code_comes_back(number: signal.Signals, tmp_path: Path) -> None:
    """What is left to do at its end is done."""
    with harness(tmp_path) as process:
        said(process)
        everyone = inside(process.pid)
        process.send_signal(number)
        assert process.wait(20) == 130
        assert process.stdout is not None
        assert process.stdout.read().count("interrupted") == 1
    assert not any(map(lives, everyone))
    assert not list(tmp_path.glob("gatebench-*/*"))


def test_without_a_namespace_the_harness_is_what_it_seems(tmp_path: Path) -> None:
    """As where none can be made."""
    with harness(tmp_path, **{SWITCH: "0"}) as process:
        own, there, outer = said(process)
        assert own == outer == process.pid
        assert there > 2


PATIENT = """
import sys, time
from harness.machine import namespace
namespace.enter(at_end=lambda harness: None)
print("here", flush=True)
time.sleep(0.1)
print("there", flush=True)
sys.exit(42)
"""
"""Writes, and ends."""


@needs_namespaces
def test_a_terminal_that_stops_background_output_lets_the_harness_write() -> None:
    """With `stty tostop` the kernel would have the harness, which ignores the stop, try again and again."""
    ours, theirs = pty.openpty()
    mode = termios.tcgetattr(theirs)
    mode[3] |= termios.TOSTOP
    termios.tcsetattr(theirs, termios.TCSANOW, mode)
    owns = (
        "import fcntl, os, sys, termios; os.setsid(); fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.executable, "
    )
    code = f"{owns} [sys.executable, '-c', sys.argv[1]])"
    argv = [sys.executable, "-c", code, PATIENT]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(argv, stdin=theirs, stdout=theirs, stderr=theirs, env=environment) as process:
        os.close(theirs)
        try:
            assert until(lambda: process.poll() is not None)
        finally:
            process.kill()
    assert process.returncode == 42
    assert os.read(ours, 1000).split() == [b"here", b"there"]
    os.close(ours)


@needs_namespaces
def test_ctrl_z_of_a_terminal_without_a_shell_stops_nothing() -> None:
    """Nobody could have it go on; the kernel spares an orphaned process group, and so must we."""
    code = PATIENT.replace("time.sleep(0.1)", "time.sleep(1)")
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    argv = [sys.executable, "-c", code]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, env=environment, start_new_session=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "here\n"
            process.send_signal(signal.SIGTSTP)
            assert until(lambda: process.poll() is not None)
        finally:
            process.kill()
    assert process.returncode == 42


@needs_namespaces
def test_a_signal_after_the_end_and_a_failing_tidying_change_no_exit_code() -> None:
    """A second, impatient Ctrl-C comes when the harness has ended."""
    at_end = "def at_end(harness):\n    os.kill(os.getpid(), signal.SIGINT)\n    raise OSError('read-only')\n"
    code = PATIENT.replace("import sys", f"import os, signal\n{at_end}import sys").replace(
        "lambda harness: None", "at_end"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False, timeout=60
    )
    assert done.stderr == ""
    assert done.returncode == 42


def test_where_it_fails_after_all_the_harness_stays_where_it_is() -> None:
    """As where other threads appeared, or a limit was reached, since it was tried."""
    code = """
import os
from harness.machine import namespace
def fails():
    raise OSError(22, "unshare: Invalid argument")
namespace.impossible, namespace._unshare = lambda: None, fails
namespace.enter(at_end=print)
print(os.getpid() == namespace.outside().harness.pid, os.getpid() != 1)
"""
    assert run(code).stdout == "True True\n"


@needs_namespaces
def test_the_first_process_of_the_machine_is_not_that_of_the_namespace() -> None:
    """Its environment says whether this is a container; the first of the namespace is the harness itself."""
    code = """
from harness.machine import environment, namespace
before = environment.first_environment()
namespace.enter(at_end=lambda harness: None)
print(environment.first_environment() == before, "OF_US" in environment.first_environment())
"""
    assert run(code, OF_US="container").stdout == "True False\n"


def test_doctor_says_which_of_the_two_holds() -> None:
    """And why not the better one."""
    assert "PID namespace" in orphans(None).seen
    assert "unshare: Operation not permitted" in orphans("unshare: Operation not permitted").seen
