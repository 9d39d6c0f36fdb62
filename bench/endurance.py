"""A load generator that has driven 500 phases, held against a fresh one.

    .venv/bin/python bench/endurance.py

One generator drives 500 short phases. Then it and fresh ones take turns, ten times, on one null server: the throughput
that they reach under closed load, and how late they are under open load. Prints each claim with its figures, PASS or
FAIL, and ends with 1 when one fails. Needs the machine to itself for about fourteen minutes.
"""

from __future__ import annotations

import math
import sys
from contextlib import AbstractContextManager
from statistics import fmean

from bench.claims import Claims
from bench.instruments import Placed, arm, closed, null_server, opened, placed, resident_bytes
from harness.judge.statistics import estimate
from harness.machine.process import Process
from harness.spec import Event
from harness.spec.histogram import Histogram
from harness.trial.generator import Generator, generating

PHASES = 500
SETTLED = 20
"""Phases after which everything is imported, and every buffer has its size."""
TURNS = 10
SPELLS = 12
"""Open slices of each in a turn, in turns again: what the machine does for a second falls on both alike."""
RPS = 5_000
WORSE = 1.05
"""No interval may reach further than this on the wrong side."""
GROWTH_BYTES = 5_000_000


def main() -> int:
    """Drive the phases, take the turns, and return the exit code."""
    claims = Claims()
    with placed() as where, null_server(where, "null") as server, _generator(where, "old") as old:
        before, after = _aged(old, server.port, SETTLED), _aged(old, server.port, PHASES - SETTLED)
        grown = f"{(after - before) / 1e6:.2f} MB from phase {SETTLED} to {PHASES}, {after / 1e6:.0f} MB in all"
        most = f"memory grows by less than {GROWTH_BYTES / 1e6:.0f} MB"
        claims.check(most, grown, held=after - before < GROWTH_BYTES)
        ceilings, lateness = [], []
        for turn in range(TURNS):
            with _generator(where, "fresh") as fresh:
                _aged(fresh, server.port, 1)  # it starts beside what comes next, on the same CPU
                order = (old, fresh) if turn % 2 else (fresh, old)
                rps = {each: _ceiling(each, server.port) for each in order}
                late = _latenesses(order, server.port)
            ceilings.append(math.log(rps[fresh] / rps[old]))
            lateness.append(math.log(late[old] / late[fresh]))
            print(
                f"      {turn + 1:2}: old {rps[old]:7.0f}/s, late {late[old]:4.0f} us;"
                f" fresh {rps[fresh]:7.0f}/s, late {late[fresh]:4.0f} us",
                flush=True,
            )
    _check(claims, "closed ceiling, fresh over old", ceilings)
    _check(claims, "open lateness p99, old over fresh", lateness)
    return 1 if claims.failed else 0


def _aged(generator: Generator, port: int, phases: int) -> int:
    """Bytes that it holds after so many more phases."""
    pids: set[int] = set()

    def note(_: Event, process: Process) -> None:
        pids.add(process.pid)

    for _ in range(phases):
        generator.run(closed(arm(port), slice_s=0.05, warmup_s=0.05), note)
    (pid,) = pids  # one process has driven them all
    return resident_bytes(pid)


def _generator(where: Placed, name: str) -> AbstractContextManager[Generator]:
    return generating(cpus=where.generator, log=where.folder / f"{name}.log")


def _ceiling(generator: Generator, port: int) -> float:
    """Good answers a second."""
    return generator.run(closed(arm(port), slice_s=2.0), lambda *_: None).slices[0].throughput_rps


def _latenesses(order: tuple[Generator, Generator], port: int) -> dict[Generator, float]:
    """The p99 of lateness of each in microseconds, the geometric mean over its slices."""
    logs: dict[Generator, list[float]] = {each: [] for each in order}
    for spell in range(SPELLS):
        for each in order[:: -1 if spell % 2 else 1]:
            (slice_,) = each.run(opened(port, RPS, slice_s=2.0), lambda *_: None).slices
            logs[each].append(math.log(Histogram.decode(slice_.lateness or "").percentile(99)))
    return {each: math.exp(fmean(logs[each])) for each in order}


def _check(claims: Claims, what: str, log_ratios: list[float]) -> None:
    estimated = estimate(log_ratios)
    low, high = (math.exp(end) for end in estimated.interval())
    figures = f"{math.exp(estimated.mean):.3f} ({low:.3f} to {high:.3f})"
    claims.check(f"{what}: reaches no further than {WORSE}", figures, held=high <= WORSE)


if __name__ == "__main__":
    sys.exit(main())
