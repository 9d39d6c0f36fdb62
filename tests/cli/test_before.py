"""What `run` and `tune` say of the machine before anything is spent, and what they refuse on it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from harness import record
from harness.cli import app, before, options
from harness.errors import GateError, UndecidedError, UsageError
from harness.judge.compare.conditions import SHARED
from harness.machine import look, pods
from harness.machine.look import Busy, Noise
from harness.record.sitting import Sitting
from harness.suite import Pod
from harness.trial.progress import Progress
from tests import factories

ROOT = Path(__file__).resolve().parent.parent.parent
TUNE = "tune --target fastapi --server uvicorn --scenario json"
ON_ONE_CPU = """
import os
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
from harness.cli import main
main()
"""
SUITE = """
about = "One short pair."
blocks = 1
rounds = 1
slice_s = 0.2
phases = ["closed"]

[[pair]]
scenario = "json"
connections = 16
"""


def on_one_cpu(*argv: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Call gatebench in a process that may use one CPU."""
    command = [sys.executable, "-c", ON_ONE_CPU, *argv]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=120, check=False)


def test_of_several_pods_each_ones_part_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole might be had where a part is too little."""
    tried: list[tuple[float | None, int | None]] = []

    def refused(cpus: float | None, memory: int | None) -> str | None:
        tried.append((cpus, memory))
        return "too little" if cpus and cpus < 0.5 else None

    monkeypatch.setattr(pods, "refused", refused)
    cell = factories.arm(workers=4).cell.within(Pod(cpus=1.0, memory=1 << 30))
    before.require_pods([factories.arm(cell=cell)])
    with pytest.raises(UsageError, match=r"no pod of 0\.25 CPU, 256.MiB can be made here: too little"):
        before.require_pods([factories.arm(cell=cell.at(pods=4))])
    assert tried == [(1.0, 1 << 30), (0.25, 1 << 28)]


@pytest.mark.parametrize("call", ["run quick", TUNE])
def test_on_one_cpu_nothing_is_measured_unless_it_is_asked_for(
    call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit 2, with the remedy and the option, before anything is spent."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(options, "usable_cpus", lambda: (0,))
    done = CliRunner().invoke(app, call.split())
    assert isinstance(done.exception, UsageError)
    assert "servers and load generator would measure one another" in str(done.exception)
    assert "two CPUs or more" in str(done.exception)
    assert "--shared-cpu" in str(done.exception)
    assert list(tmp_path.iterdir()) == []


def test_a_process_on_one_cpu_is_refused(tmp_path: Path) -> None:
    """By its own affinity."""
    refused = on_one_cpu("run", "quick", cwd=tmp_path)
    assert refused.returncode == 2
    assert refused.stderr.startswith("error: CPUs: 1 in use: ")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("call", ["run quick --strict", f"{TUNE} --strict"])
def test_strict_refuses_what_disturbs_by_name(call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit 1, after each finding is told with what it costs; nothing is spent."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(options, "usable_cpus", lambda: (0, 1))
    monkeypatch.setattr(look, "watch", lambda: Noise(outside=0.3, steal=0.2, busy=(Busy("backup", 7, 0.6),)))
    done = CliRunner().invoke(app, call.split())
    assert isinstance(done.exception, GateError)
    assert "not started" in str(done.exception)
    assert "load of others, steal" in str(done.exception)
    said = done.stderr.replace("\u202f", " ")
    assert "disturbs: load of others: backup (pid 7) 60 % of a CPU" in said
    assert "trials may be invalid: at most 5 % steal allowed" in said
    assert list(tmp_path.iterdir()) == []


def measured(sitting: Sitting, _: Progress) -> None:
    """Rows without a measurement."""
    with record.writing(sitting.folder, sitting.info) as writer:
        for group in sitting.info.plan.groups:
            for arm in group.arms:
                writer.append(factories.failed_trial(arm, group=group.id))
        writer.finish()


def test_a_run_that_shares_its_cpu_is_marked_and_not_gated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In run.json, in the report and on the terminal; the gate ends with 3."""
    (tmp_path / "short.toml").write_text(SUITE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(options, "usable_cpus", lambda: (0,))
    monkeypatch.setattr("harness.measure.measure", measured)
    done = CliRunner().invoke(app, ["run", "short.toml", "--out", "mine", "--shared-cpu", "--fail-on-regression", "5%"])
    assert isinstance(done.exception, UndecidedError), done.output
    assert f"(through the machine): {SHARED}" in str(done.exception)
    assert "disturbs: CPUs: 1 in use" in done.stderr
    assert "servers and load generator shared a CPU" in done.stdout
    info = record.read_info(tmp_path / "mine")
    assert info.shared_cpu
    assert "CPUs: 1 in use" in info.environment["disturbances"]
    for page in ("report.html", "summary.md"):
        assert SHARED in (tmp_path / "mine" / page).read_text()


def test_a_resumed_run_is_looked_at_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the placement that it has."""
    info = factories.simulated_run(placement={"server": (0,), "generator": (0,), "services": (0,)}).info
    (tmp_path / "mine").mkdir(parents=True, exist_ok=True)
    with record.writing(tmp_path / "mine", info):
        pass
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["run", "--resume", "mine", "--accept-changes"])
    assert isinstance(done.exception, UsageError), done.output
    assert "--shared-cpu" in str(done.exception)


def test_what_disturbs_a_resumed_sitting_is_kept_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside what was found before the first one, and said in the report with the block."""
    (tmp_path / "short.toml").write_text(SUITE.replace("blocks = 1", "blocks = 2"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(options, "usable_cpus", lambda: (0, 1))

    def sits(outside: float, *argv: str) -> None:
        busy = Noise(outside=outside, steal=0.0, busy=(Busy("backup", 7, outside),))
        monkeypatch.setattr(look, "watch", lambda: busy)
        CliRunner().invoke(app, ["run", *argv])

    def measured_a_block(sitting: Sitting, _: Progress) -> None:
        with record.writing(sitting.folder, sitting.info) as writer:
            for group in sitting.info.plan.groups:
                for arm in group.arms:
                    name = f"{arm.id}/{len(writer.info.sittings)}/closed"
                    row = factories.failed_trial(arm, group=group.id, block=len(writer.info.sittings) - 1, trial=name)
                    writer.append(row)

    monkeypatch.setattr("harness.measure.measure", measured_a_block)
    sits(0.3, "short.toml", "--out", "mine")
    sits(0.4, "--resume", "mine")
    first, second = record.read_info(tmp_path / "mine").sittings
    assert "backup (pid 7) 30\u202f% of a CPU" in first.environment["disturbances"][0]
    assert "backup (pid 7) 40\u202f% of a CPU" in second.environment["disturbances"][0]
    report = (tmp_path / "mine" / "summary.md").read_text()
    assert "before the start, this was found to disturb the machine: load of others: backup" in report
    assert "before block 2, with which --resume went on, this was found to disturb the machine: load of" in report
    sits(0.0, "--resume", "mine", "--blocks", "3")
    assert "disturbances" not in record.read_info(tmp_path / "mine").sittings[2].environment
