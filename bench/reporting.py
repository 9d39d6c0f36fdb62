"""How long does the report of a run of 1,000 trials take, and how much memory? Each is drawn by a fresh process.

    .venv/bin/python bench/reporting.py                 from the reference runs `quick` and `full`
    .venv/bin/python bench/reporting.py null servers    from these

The blocks of a reference run are repeated until it has 1,000 trials. `quick` then has many blocks, `full` many charts.
Time and memory are those of two drawings, since whoever looks at the memory of a process holds it up.
Prints each claim with its figures, PASS or FAIL, and ends with 1 when one fails. Needs the machine to itself.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench.claims import ROOT, Claims
from harness import record
from harness.record import Run, Trial
from harness.units import MIB

TRIALS = 1_000
MOST_S = 5.0
MOST_BYTES = 300 * MIB
SUITES = ("quick", "full")
LOOKS_S = 0.02
"""Between two looks at the memory."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a process and those that it started have used."""

    wall_s: float
    cpu_s: float


def main(suites: Sequence[str]) -> int:
    """Draw the report of a long run of each suite, and return the exit code."""
    claims = Claims()
    for suite in suites:
        with tempfile.TemporaryDirectory(prefix="gatebench-reporting-") as place:
            folder = Path(place) / f"long-{suite}"
            trials = written(lengthened(record.read(ROOT / "results" / f"reference-{suite}"), TRIALS), folder)
            cost, peak_bytes = drawn(folder), watched(folder)
            charts = len(list((folder / "charts").iterdir()))
        seen = f"{cost.wall_s:.2f} s, of CPU {cost.cpu_s:.2f} s"
        what = f"the report of {trials} trials of {suite}, {charts} charts,"
        claims.check(f"{what} takes at most {MOST_S:g} s", seen, held=cost.wall_s <= MOST_S)
        seen = f"{peak_bytes / MIB:.0f} MiB"
        claims.check(f"{what} takes at most {MOST_BYTES / MIB:.0f} MiB", seen, held=peak_bytes <= MOST_BYTES)
    return 1 if claims.failed else 0


def lengthened(run: Run, trials: int) -> Run:
    """`run` with its blocks repeated in turn until it has so many trials, or the few more of a whole block."""
    planned = run.info.plan.blocks
    blocks = -(-trials * planned // len(run.trials))
    length_s = max((row.start_s + row.length_s for trial in run.trials for row in trial.slices), default=0.0)
    by_block: dict[int, list[Trial]] = {}
    for trial in run.trials:
        by_block.setdefault(trial.block, []).append(trial)
    rows = [
        _later(trial, block - block % planned, block // planned * length_s)
        for block in range(blocks)
        for trial in by_block.get(block % planned, [])
    ]
    plan = replace(run.info.plan, blocks=blocks)
    return replace(run, info=replace(run.info, plan=plan), trials=tuple(rows))


def _later(trial: Trial, blocks: int, seconds: float) -> Trial:
    """`trial` as it would stand so many blocks and seconds later in its run."""
    block = trial.block + blocks
    slices = tuple(replace(row, start_s=row.start_s + seconds) for row in trial.slices)
    return replace(trial, block=block, trial=f"{trial.arm}/{block}/{trial.phase}", slices=slices)


def written(run: Run, folder: Path) -> int:
    """Write the records of `run` into `folder`, which is made, and return how many trials these are."""
    folder.mkdir()
    (folder / record.INFO).write_text(json.dumps(record.as_json(run.info)), encoding="utf-8")
    with (folder / record.TRIALS).open("w", encoding="utf-8") as file:
        file.writelines(f"{json.dumps(record.as_json(trial))}\n" for trial in run.trials)
    return len(run.trials)


def drawn(folder: Path) -> Cost:
    """The time that `gatebench report` of `folder` takes."""
    began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(_command(folder), cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
    wall_s, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return Cost(wall_s, after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)


def watched(folder: Path) -> int:
    """The most memory that it and those whom it started have at once: what they share counts once (PSS)."""
    peak_bytes = 0
    with subprocess.Popen(_command(folder), cwd=ROOT, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            peak_bytes = max(peak_bytes, sum(map(resident_bytes, family(process.pid))))
            time.sleep(LOOKS_S)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, process.args)
    return peak_bytes


def _command(folder: Path) -> list[str]:
    return [sys.executable, "-m", "harness", "report", str(folder)]


def family(pid: int) -> list[int]:
    """A process and those that it has started."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    except OSError:
        return []
    return [pid, *map(int, children)]


def resident_bytes(pid: int) -> int:
    """The memory of a process, of what it shares its part; 0 where it has ended."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith("Pss:"))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or SUITES))
