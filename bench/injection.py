"""One run of gatebench for `chaos`: started in a folder of its own, struck by a fault, and looked at afterwards."""

from __future__ import annotations

import contextlib
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from bench.claims import ROOT, CallError
from harness import record
from harness.errors import GatebenchError
from harness.machine.identity import PROC, Entry, Identity, identity, kill, lives, started_by, table

T = TypeVar("T")

DEADLINE_S = 180.0
"""How long a run may take, the patience with what hangs included."""
GONE_S = 5.0
"""How long what was started may take to be gone, once the run has ended."""
POLL_S = 0.01
ROLES = {
    "generator": ("loadtests",),
    "upstream": ("targets.upstream:",),
    "redis": ("redis-server",),
    "server": ("fragile:", "targets.flask_app:", "targets.fastapi_app:"),
}
"""Role of a process -> what its command line then holds."""

PLAIN = """
about = "Two small apps, for faults."
blocks = 2
rounds = 2
phases = ["closed"]
slice_s = 0.2
open_slice_s = 0.5

[thresholds]
outside_load = 1.0
generator_waiting = 1.0
generator_cpu_percent = 1000.0

[[scenario]]
name = "hello"
about = "A few bytes."
request = {{ path = "/" }}
expect = {{ contains = "hello" }}
connections = 16

[[target]]
name = "wsgi"
interface = "wsgi"
app = "fragile:wsgi"
folder = "{apps}"
packages = []
handler = "sync"

[[target]]
name = "asgi"
interface = "asgi"
app = "fragile:asgi"
folder = "{apps}"
packages = []
handler = "async"
levels = {{ lifespan = ["off"] }}
env = {{ CRASH_AFTER = "{crash_after}" }}

[[pair]]
scenario = "hello"
workers = 2
a = {{ target = "wsgi", server = "gunicorn-gthread" }}
b = {{ target = "asgi", server = "uvicorn" }}
"""
"""Its thresholds let a busy machine pass: what is looked for here are lost rows, not figures."""
SERVICES = """
about = "The slow API and Redis, for faults."
blocks = 2
rounds = 1
slice_s = 0.2
open_slice_s = 0.5

[thresholds]
outside_load = 1.0
generator_waiting = 1.0
generator_cpu_percent = 1000.0

[[pair]]
scenario = "cached-data"
cache = "redis"
connections = 8
"""


class MissedError(Exception):
    """The run ended before the fault could strike."""


@dataclass(frozen=True, slots=True)
class Run:
    """A run of gatebench that we have started."""

    popen: subprocess.Popen[str]
    harness: Identity
    results: Path
    own_disk: bool
    """Whether the results are on a small disk of their own."""
    rng: random.Random
    known: set[Identity] = field(default_factory=set)
    """Its processes that were seen so far: a Redis overwrites its environment, and could not be told later."""

    def alive(self) -> bool:
        """Whether the harness still runs."""
        return self.popen.poll() is None

    def members(self) -> set[Identity]:
        """The living processes of this run: the harness, its reaper, and what has its mark."""
        processes = table()
        self.known.update(started_by(self.harness, processes))
        self.known.update(each.identity for each in processes.values() if self._is_ours(each))
        return set(filter(lives, self.known))

    def reaper(self) -> Identity:
        """The reaper of the harness; waits for it, and raises `MissedError` when the run ends before."""
        return self.wait_for(lambda: next(filter(self._is_reaper, self.members()), None))

    def family(self, role: str) -> list[Identity]:
        """A process of that role and all of its session, the leader first; raises `MissedError`."""
        return self.wait_for(lambda: self._family(role))

    def wait_for(self, find: Callable[[], T | None]) -> T:
        """Poll until `find` finds; raises `MissedError` when the run ends before."""
        while self.alive():
            if found := find():
                return found
            time.sleep(POLL_S)
        raise MissedError

    def rows(self) -> bytes:
        """The whole rows that are on disk."""
        try:
            content = (self.results / record.TRIALS).read_bytes()
        except FileNotFoundError:
            return b""
        return content[: content.rfind(b"\n") + 1]

    def _family(self, role: str) -> list[Identity] | None:
        ours, processes = self.members(), table()
        leaders = [each for each in sorted(ours) if each.pid in processes and processes[each.pid].session == each.pid]
        fitting = [each for each in leaders if any(text in command(each.pid) for text in ROLES[role])]
        if not fitting:
            return None
        leader = self.rng.choice(fitting)
        session = {each.identity for each in processes.values() if each.session == leader.pid}
        return [leader, *sorted(session - {leader})]

    def _is_ours(self, each: Entry) -> bool:
        child = each.parent == self.harness.pid and self.alive()
        return child or each.session == self.harness.pid or self._is_reaper(each.identity)

    def _is_reaper(self, process: Identity) -> bool:
        line = command(process.pid)
        return "harness.machine.reaper" in line and f" {self.harness.pid} {self.harness.start} " in line


@dataclass(slots=True)
class Outcome:
    """What became of an injection."""

    fault: str
    seed: int
    missed: bool = False
    problems: list[str] = field(default_factory=list)
    seconds: float = 0.0


def command(pid: int) -> str:
    """The command line of a process, with spaces between its arguments; empty when it is gone."""
    try:
        return (PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


@contextlib.contextmanager
def disk(folder: Path, *, wanted: bool) -> Iterator[bool]:
    """Mount a disk of 16 MB on `folder`, where that is wanted and allowed; gives whether there is one."""
    argv = ["mount", "-t", "tmpfs", "-o", "size=16m", "chaos", str(folder)]
    mounted = wanted and os.geteuid() == 0 and subprocess.run(argv, capture_output=True, check=False).returncode == 0
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(folder)], capture_output=True, check=False)


@contextlib.contextmanager
def started(folder: Path, seed: int, *argv: str, own_disk: bool = False) -> Iterator[Run]:
    """Start `gatebench run ARGV` with a /tmp of its own under `folder`; whatever of it still lives is ended."""
    temporary = folder / "tmp"
    temporary.mkdir(exist_ok=True)
    with (folder / "stdout").open("w") as stdout, (folder / "stderr").open("w") as stderr:
        popen = subprocess.Popen(
            [sys.executable, "-m", "harness", "run", *argv],
            cwd=folder,
            env=os.environ | {"TMPDIR": str(temporary), "PYTHONPATH": str(ROOT)},
            stdout=stdout,
            stderr=stderr,
            text=True,
            start_new_session=True,
        )
    harness = identity(popen.pid)
    assert harness is not None  # noqa: S101 - nobody has taken note of its end yet
    run = Run(popen, harness, folder / "disk" / "run", own_disk, random.Random(seed))
    try:
        yield run
    finally:
        for process in run.members():
            kill(process)
        popen.wait()


def wait_begun(run: Run, folder: Path) -> None:
    """Wait until the run has its folder; raises `CallError` where it ends before."""
    try:
        run.wait_for(run.results.exists)
    except MissedError as error:
        raise CallError((folder / "stderr").read_text(errors="replace")) from error


def wait_ended(run: Run) -> list[str]:
    """Wait for the end of the harness; a problem when there is none."""
    try:
        run.popen.wait(DEADLINE_S)
    except subprocess.TimeoutExpired:
        return [f"did not end within {DEADLINE_S:g} s"]
    return []


def look(run: Run, folder: Path, before: bytes, codes: Collection[int], says: str = "") -> list[str]:
    """What is wrong with what the ended run shows: exit code (`codes`, or what its rows ask for), words, rows."""
    problems = []
    stderr = (folder / "stderr").read_text(errors="replace")
    if "Traceback" in stderr:
        problems.append(f"a traceback: {stderr.strip().splitlines()[-1]}")
    if says not in stderr.replace("\n", " "):
        problems.append(f"standard error does not say: {says}")
    if not run.rows().startswith(before):
        problems.append("rows that were on disk are gone")
    if not (run.results / record.INFO).exists():
        return problems + (["rows without a run.json"] if before else [])
    try:
        trials = record.read(run.results).trials
    except GatebenchError as error:
        return [*problems, f"records that cannot be read: {error}"]
    wanted = codes or {0 if any(trial.valid for trial in trials) else 3}
    if run.popen.returncode not in wanted:
        last = (stderr.strip().splitlines() or ["no word"])[-1]
        problems.append(f"exit code {run.popen.returncode}, not {' or '.join(map(str, sorted(wanted)))}: {last}")
    return problems


def left(run: Run, folder: Path) -> list[str]:
    """What outlives the run by GONE_S: processes, and files in its /tmp."""
    deadline = time.monotonic() + GONE_S
    while (found := _left(run, folder)) and time.monotonic() < deadline:
        time.sleep(POLL_S * 10)
    return found


def _left(run: Run, folder: Path) -> list[str]:
    processes = [f"left running: {command(each.pid)[:80]}" for each in sorted(run.members()) if lives(each)]
    ours = folder / "tmp" / f"gatebench-{os.getuid()}"
    files = [path for path in (folder / "tmp").rglob("*") if path != ours]
    return processes + [f"left in /tmp: {path.relative_to(folder / 'tmp')}" for path in files]


def incomplete(results: Path) -> list[str]:
    """A problem where a planned trial has no row."""
    run = record.read(results)
    planned = {
        (arm.id, block, phase)
        for group in run.info.plan.groups
        for arm in group.arms
        for block in range(run.info.plan.blocks)
        for phase in group.phases
    }
    missing = planned - {(trial.arm, trial.block, trial.phase) for trial in run.trials}
    return [f"{len(missing)} of {len(planned)} planned trials have no row"] if missing else []
