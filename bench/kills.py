"""SIGKILL at random moments of small runs: five seconds later nothing of ours lives, and nothing measured is lost.

    .venv/bin/python bench/kills.py [--seed N] [--count 30] [--without 6]

Killed are the process that the user called, the harness (the first process of its namespace), its helper (the reaper),
or one of the first two and the helper at once. `--without` runs more are made without a PID namespace, as where none
can be made: there the helper ends what a killed harness left, and the next start what both left. Prints the seed, a
line a moment, and a table; ends with 1 where something did not survive. Takes about fifteen minutes; how busy the
machine is does not matter.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import secrets
import signal
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

from bench.claims import ROOT
from bench.injection import namespace_inside
from harness import record
from harness.errors import RecordError
from harness.machine.identity import Identity, identity, lives
from harness.machine.namespace import SWITCH
from tests.polling import until

SUITE = """
about = "Two arms, briefly."
slice_s = 0.5
open_slice_s = 0.5
rounds = 1
blocks = 3
[[pair]]
scenario = "json"
a = { target = "flask", server = "gunicorn-gthread" }
b = { target = "fastapi", server = "uvicorn" }
"""
LABEL = "KILLS_OF_RUN"
"""A variable in the environment of all that a run starts: by it they are found, whoever their parent is."""
STRUCK = ("called", "harness", "helper", "called and helper", "harness and helper")
STRUCK_WITHOUT = ("called", "helper", "called and helper")
"""There the harness is the process that was called."""
MOMENTS_S = {"the start": (0.5, 4.0), "run.json": (0.0, 6.0), "the first row": (0.0, 5.0)}
"""What a moment counts from, for one run after the other, and how long after it the moment is at least and at most."""
SECONDS = 5.0
"""After so long nothing lives."""
PATIENCE_S = 180.0
RESUMED_EACH = 4
"""Of so many runs one is resumed to its end."""


def main() -> int:
    """Kill, look, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**31))
    parser.add_argument("--count", type=int, default=30)
    parser.add_argument("--without", type=int, default=6)
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    chance = random.Random(options.seed)
    plans = [(True, STRUCK[number % len(STRUCK)]) for number in range(options.count)]
    plans += [(False, STRUCK_WITHOUT[number % len(STRUCK_WITHOUT)]) for number in range(options.without)]
    counts = defaultdict[str, Counter[str]](Counter)
    with tempfile.TemporaryDirectory(prefix="kills-") as folder:
        for number, (namespace, struck) in enumerate(plans):
            since = list(MOMENTS_S)[number % len(MOMENTS_S)]
            moment_s = chance.uniform(*MOMENTS_S[since])
            where = Path(folder, str(number))
            where.mkdir()
            run = Run(where, namespace=namespace)
            problems = list(run.killed(struck, since, moment_s, resume=number % RESUMED_EACH == 1))
            what = f"{struck}, {'in a PID namespace' if namespace else 'without one'}"
            counts[what].update(missed=run.missed, struck=not run.missed, survived=not run.missed and not problems)
            said = "missed: there was nothing to strike" if run.missed else "; ".join(problems) or run.rows
            print(f"{number + 1:3} {what}, {moment_s:.1f} s after {since}: {said}", flush=True)
    print(f"\n{'what':55} {'moments':>8} {'survived':>9} {'missed':>7}")
    for what, count in counts.items():
        print(f"{what:55} {count['struck']:8} {count['survived']:9} {count['missed']:7}")
    return 0 if all(count["struck"] == count["survived"] for count in counts.values()) else 1


class Run:
    """A small run in a folder of its own, with temporary files of its own."""

    def __init__(self, folder: Path, *, namespace: bool) -> None:
        self.out = folder / "run"
        self.rows = ""
        """What it shows, in words."""
        self.missed = False
        """Whether it had ended, or had no such process, when it was to be struck."""
        self._suite, self._temporary = folder / "suite.toml", folder / "tmp"
        self._suite.write_text(SUITE)
        self._temporary.mkdir()
        self._namespace = namespace
        self._label = secrets.token_hex(8)
        self._inside: str | None = None
        """The PID namespace of the run, as the kernel names it."""
        self._environment = os.environ | {
            LABEL: self._label,
            "TMPDIR": str(self._temporary),
            SWITCH: "1" if namespace else "0",
        }

    def killed(self, struck: str, since: str, moment_s: float, *, resume: bool) -> Iterator[str]:
        """Start it, kill what is to be struck `moment_s` after `since`, and yield what is not as it must be."""
        process = self._started("run", str(self._suite), "--out", str(self.out))
        until(lambda: process.poll() is not None or self._came(since), PATIENCE_S)
        until(lambda: process.poll() is not None, moment_s)
        before = self._bytes()
        self._inside = namespace_inside(process.pid)
        ours = self._processes()
        victims = self._victims(struck, process.pid)
        self.missed = process.poll() is not None or not victims
        for victim in victims:
            with contextlib.suppress(ProcessLookupError):
                os.kill(victim, signal.SIGKILL)
        yield from self._ended(struck, process, ours)
        yield from self._kept(struck, before, resume=resume)
        self._call("import harness.machine.guard as guard; guard.sweep()")
        if left_over := [path.name for path in self._temporary.glob("gatebench-*/*")]:
            yield f"left in the folder of temporary files: {', '.join(left_over)}"

    def _came(self, since: str) -> bool:
        return since == "the start" or (
            (self.out / record.INFO).is_file() and (since == "run.json" or bool(self._bytes()[0]))
        )

    def _kept(self, struck: str, before: list[bytes], *, resume: bool) -> Iterator[str]:
        """Yield what is wrong with its records, and with going on with them."""
        if not all(now.startswith(then) for now, then in zip(self._bytes(), before, strict=True)):
            yield "rows that were on disk are gone"
        yield from self._records()
        if resume and (self.out / record.INFO).is_file() and struck != "helper":
            yield from self._resumed()

    def _ended(self, struck: str, process: subprocess.Popen[bytes], ours: list[Identity]) -> Iterator[str]:
        """Wait until nothing lives, and yield what does nevertheless."""
        if struck == "helper":
            code = process.wait(PATIENCE_S)
            if code not in {0, 3}:  # 3: nothing valid, which a busy machine explains
                yield f"without its helper it ended with {code}"
        elif not self._namespace and struck == "called and helper":
            self._call("import harness.machine.guard as guard; guard.sweep()")
        if not until(lambda: not any(map(lives, ours)) and not self._processes(), SECONDS):
            yield f"{len(self._processes())} processes live after {SECONDS:g} s"
        process.wait(PATIENCE_S)

    def _records(self) -> Iterator[str]:
        if not (self.out / record.INFO).is_file():
            self.rows = "killed before its folder was made"
            return
        try:
            run = record.read(self.out)
        except RecordError as error:
            yield f"records cannot be read: {error}"
        else:
            self.rows = f"{len(run.trials)} rows on disk, all readable"

    def _resumed(self) -> Iterator[str]:
        code = self._started("run", "--resume", str(self.out)).wait(PATIENCE_S)
        run = record.read(self.out)
        planned = sum(len(group.arms) * len(group.phases) for group in run.info.plan.groups) * run.info.plan.blocks
        if code not in {0, 3} or len(run.trials) < planned:
            yield f"resumed: exit code {code}, {len(run.trials)} of {planned} rows"
        self.rows += f", resumed to {len(run.trials)} of {planned}"

    def _started(self, *argv: str) -> subprocess.Popen[bytes]:
        command, none = [sys.executable, "-m", "harness", *argv], subprocess.DEVNULL
        return subprocess.Popen(command, cwd=ROOT, env=self._environment, stdout=none, stderr=none)

    def _call(self, code: str) -> None:
        environment = {name: value for name, value in self._environment.items() if name != LABEL}
        subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, check=True, timeout=PATIENCE_S)

    def _bytes(self) -> list[bytes]:
        """What stands on disk of trials and blocks."""
        paths = [self.out / name for name in (record.TRIALS, record.BLOCKS)]
        return [path.read_bytes() if path.is_file() else b"" for path in paths]

    def _processes(self) -> list[Identity]:
        """Those that have the label in their environment, or are in the namespace of the run."""
        found = []
        for path in Path("/proc").iterdir():
            if path.name.isdigit():
                try:
                    named = f"{LABEL}={self._label}".encode() in (path / "environ").read_bytes().split(b"\0")
                    inside = str((path / "ns/pid").readlink()) == self._inside
                except OSError:
                    continue
                if (named or inside) and (known := identity(int(path.name))) and lives(known):
                    found.append(known)
        return found

    def _victims(self, struck: str, called: int) -> list[int]:
        helpers = [each.pid for each in self._processes() if "harness.machine.reaper" in _command(each.pid)]
        inner = [each.pid for each in self._processes() if each.pid != called and _parent(each.pid) == called]
        return {
            "called": [called],
            "harness": inner[:1] or [called],
            "helper": helpers,
            "called and helper": [*helpers, called],
            "harness and helper": [*helpers, *(inner[:1] or [called])],
        }[struck]


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return ""


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


if __name__ == "__main__":
    sys.exit(main())
