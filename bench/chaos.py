"""What does gatebench survive? Faults at random moments of small runs that it starts itself, two at a time.

    .venv/bin/python bench/chaos.py [--budget SECONDS] [--count N] [--seed SEED] [--only FAULT] [--at-once N]

A run has survived a fault when it ends with the exit code that docs/FORMAT.md has for it and without a traceback, has
every row that was on disk before, leaves no process, port, socket, cgroup and temporary file, and `gatebench run
--resume` ends with a row for every planned trial. A moment counts from when the run has its folder. Each run has a
network of its own where that is allowed (as root). Prints a table, and ends with 1 when something was not survived.
Needs a machine on which nothing is measured meanwhile; 25 minutes at most.
"""

from __future__ import annotations

import argparse
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count as numbers
from pathlib import Path

from bench import hardships, injection, network  # noqa: F401 - hardships enters its faults into the table
from bench.aftermath import incomplete, left, left_running, look, too_late, unfinished_files
from bench.claims import ROOT
from bench.faults import FAULTS, Fault
from bench.injection import (
    PLAIN,
    SERVICES,
    MissedError,
    Place,
    Run,
    disk,
    faketime,
    namespaced,
    started,
    wait_begun,
    wait_ended,
)
from harness import record
from harness.machine import pods

POD_BYTES = 1 << 30
"""Servers run in a pod that they fit into, where one can be had: its cgroups must go too."""
LONGEST_S = 25 * 60.0
LAST_S = 150.0
"""How long before the end of the budget the last fault is injected."""
AT_ONCE = 2
"""Runs side by side: most of a run waits, and its figures do not matter."""
FIRST = {False: "none", True: "none, with services"}
"""The fault that shows how long a run takes, without and with services."""
EARLY = 0.6
"""A fault of what is measured strikes within this share of the measurement: later there would be nothing to strike."""
DRAWN_S = 1.5
"""How long after the last measurement a report is still being drawn."""


@dataclass(slots=True)
class Outcome:
    """What became of an injection."""

    fault: str
    seed: int
    missed: bool = False
    problems: list[str] = field(default_factory=list)
    seconds: float = 0.0
    measured_s: float = 0.0
    """How long the first sitting measured; 0 where it did not come to its end."""


def inject(fault: Fault, seed: int, measured_s: float) -> Outcome:
    """Inject `fault` at a moment of a run that measures for so long, and look whether the run survives."""
    # In a thread of its own, which keeps the network that it takes for itself.
    with ThreadPoolExecutor(1) as alone:
        return alone.submit(_injected, fault, seed, measured_s).result()


def _injected(fault: Fault, seed: int, measured_s: float) -> Outcome:
    began = time.monotonic()
    outcome = Outcome(fault.name, seed)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="chaos-")))
        (folder / "disk").mkdir()
        own_disk = stack.enter_context(disk(folder / "disk", wanted=fault.own_disk))
        place = Place(folder, own_disk=own_disk, own_network=network.isolate())
        try:
            _sittings(fault, place, seed, measured_s, outcome)
        except MissedError:
            outcome.missed = True
    outcome.seconds = time.monotonic() - began
    return outcome


def _sittings(fault: Fault, place: Place, seed: int, measured_s: float, outcome: Outcome) -> None:
    suite = place.folder / "suite.toml"
    text = SERVICES if fault.services else PLAIN.format(apps=ROOT / "bench/apps", crash_after=fault.crash_after)
    suite.write_text(text if pods.refused(None, POD_BYTES) else f"pod = {{ memory = {POD_BYTES} }}\n{text}")
    argv = ("run", str(suite), "--seed", "1", "--out", str(place.results))
    with started(place, seed, *argv, own_clock=fault.own_clock) as run:
        wait_begun(run)
        _wait(run, run.rng.random() * (measured_s + DRAWN_S if fault.anytime else measured_s * EARLY))
        outcome.problems = _struck(fault, run)
        outcome.measured_s = _measured_s(place)
        if (place.results / record.INFO).exists() and not outcome.problems:
            outcome.problems = _second_sitting(place, seed)
            outcome.problems += left(run)  # what nobody was left to clean up is gone by now


def _measured_s(place: Place) -> float:
    info = record.read_info(place.results) if (place.results / record.INFO).exists() else None
    if info is None or info.finished is None:
        return 0.0
    return (datetime.fromisoformat(info.finished) - datetime.fromisoformat(info.started)).total_seconds()


def _struck(fault: Fault, run: Run) -> list[str]:
    run.members()
    before = run.rows()
    undo = fault.strike(run)
    struck = time.time()
    try:
        problems = wait_ended(run)
    finally:
        if undo is not None:
            undo()
    if too_late(run, fault.codes, struck):
        raise MissedError
    problems += look(run, before, fault.codes, fault.says)
    if not fault.swept_later:
        return problems + left(run)
    return problems + (left_running(run) if namespaced() else [])


def _second_sitting(place: Place, seed: int) -> list[str]:
    """Go on with the run, or draw its report again where nothing is left to measure."""
    done = record.read_info(place.results).finished is not None
    argv = ("report", str(place.results)) if done else ("run", "--resume", str(place.results))
    with started(place, seed, *argv) as run:
        before = run.rows()
        problems = wait_ended(run) + look(run, before, {0} if done else ()) + left(run)
    problems += unfinished_files(place.results)
    return [f"{'report' if done else 'resumed'}: {problem}" for problem in problems + incomplete(place.results)]


def _wait(run: Run, seconds: float) -> None:
    until = time.monotonic() + seconds
    run.wait_for(lambda: time.monotonic() >= until)


def series(
    faults: Sequence[Fault],
    seed: int,
    count: int,
    budget_s: float,
    *,
    at_once: int = AT_ONCE,
    measured_s: dict[bool, float] | None = None,
) -> list[Outcome]:
    """Inject `count` faults, in turn through a shuffled list, within the budget; one that missed its run counts not.

    `measured_s` is how long a run measures without and with services; without it, first runs without a fault show it.
    """
    ends = time.monotonic() + min(budget_s, LONGEST_S) - LAST_S
    outcomes: list[Outcome] = []
    with ThreadPoolExecutor(at_once) as pool:
        try:
            if measured_s is None:
                outcomes += _said(pool.map(lambda first: inject(first, seed, 0.0), _firsts(faults)))
                measured_s = {FAULTS[each.fault].services: max(1.0, each.measured_s) for each in outcomes}
            jobs, struck, under_way = _jobs(faults, seed), 0, set[Future[Outcome]]()
            while True:
                while len(under_way) < min(at_once, count - struck) and time.monotonic() < ends:
                    fault, its_seed = next(jobs)
                    under_way.add(pool.submit(inject, fault, its_seed, measured_s[fault.services]))
                if not under_way:
                    return outcomes
                done, under_way = wait(under_way, return_when=FIRST_COMPLETED)
                outcomes += _said(future.result() for future in done)
                struck = sum(not outcome.missed for outcome in outcomes if outcome.fault not in FIRST.values())
        except BaseException:  # Ctrl-C too: the runs that are under way end
            injection.STOP.set()
            raise


def _firsts(faults: Sequence[Fault]) -> list[Fault]:
    return [FAULTS[FIRST[services]] for services in sorted({each.services for each in faults})]


def _said(outcomes: Iterable[Outcome]) -> Iterator[Outcome]:
    for outcome in outcomes:
        _say(outcome)
        yield outcome


def _jobs(faults: Sequence[Fault], seed: int) -> Iterator[tuple[Fault, int]]:
    """A fault after the other, each with the seed by which it is repeated."""
    order = [fault for fault in faults if fault.name not in FIRST.values()]
    random.Random(seed).shuffle(order)
    for number in numbers():
        yield order[number % len(order)], seed + number


def _say(outcome: Outcome) -> None:
    what = "missed" if outcome.missed else "; ".join(outcome.problems) or "survived"
    print(f"      {outcome.fault}, seed {outcome.seed}, {outcome.seconds:.0f} s: {what}", flush=True)


def tabulate(faults: Sequence[Fault], outcomes: Sequence[Outcome], say: Callable[[str], object] = print) -> bool:
    """Print what was survived, and how a failure is repeated; returns whether everything was."""
    say(f"{'fault':28} {'count':>6} {'survived':>9} {'missed':>7}")
    all_struck = all_survived = 0
    for fault in faults:
        mine = [outcome for outcome in outcomes if outcome.fault == fault.name]
        missed = sum(outcome.missed for outcome in mine)
        survived = sum(not outcome.missed and not outcome.problems for outcome in mine)
        struck = len(mine) - missed
        absent = fault.absent()
        say(f"{fault.name:28} " + (f"not here: {absent}" if absent else f"{struck:6} {survived:9} {missed:7}"))
        if fault.name not in FIRST.values():
            all_struck, all_survived = all_struck + struck, all_survived + survived
    say(f"{'all faults':28} {all_struck:6} {all_survived:9}")
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
    parser.add_argument("--at-once", type=int, default=AT_ONCE, help="runs side by side")
    parser.add_argument("--only", choices=sorted(FAULTS), help="inject this fault alone")
    asked = parser.parse_args()
    # What a shell puts into the background ignores SIGINT, and the runs would inherit that. Either ends the runs too.
    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, signal.default_int_handler)
    faults = [FAULTS[asked.only]] if asked.only else list(FAULTS.values())
    here = [fault for fault in faults if not fault.absent()]
    print(f"seed {asked.seed}", flush=True)
    if FAULTS["clock steps"] in here and faketime() is None:
        print("      no libfaketime: only time.time steps")
    began = time.monotonic()
    strikes = any(fault.name not in FIRST.values() for fault in here)
    count = asked.count if strikes else 0
    outcomes = series(here, asked.seed, count, asked.budget, at_once=asked.at_once) if here else []
    survived = tabulate(faults, outcomes)
    print(f"{time.monotonic() - began:.0f} s, seed {asked.seed}")
    return 0 if survived else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
