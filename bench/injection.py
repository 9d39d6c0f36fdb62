"""One run of gatebench for `chaos`: started in a folder of its own, and watched until its end."""

from __future__ import annotations

import contextlib
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TypeVar

from bench import cgroups
from bench.claims import ROOT, CallError
from harness import record
from harness.machine.identity import PROC, Entry, Identity, identity, kill, lives, started_by, table

T = TypeVar("T")

DEADLINE_S = 120.0
"""How long a run may take, the patience with what hangs included."""
POLL_S = 0.01
WATCH_S = 0.2
"""How often we look which processes and cgroups a run has."""
STOP = threading.Event()
"""Set when no run is to go on."""
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
rounds = 1
phases = ["closed"]
slice_s = 0.5
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
slice_s = 0.5
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
    """The run ended before the fault could strike, or was not to go on."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the sittings of a run take place."""

    folder: Path
    """Holds the results on `disk`, `tmp`, and what the harness prints."""
    own_disk: bool = False
    """Whether the results are on a small disk of their own."""
    own_network: bool = False
    """Whether the thread that starts them, and thereby they, have a network of their own."""

    @property
    def results(self) -> Path:
        """The folder of the run."""
        return self.folder / "disk" / "run"

    @property
    def clock(self) -> Path:
        """Holds the seconds that the clock of the harness has stepped."""
        return self.folder / "clock"


@dataclass(frozen=True, slots=True)
class Run:
    """A run of gatebench that we have started."""

    popen: subprocess.Popen[str]
    harness: Identity
    place: Place
    rng: random.Random
    known: set[Identity] = field(default_factory=set)
    """Its processes that were seen so far: a Redis overwrites its environment, and could not be told later."""
    cgroups: set[Path] = field(default_factory=set)
    """Folders of cgroups that its processes were seen in, and we are not."""

    def alive(self) -> bool:
        """Whether the harness still runs."""
        return self.popen.poll() is None

    def members(self) -> set[Identity]:
        """The living processes of this run: the harness, its reaper, and what has its mark."""
        processes = table()
        self.known.update(started_by(self.harness, processes))
        inside = namespace_inside(self.harness.pid)
        self.known.update(each.identity for each in processes.values() if self._is_ours(each, inside))
        living = set(filter(lives, self.known))
        self.cgroups.update(*(cgroups.of(each.pid) for each in living))
        self.cgroups.difference_update(cgroups.of(os.getpid()))
        return living

    def reaper(self) -> Identity:
        """The reaper of the harness; waits for it, and raises `MissedError` when the run ends before."""
        return self.wait_for(lambda: next(filter(self._is_reaper, self.members()), None))

    def family(self, role: str) -> list[Identity]:
        """A process of that role and all of its session, the leader first; raises `MissedError`."""
        return self.wait_for(lambda: self._family(role))

    def innermost(self) -> int:
        """The id of the process that measures: the first of the namespace of the run, where it has one."""
        children = Path(f"/proc/{self.harness.pid}/task/{self.harness.pid}/children").read_text().split()
        return int(children[0]) if namespaced() and children else self.harness.pid

    def wait_for(self, find: Callable[[], T | None]) -> T:
        """Poll until `find` finds; raises `MissedError` when the run ends before, `CallError` when it never does."""
        deadline = time.monotonic() + DEADLINE_S
        while self.alive() and not STOP.is_set():
            if found := find():
                return found
            if time.monotonic() > deadline:
                raise CallError(f"neither struck nor ended after {DEADLINE_S:g} s: {self.stderr()[-300:]}")
            time.sleep(POLL_S)
        raise MissedError

    def rows(self) -> tuple[bytes, ...]:
        """The whole rows that are on disk: trials, blocks."""
        return tuple(_whole_lines(self.place.results / name) for name in (record.TRIALS, record.BLOCKS))

    def stderr(self) -> str:
        """What the harness has said on standard error."""
        return (self.place.folder / "stderr").read_text(errors="replace")

    def _family(self, role: str) -> list[Identity] | None:
        ours, processes = self.members(), table()
        leaders = [each for each in sorted(ours) if each.pid in processes and processes[each.pid].session == each.pid]
        fitting = [each for each in leaders if any(text in command(each.pid) for text in ROLES[role])]
        if not fitting:
            return None
        leader = self.rng.choice(fitting)
        session = {each.identity for each in processes.values() if each.session == leader.pid}
        return [leader, *sorted(session - {leader})]

    def _is_ours(self, each: Entry, inside: str | None) -> bool:
        child = each.parent == self.harness.pid and self.alive()
        namespace = inside is not None and _namespace(each.identity.pid) == inside
        return child or namespace or each.session == self.harness.pid or self._is_reaper(each.identity)

    def _is_reaper(self, process: Identity) -> bool:
        line = command(process.pid)
        return "harness.machine.reaper" in line and f" {self.harness.pid} {self.harness.start} " in line


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
def started(place: Place, seed: int, *argv: str, own_clock: bool = False) -> Iterator[Run]:
    """Start `gatebench ARGV` with a /tmp of its own; whatever of it still lives is ended."""
    temporary = place.folder / "tmp"
    temporary.mkdir(exist_ok=True)
    environment = os.environ | {"TMPDIR": str(temporary), "PYTHONPATH": str(ROOT)}
    with (place.folder / "stdout").open("w") as stdout, (place.folder / "stderr").open("w") as stderr:
        popen = subprocess.Popen(
            [sys.executable, "-m", "harness", *argv],
            cwd=place.folder,
            env=environment | (clock_of(place) if own_clock else {}),
            stdout=stdout,
            stderr=stderr,
            text=True,
            start_new_session=True,
        )
    harness = identity(popen.pid)
    assert harness is not None  # noqa: S101 - nobody has taken note of its end yet
    run = Run(popen, harness, place, random.Random(seed))
    try:
        yield run
    finally:
        for process in run.members():
            kill(process)
        popen.wait()


@cache
def namespaced() -> bool:
    """Whether a harness makes a PID namespace here; tried in a process of its own, for we have threads."""
    code = "from harness.machine.namespace import impossible; print(impossible() or '')"
    argv = [sys.executable, "-c", code]
    return not subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def _namespace(pid: int) -> str | None:
    try:
        return str(Path(f"/proc/{pid}/ns/pid").readlink())
    except OSError:
        return None


def namespace_inside(called: int) -> str | None:
    """The PID namespace that the process has for its children; None where that is its own, or it has ended."""
    try:
        theirs, its = (str(Path(f"/proc/{called}/ns/{name}").readlink()) for name in ("pid_for_children", "pid"))
    except OSError:
        return None
    return None if theirs == its else theirs


def faketime() -> Path | None:
    """The library of libfaketime; None where it is not installed."""
    return next(iter(sorted(Path("/usr/lib").glob("**/faketime/libfaketime.so.1"))), None)


def clock_of(place: Place) -> dict[str, str]:
    """The environment of a harness whose clock steps when `place.clock` says so."""
    place.clock.write_text("+0")
    library = faketime()
    preloaded = {
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": str(place.clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    path = f"{ROOT / 'bench/clock'}{os.pathsep}{ROOT}"
    return {"PYTHONPATH": path, "CHAOS_CLOCK": str(place.clock)} | (preloaded if library else {})


def wait_begun(run: Run) -> None:
    """Wait until the run has its folder; raises `CallError` where it ends before."""
    try:
        run.wait_for(run.place.results.exists)
    except MissedError as error:
        raise CallError(run.stderr()) from error


def wait_ended(run: Run) -> list[str]:
    """Wait for the end of the harness; a problem when there is none."""
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        if STOP.is_set():
            raise MissedError
        run.members()
        with contextlib.suppress(subprocess.TimeoutExpired):
            run.popen.wait(WATCH_S)
            return []
    return [f"did not end within {DEADLINE_S:g} s"]


def _whole_lines(path: Path) -> bytes:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return b""
    return content[: content.rfind(b"\n") + 1]
