"""The command line as a person calls it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from harness import record
from harness.cli import app as commands
from harness.cli import main
from harness.cli.options import fraction, seconds
from harness.errors import NothingValidError, UsageError
from harness.machine.reaper import members
from harness.subject import services
from tests.polling import until

TINY = """
about = "As little as can be measured."
blocks = 1
rounds = 1
slice_s = 0.2
open_slice_s = 0.5

[[pair]]
scenario = "json"
connections = 16
"""


UNSEEING = (
    "from harness.machine import look; look.SECONDS = 0.0; from harness.cli import main; main()"  # as in conftest.py
)
"""Measures without two seconds' look at the machine first. tests/cli/test_gate.py has a run with it."""


def command(*argv: str) -> list[str]:
    """What calls gatebench."""
    return [sys.executable, *(("-c", UNSEEING) if argv[0] in {"run", "tune"} else ("-m", "harness")), *argv]


def gatebench(*argv: str, cwd: Path, **more: Any) -> subprocess.CompletedProcess[str]:
    """Call it in `cwd`, as from a terminal that is none."""
    env = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parent.parent.parent)}
    call: dict[str, Any] = {"cwd": cwd, "env": env, "capture_output": True, "text": True, "timeout": 120} | more
    return subprocess.run(command(*argv), check=False, **call)


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["run", "quik"], "unknown suite 'quik'"),
        (["run"], "which suite?"),
        (["run", "quick", "--budget", "10m"], "--budget goes with --width"),
        (["run", "quick", "--generator-cpus", "2"], "a generator uses one CPU, so add --generators 2"),
        (
            ["run", "smoke", "--on", "generator=ssh://ten", "--bind", "127.0.0.2", "--generator-cpus", "2"],
            "--generator-cpus 2 is of this machine",
        ),
        (["run", "smoke", "--on", "generator=ssh://ten"], "add --bind with the address"),
        (["run", "smoke", "--on", "ten"], "write generator=ssh://"),
        (["run", "--resume", "nothing", "--on", "generator=ssh://ten"], "--on: --resume goes on with the plan"),
        (["run", "--resume", "nothing", "--generators", "2"], "--generators: --resume goes on with the plan"),
        (["run", "quick", "--width", "wide"], "'wide' is no share"),
        (["run", "quick", "--filter", "colour=red"], "must be KEY=PATTERN"),
        (["run", "nowhere.toml"], "no such file"),
        (["run", "--resume", "nothing"], "no such run"),
        (["report", "nothing"], "no such run"),
        (["load", "ftp://127.0.0.1/", "--connections", "1"], "write http://HOST:PORT"),
        (["load", "http://127.0.0.1:1/"], "say --connections N"),
        (["serve", "--target", "flask", "--server", "uvicorn"], "serves asgi, flask is wsgi"),
        (["plan", "quick", "--blocks", "0"], "Invalid value for '--blocks'"),
    ],
)
def test_bad_usage_is_one_clear_message_and_exit_2(tmp_path: Path, argv: list[str], said: str) -> None:
    """No traceback, nothing on standard output."""
    done = gatebench(*argv, cwd=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_bad_definitions_are_all_told_at_once(tmp_path: Path) -> None:
    """With file and key."""
    (tmp_path / "bad.toml").write_text('blocks = "five"\ncolour = 1\n[[pair]]\nscenario = "json"\n')
    done = gatebench("plan", "bad.toml", cwd=tmp_path)
    assert done.returncode == 2
    assert "bad.toml: blocks: Input should be a valid integer" in done.stderr
    assert "bad.toml: colour: unknown key" in done.stderr


def test_ctrl_c_before_a_verb_begins_is_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    """What earlier runs left is ended first, which may take seconds."""

    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("harness.cli.sweep", interrupted)
    monkeypatch.setattr("harness.cli.handle_signals", lambda: None)
    monkeypatch.setattr("sys.argv", ["gatebench", "verify"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 130


def test_a_port_that_is_taken_ends_with_3(tmp_path: Path) -> None:
    """And says how to go on."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = gatebench("serve", "--target", "flask", "--server", "gunicorn-sync", "--port", port, cwd=tmp_path)
    assert done.returncode == 3
    assert f"--port {port} is taken" in done.stderr


@pytest.mark.parametrize("host", ["no.such.invalid", "a..b", "\udce9", "x" * 5000])
def test_a_host_that_is_not_ours_is_bad_usage(tmp_path: Path, host: str) -> None:
    """Also one that can be no name at all."""
    done = gatebench("serve", "--target", "flask", "--server", "gunicorn-sync", "--host", host, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("error: --host ")
    assert "no IPv4 address or name of this machine" in " ".join(done.stderr.split())


@pytest.mark.parametrize("what", ["targets", "servers", "scenarios", "suites"])
def test_list_shows_what_there_is(tmp_path: Path, what: str) -> None:
    """The same in JSON."""
    found = json.loads(gatebench("list", what, "--json", cwd=tmp_path).stdout)[what]
    shown = gatebench("list", what, cwd=tmp_path).stdout
    assert found
    assert all(row["name"] in shown for row in found)


def test_plan_measures_nothing_and_says_how_long_it_takes(tmp_path: Path) -> None:
    """Groups, pairs, blocks, seconds."""
    laid = json.loads(gatebench("plan", "quick", "--json", "--seed", "1", cwd=tmp_path).stdout)
    assert (laid["blocks"], len([pair for group in laid["groups"] for pair in group["pairs"]])) == (6, 6)
    assert 60 < laid["seconds"] <= 450
    assert not (tmp_path / "results").exists()


def test_durations_and_shares_are_read_strictly() -> None:
    """With and without units."""
    assert [seconds(text) for text in ("90s", "10m", "500ms", "1h", "2")] == [90, 600, 0.5, 3600, 2]
    assert [fraction(text) for text in ("5%", "0.05", "12.5 %")] == [0.05, 0.05, 0.125]
    for wrong in ("", "ten", "-5s", "0s"):
        with pytest.raises(UsageError):
            seconds(wrong)
    for wrong in ("", "120%", "-1%", "0"):
        with pytest.raises(UsageError):
            fraction(wrong)


@pytest.mark.live
def test_a_run_measures_records_and_reports(tmp_path: Path) -> None:
    """Every planned trial has a row, the figures fit together, and the report is there."""
    (tmp_path / "tiny.toml").write_text(TINY)
    done = gatebench("run", "tiny.toml", "--json", "--seed", "3", "--shared-cpu", cwd=tmp_path)
    assert done.returncode in {0, 3}, done.stderr
    answer = json.loads(done.stdout)
    run = record.read(tmp_path / answer["run"])
    assert {(trial.arm, trial.phase) for trial in run.trials} == {
        (arm, phase) for arm in ("p1a", "p1b") for phase in ("closed", "open")
    }
    assert answer["trials"] == len(run.trials) == answer["valid"] + answer["invalid"] + answer["failed"]
    assert answer["failed"] == 0
    assert run.info.finished is not None
    assert {"flask", "fastapi", "gunicorn", "uvicorn", "locust"} <= set(run.info.versions)
    for trial in run.trials:
        assert trial.throughput_rps is not None
        assert trial.throughput_rps > 0
        assert trial.errors == 0
        assert trial.memory_bytes is not None
        assert trial.cpu_s_per_request is not None
        assert trial.cpu_s_per_request > 0
        assert sum(trial.worker_shares.values()) == pytest.approx(1, abs=0.05)
    rates = {trial.load.rate_rps for trial in run.trials if trial.phase == "open"}
    assert len(rates) == 1
    for name in ("report.html", "summary.md", "summary.csv", "run.json"):
        assert (tmp_path / answer["run"] / name).stat().st_size > 0


@pytest.mark.live
@pytest.mark.beside
def test_an_interrupted_run_keeps_what_it_has_and_goes_on(tmp_path: Path) -> None:
    """Ctrl-C ends with 130, leaves no process behind, and --resume finishes."""
    (tmp_path / "tiny.toml").write_text(TINY.replace("blocks = 1", 'blocks = 2\nphases = ["closed"]'))
    env = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parent.parent.parent)}
    started = subprocess.Popen(
        command("run", "tiny.toml", "--out", "mine", "--shared-cpu"),
        cwd=tmp_path,
        env=env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    rows = tmp_path / "mine" / record.TRIALS
    assert until(lambda: rows.exists() and rows.read_text().count("\n") >= 2, 60)
    started.send_signal(signal.SIGINT)
    _, said = started.communicate(timeout=60)
    assert started.returncode == 130
    assert "--resume" in said
    assert members({started.pid}) == []
    kept = len(record.read(tmp_path / "mine").trials)
    assert 2 <= kept < 4
    done = gatebench("run", "--resume", "mine", "--shared-cpu", cwd=tmp_path)
    assert done.returncode in {0, 3}, done.stderr
    run = record.read(tmp_path / "mine")
    assert len(run.trials) == len({trial.trial for trial in run.trials})
    assert len(run.trials) in {4, 6}  # two blocks, and one more in place of one that something disturbed


@pytest.mark.live
@pytest.mark.beside
def test_without_redis_its_cells_are_rows_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The rest goes on, and the exit code is 0: every planned pair has a row."""
    monkeypatch.setattr(services, "find_redis", lambda: None)
    monkeypatch.delenv(services.REDIS_URL, raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cached.toml").write_text(
        TINY + '\n[[pair]]\nscenario = "cached-data"\ncache = "redis"\nconnections = 16\n'
    )
    with contextlib.suppress(NothingValidError):  # beside other tests json may not be valid either
        commands(["run", "cached.toml", "--out", "mine", "--shared-cpu"], standalone_mode=False)
    run = record.read(tmp_path / "mine")
    failed = [trial for trial in run.trials if trial.error is not None]
    assert {trial.cell.level("cache") for trial in failed} == {"redis"}
    assert all("install redis-server" in (trial.error or "") for trial in failed)
    assert all(trial.throughput_rps is None for trial in failed)
    planned = [
        trial for trial in run.trials if trial.block < run.info.plan.blocks
    ]  # one that noise made void has another
    assert len(planned) == 8
    assert "redis-server" in capsys.readouterr().out


@pytest.mark.live
@pytest.mark.beside
def test_a_target_of_ones_own_is_measured_by_its_own_interpreter(tmp_path: Path) -> None:
    """From a suite file outside the checkout, with its own folder; a missing package is a row that says so."""
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "mine.py").write_text(
        "def app(environ, start):\n"
        "    start('200 OK', [('Content-Type', 'text/plain'), ('Content-Length', '5')])\n"
        "    return [b'hello']\n"
    )
    (tmp_path / "own.toml").write_text(
        TINY.split("[[pair]]", maxsplit=1)[0]
        + f"""
[[target]]
name = "mine"
interface = "wsgi"
app = "mine:app"
folder = "app"
python = "{sys.executable}"
packages = ["gunicorn"]
handler = "sync"

[[target]]
name = "lacking"
interface = "wsgi"
app = "mine:app"
folder = "app"
packages = ["no-such-package"]
handler = "sync"

[[scenario]]
name = "hello"
about = "A greeting."
[scenario.request]
path = "/"
[scenario.expect]
contains = "hello"

[[pair]]
scenario = "hello"
connections = 16
a = {{ target = "mine", server = "gunicorn-gthread" }}
b = {{ target = "lacking", server = "gunicorn-gthread" }}
"""
    )
    done = gatebench("run", "own.toml", "--out", "mine", "--shared-cpu", cwd=tmp_path)
    assert done.returncode in {0, 3}, done.stderr
    trials = record.read(tmp_path / "mine").trials
    mine = [trial for trial in trials if trial.cell.target == "mine"]
    assert all(trial.error is None for trial in mine)
    assert {trial.error for trial in trials if trial.cell.target == "lacking"} == {
        f"{sys.executable} lacks no-such-package: {sys.executable} -m pip install no-such-package"
    }
