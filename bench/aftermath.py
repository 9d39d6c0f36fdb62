"""What a run of `chaos` has left behind: its records, its exit code, processes, ports, cgroups, sockets and files."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection
from pathlib import Path

from bench import network
from bench.injection import POLL_S, Run, command
from harness import record
from harness.errors import GatebenchError
from harness.machine import pods

GONE_S = 5.0
"""How long what was started may take to be gone, once the run has ended."""


def look(run: Run, before: tuple[bytes, ...], codes: Collection[int], says: str = "") -> list[str]:
    """What is wrong with what the ended run shows: exit code (`codes`, or what its rows ask for), words, rows."""
    problems = []
    stderr = run.stderr()
    if "Traceback" in stderr:
        problems.append(f"a traceback: {stderr.strip().splitlines()[-1]}")
    if says not in stderr.replace("\n", " "):
        problems.append(f"standard error does not say: {says}")
    if not all(now.startswith(then) for now, then in zip(run.rows(), before, strict=True)):
        problems.append("rows that were on disk are gone")
    if not (run.place.results / record.INFO).exists():
        problems += ["rows without a run.json"] if any(before) else []
        return problems + _wrong_code(run, codes or {3})
    try:
        trials = record.read(run.place.results).trials
    except GatebenchError as error:
        return [*problems, f"records that cannot be read: {error}"]
    return problems + _wrong_code(run, codes or {0 if any(trial.valid for trial in trials) else 3})


def _wrong_code(run: Run, wanted: Collection[int]) -> list[str]:
    if run.popen.returncode in wanted:
        return []
    last = (run.stderr().strip().splitlines() or ["no word"])[-1]
    return [f"exit code {run.popen.returncode}, not {' or '.join(map(str, sorted(wanted)))}: {last}"]


def left(run: Run) -> list[str]:
    """What outlives the run by GONE_S: processes, ports, sockets, cgroups, and files in its /tmp."""
    return _after_a_while(lambda: _running(run) + _pods(run) + _in_tmp(run))


def left_running(run: Run) -> list[str]:
    """The same without files and pods: those of a killed harness stay until the next start."""
    return _after_a_while(lambda: _running(run))


def _after_a_while(look_for: Callable[[], list[str]]) -> list[str]:
    deadline = time.monotonic() + GONE_S
    while (found := look_for()) and time.monotonic() < deadline:
        time.sleep(POLL_S * 10)
    return [f"left {each}" for each in found]


def _running(run: Run) -> list[str]:
    found = [f"running: {command(each.pid)[:80]}" for each in sorted(run.members())]
    found += network.open_sockets() if run.place.own_network else []
    return found + [f"cgroup {folder}" for folder in _groups(run) if not folder.name.startswith(pods.PREFIX)]


def _pods(run: Run) -> list[str]:
    return [f"pod {folder}" for folder in _groups(run) if folder.name.startswith(pods.PREFIX)]


def _groups(run: Run) -> list[Path]:
    return [folder for folder in sorted(run.cgroups) if folder.exists()]


def _in_tmp(run: Run) -> list[str]:
    temporary = run.place.folder / "tmp"
    ours = temporary / f"gatebench-{os.getuid()}"
    return [f"in /tmp: {path.relative_to(temporary)}" for path in sorted(temporary.rglob("*")) if path != ours]


def too_late(run: Run, codes: Collection[int], struck: float) -> bool:
    """Whether the run, which should not have ended well, had written its report when it was struck (by `time.time`)."""
    if not codes or 0 in codes or run.popen.returncode != 0:
        return False
    report = run.place.results / "report.html"
    return report.exists() and report.stat().st_mtime <= struck


def unfinished_files(results: Path) -> list[str]:
    """Files in the run's folder that were to take the place of others."""
    return [f"left in the run's folder: {path.relative_to(results)}" for path in sorted(results.rglob("*.part"))]


def incomplete(results: Path) -> list[str]:
    """A problem where a planned trial has no row, or the times of a block have none.

    The times come after the trials: the harness may be killed in between, and then one block has none.
    """
    run = record.read(results)
    plan = run.info.plan
    blocks = {(group.id, block) for group in plan.groups for block in range(plan.blocks)}
    planned = {
        (arm.id, block, phase)
        for group in plan.groups
        for arm in group.arms
        for block in range(plan.blocks)
        for phase in group.phases
    }
    missing = planned - {(trial.arm, trial.block, trial.phase) for trial in run.trials}
    timeless = blocks - {(each.group, each.block) for each in run.blocks}
    problems = [f"{len(missing)} of {len(planned)} planned trials have no row"] if missing else []
    return problems + ([f"{len(timeless)} of {len(blocks)} blocks have no times"] if len(timeless) > 1 else [])
