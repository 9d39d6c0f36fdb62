"""Processes start, are watched, and do not outlive us."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from harness import masking
from harness.errors import LaunchError, ServiceError, StorageError
from harness.machine import process as processes
from harness.machine.identity import table
from harness.machine.process import clean_environment, descriptor_limit, running
from harness.machine.reaper import members
from tests.polling import until

FAMILY = (
    "import subprocess, sys, time; "
    "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']); time.sleep(60)"
)
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('here', flush=True); time.sleep(60)"
)


def test_a_process_and_its_children_are_gone_afterwards(tmp_path: Path) -> None:
    """Whatever it started is in its session, and ended with it."""
    with running([sys.executable, "-c", FAMILY], name="family", log=tmp_path / "log") as process:
        assert until(lambda: len(process.members()) == 2)
    assert process.members() == []


def test_a_process_that_ignores_sigterm_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a while."""
    monkeypatch.setattr("harness.machine.process.STOP_S", 0.1)
    with running([sys.executable, "-c", STUBBORN], name="stubborn", log=tmp_path / "log") as process:
        assert until(lambda: "here" in process.tail())
        from harness.machine.process import stop

        stop(process, 0.1)
        assert process.popen.returncode == -signal.SIGKILL
    assert process.members() == []


def test_an_end_is_awaited_where_no_descriptor_is_left_to_await_it_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By looking again and again."""
    monkeypatch.setattr(processes, "await_end", Mock(side_effect=OSError(errno.EMFILE, "too many open files")))
    with running(
        [sys.executable, "-c", "import time; time.sleep(60)"], name="sleeper", log=tmp_path / "log"
    ) as process:
        process.ask_to_stop()
        process.wait_stopped(20)
        assert process.popen.returncode == -signal.SIGTERM


def test_an_end_that_does_not_come_is_awaited_no_longer_than_was_asked(tmp_path: Path) -> None:
    """The process lives then."""
    with running([sys.executable, "-c", STUBBORN], name="stubborn", log=tmp_path / "log") as process:
        assert until(lambda: "here" in process.tail())
        process.ask_to_stop()
        process.wait_stopped(0.05)
        assert process.alive()
        process.kill()


@pytest.mark.parametrize("moment", ["_start", "identity"])
def test_ctrl_c_while_it_is_being_started_leaves_no_process_and_no_secret(
    moment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It comes when there is a process that can be stopped."""
    secret = "tok-of-a-moment-4471"
    monkeypatch.setattr(masking, "_known", set())
    masking.learn(secret, "token")
    does = getattr(processes, moment)

    def interrupted(*given: Any) -> Any:
        done = does(*given)
        assert until(lambda: secret in (tmp_path / "log").read_text())
        signal.raise_signal(signal.SIGINT)
        return done

    monkeypatch.setattr(processes, moment, interrupted)
    argv = [sys.executable, "-c", f"import time; print('{secret}', flush=True); time.sleep(60)"]
    with pytest.raises(KeyboardInterrupt), running(argv, name="server", log=tmp_path / "log"):
        pytest.fail("it came too late")
    assert (tmp_path / "log").read_text() == "*" * len(secret) + "\n"
    ours = [pid for pid, entry in table().items() if entry.parent == os.getpid() and not entry.ended]
    assert not [pid for pid in ours if secret in Path(f"/proc/{pid}/cmdline").read_text()]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_cpu_that_has_gone_is_the_machines_fault(tmp_path: Path) -> None:
    """As when a cpuset or a hypervisor has taken it; our own limits and CPUs stay."""
    mine = os.sched_getaffinity(0), resource.getrlimit(resource.RLIMIT_NOFILE)
    log = tmp_path / "log"
    with (
        pytest.raises(ServiceError, match="x cannot be started: CPU 4095 has gone since the run began"),
        running(["true"], name="x", log=log, cpus=[4095]),
    ):
        pass
    assert (os.sched_getaffinity(0), resource.getrlimit(resource.RLIMIT_NOFILE)) == mine


def test_too_few_descriptors_are_the_machines_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And so is too little memory."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(subprocess, "Popen", refuse)
    with (
        pytest.raises(ServiceError, match=r"x cannot be started: .*Too many open files"),
        running(["true"], name="x", log=tmp_path / "log"),
    ):
        pass


def test_it_runs_on_the_cpus_it_is_given(tmp_path: Path) -> None:
    """From its first instruction, while our own affinity stays."""
    mine = os.sched_getaffinity(0)
    cpu = min(mine)
    code = "import os; print(sorted(os.sched_getaffinity(0)), flush=True)"
    with running([sys.executable, "-c", code], name="pinned", log=tmp_path / "log", cpus=[cpu]) as process:
        process.popen.wait(20)
        assert process.tail() == f"[{cpu}]"
    assert os.sched_getaffinity(0) == mine


def test_what_cannot_be_started_is_one_clear_error(tmp_path: Path) -> None:
    """With its name."""
    with (
        pytest.raises(LaunchError, match="ghost cannot be started"),
        running(["/no/such"], name="ghost", log=tmp_path / "l"),
    ):
        pass  # pragma: no cover


def test_a_log_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    """And no fault of what was to be started."""
    (tmp_path / "logs").touch()
    log = tmp_path / "logs" / "p1a.log"
    with pytest.raises(StorageError, match=r"p1a\.log cannot be written: "), running(["true"], name="x", log=log):
        pass


@pytest.mark.parametrize("env", [{"A": "1\x002"}, {"A=B": "1"}])
def test_an_environment_that_no_process_can_be_given_is_one_clear_error(tmp_path: Path, env: dict[str, str]) -> None:
    """Not the end of the run."""
    with (
        pytest.raises(LaunchError, match="shop cannot be started"),
        running([sys.executable, "-c", ""], name="shop", log=tmp_path / "l", env=env),
    ):
        pass  # pragma: no cover


def ended(code: str, log: Path) -> str:
    """The error that tells how a process ended that ran `code`."""
    with running([sys.executable, "-c", code], name="shop", log=log) as process:
        process.popen.wait(20)
        return str(process.died())


def test_a_death_is_told_with_its_exit_code_the_line_that_matters_and_the_log(tmp_path: Path) -> None:
    """In one line, as it stands in a row of the records."""
    log = tmp_path / "log"
    code = "import sys; print('all is lost', flush=True); sys.exit(7)"
    assert ended(code, log) == f"shop ended with exit code 7: all is lost; log: {log}"
    assert ended("1 / 0", log) == f"shop ended with exit code 1: ZeroDivisionError: division by zero; log: {log}"
    killed = "import os; os.kill(os.getpid(), 9)"
    assert ended(killed, log) == f"shop ended by signal 9 (Killed); log: {log}"


def test_the_log_of_an_earlier_process_is_not_taken_for_its_own(tmp_path: Path) -> None:
    """Each block appends to the same log."""
    ended("print('of another block', flush=True)", tmp_path / "log")
    assert "of another block" not in ended("raise SystemExit(2)", tmp_path / "log")
    assert "of another block" in (tmp_path / "log").read_text()


def test_sigkill_of_the_harness_leaves_no_process_behind(tmp_path: Path) -> None:
    """The reaper ends whole sessions when its pipe closes."""
    code = f"""
import sys, time
from pathlib import Path
from harness.machine.process import running
with running([sys.executable, "-c", {FAMILY!r}], name="family", log=Path({str(tmp_path / "log")!r})) as process:
    while len(process.members()) < 2:
        time.sleep(0.01)
    print(process.pid, flush=True)
    time.sleep(60)
"""
    harness = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert harness.stdout is not None
    session = int(harness.stdout.readline())
    assert len(members({session})) == 2
    harness.kill()
    harness.wait()
    harness.stdout.close()
    assert until(lambda: members({session}) == [])


def test_the_environment_of_a_target_is_clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """What would change a measured process by accident does not reach it."""
    settings = {
        "PYTHONPATH",
        "WEB_CONCURRENCY",
        "GUNICORN_CMD_ARGS",
        "UVICORN_WORKERS",
        "GRANIAN_LOG_LEVEL",
        "UWSGI_PROCESSES",
        "HYPERCORN_WORKERS",
        "GATEBENCH_CACHE",
    }
    for name in settings:
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("SHOP_DATABASE", "kept")
    environment = clean_environment({"GATEBENCH_POOLING": "pool"})
    assert environment["GATEBENCH_POOLING"] == "pool"
    assert environment["SHOP_DATABASE"] == "kept"
    assert not settings & set(environment)


@pytest.mark.parametrize(
    ("soft", "hard", "given"),
    [
        (256, 300, 300),  # as far as we may
        (256, 1_000_000, 65_536),  # uWSGI keeps a table of as many entries as it may have descriptors
        (100_000, 1_000_000, 100_000),  # whoever set more than that meant it
    ],
)
def test_as_many_descriptors_as_are_of_use(soft: int, hard: int, given: int) -> None:
    """Of the limit that a process could set itself."""
    assert descriptor_limit(soft, hard) == given


def test_what_is_started_may_open_more_files_than_we_may(tmp_path: Path) -> None:
    """A shell's soft limit is 1024; many connections need more, and servers do not raise their own."""
    code = "import resource; print(resource.getrlimit(resource.RLIMIT_NOFILE)[0], flush=True)"
    mine = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, mine[1]))
    try:
        with running([sys.executable, "-c", code], name="many", log=tmp_path / "log") as process:
            process.popen.wait(20)
            assert int(process.tail()) == descriptor_limit(256, mine[1]) > 256
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (256, mine[1])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, mine)
