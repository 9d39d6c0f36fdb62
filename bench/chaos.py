"""What does gatebench survive? Faults at random moments of small runs that it starts itself, one after another.

    .venv/bin/python bench/chaos.py [--budget SECONDS] [--count N] [--seed SEED] [--only FAULT]

A run has survived a fault when it ends with the exit code that docs/FORMAT.md has for it and without a traceback, has
every row that was on disk before, leaves no process and no temporary file, and `gatebench run --resume` ends with a row
for every planned trial. A moment counts from when the run has its folder. Prints a table, and ends with 1 when
something was not survived. Needs a machine on which nothing is measured meanwhile; 25 minutes at most.
"""

from __future__ import annotations

import argparse
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.claims import ROOT
from bench.faults import FAULTS, Fault
from bench.injection import (
    PLAIN,
    SERVICES,
    MissedError,
    Outcome,
    Run,
    disk,
    incomplete,
    left,
    look,
    started,
    wait_begun,
    wait_ended,
)
from harness import record

LONGEST_S = 25 * 60.0
FIRST = {False: "none", True: "none, with services"}
"""The fault that shows how long a run takes, without and with services."""


def inject(fault: Fault, seed: int, within_s: float) -> Outcome:
    """Inject `fault` at a moment within the first `within_s` of a run, and look whether the run survives."""
    began = time.monotonic()
    outcome = Outcome(fault.name, seed)
    with tempfile.TemporaryDirectory(prefix="chaos-") as name:
        folder = Path(name)
        (folder / "disk").mkdir()
        with disk(folder / "disk", wanted=fault.own_disk) as own_disk:
            try:
                outcome.problems = _first_sitting(fault, folder, seed, within_s, own_disk=own_disk)
                if (folder / "disk" / "run" / record.INFO).exists() and not outcome.problems:
                    outcome.problems = _second_sitting(folder, seed)
            except MissedError:
                outcome.missed = True
    outcome.seconds = time.monotonic() - began
    return outcome


def _first_sitting(fault: Fault, folder: Path, seed: int, within_s: float, *, own_disk: bool) -> list[str]:
    suite = folder / "suite.toml"
    suite.write_text(
        SERVICES if fault.services else PLAIN.format(apps=ROOT / "bench/apps", crash_after=fault.crash_after)
    )
    argv = (str(suite), "--seed", "1", "--out", str(folder / "disk" / "run"))
    with started(folder, seed, *argv, own_disk=own_disk) as run:
        wait_begun(run, folder)
        _wait(run, run.rng.random() * within_s)
        run.members()
        before = run.rows()
        undo = fault.strike(run)
        problems = wait_ended(run)
        if undo is not None:
            undo()
        problems += look(run, folder, before, fault.codes, fault.says)
        return problems if fault.swept_later else problems + left(run, folder)


def _second_sitting(folder: Path, seed: int) -> list[str]:
    """Go on with the run, if there is something left to measure."""
    results = folder / "disk" / "run"
    if record.read_info(results).finished is not None:
        return incomplete(results)
    with started(folder, seed, "--resume", str(results)) as run:
        before = run.rows()
        problems = wait_ended(run) + look(run, folder, before, ()) + left(run, folder)
    return [f"resumed: {problem}" for problem in problems + incomplete(results)]


def _wait(run: Run, seconds: float) -> None:
    until = time.monotonic() + seconds
    run.wait_for(lambda: time.monotonic() >= until)


def series(faults: Sequence[Fault], seed: int, count: int, budget_s: float) -> list[Outcome]:
    """Inject `count` faults, in turn through a shuffled list, within the budget; first runs without a fault."""
    ends = time.monotonic() + min(budget_s, LONGEST_S)
    firsts = {services: inject(FAULTS[FIRST[services]], seed, 0.0) for services in {each.services for each in faults}}
    outcomes = list(firsts.values())
    for first in outcomes:
        _say(first)
    order = [fault for fault in faults if fault.name not in FIRST.values()]
    random.Random(seed).shuffle(order)
    for number in range(count if order else 0):
        if time.monotonic() > ends:
            break
        fault = order[number % len(order)]
        # A failure is repeated by its own seed.
        outcomes.append(inject(fault, seed + number, 0.6 * firsts[fault.services].seconds))
        _say(outcomes[-1])
    return outcomes


def _say(outcome: Outcome) -> None:
    what = "missed" if outcome.missed else "; ".join(outcome.problems) or "survived"
    print(f"      {outcome.fault}, seed {outcome.seed}, {outcome.seconds:.0f} s: {what}", flush=True)


def tabulate(faults: Sequence[Fault], outcomes: Sequence[Outcome], say: Callable[[str], object] = print) -> bool:
    """Print what was survived, and how a failure is repeated; returns whether everything was."""
    say(f"{'fault':28} {'count':>6} {'survived':>9} {'missed':>7}")
    for fault in faults:
        mine = [outcome for outcome in outcomes if outcome.fault == fault.name]
        missed = sum(outcome.missed for outcome in mine)
        survived = sum(not outcome.missed and not outcome.problems for outcome in mine)
        absent = fault.absent()
        say(f"{fault.name:28} " + (f"not here: {absent}" if absent else f"{len(mine):6} {survived:9} {missed:7}"))
    failed = [outcome for outcome in outcomes if outcome.problems]
    for outcome in failed:
        say(f"FAIL  {outcome.fault}: {'; '.join(outcome.problems)}")
        say(f'      .venv/bin/python bench/chaos.py --count 1 --seed {outcome.seed} --only "{outcome.fault}"')
    return not failed


def main() -> int:
    """Read the command line, inject, print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--budget", type=float, default=LONGEST_S, help="seconds, 1500 at most")
    parser.add_argument("--count", type=int, default=60, help="how many faults to inject")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000))
    parser.add_argument("--only", choices=sorted(FAULTS), help="inject this fault alone")
    asked = parser.parse_args()
    # What a shell puts into the background ignores SIGINT, and the runs would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    faults = [FAULTS[asked.only]] if asked.only else list(FAULTS.values())
    here = [fault for fault in faults if not fault.absent()]
    print(f"seed {asked.seed}", flush=True)
    outcomes = series(here, asked.seed, asked.count, asked.budget) if here else []
    return 0 if tabulate(faults, outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
