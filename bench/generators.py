"""Two generators held against one: on servers of a known law they must read what one reads.

    .venv/bin/python bench/generators.py [NAME ...]

Claims of `bench/engine.py`, by the same tolerances, with one generator and with two on the same CPU: `unhidden` (a
stall), `two_peaked`, `never_again` (hang-ups, one error in ten), `no_edges` (50 ms), `all_counted` (sent is seen, over
slices, drains and a stop). `one_schedule`: the arrivals of two are those of one. `one_stall`: what both see counts
once. `two_cores` has no tolerance: it prints what two on two CPUs offer against one on one. On a machine of two CPUs
one of them takes turns with the server there, and the figure says nothing of a larger one.

Needs two CPUs, and the machine to itself for three minutes. Ends with 1 when a claim does not hold.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace

from bench import engine, instruments
from bench.engine import Claim, checked, latency
from bench.instruments import Placed, arm, closed, null_server, opened, run
from harness.machine.placement import usable_cpus

Prove = Callable[[Placed], Iterator[Claim]]
AS_ONE: tuple[Prove, ...] = (
    engine.unhidden,
    engine.two_peaked,
    engine.never_again,
    engine.no_edges,
    engine.all_counted,
)
"""What holds for one generator, and must for two."""
STALL_WITHIN_S = 0.05


def one_schedule(where: Placed) -> Iterator[Claim]:
    """Open load at 2,000 arrivals a second, three slices, by one generator and by two."""
    with null_server(where, "fixed:5") as server:
        phase = opened(server.port, 2000, slices=3)
        one, two = (run(replace(where, generators=count), phase).slices for count in (1, 2))
    scheduled = [[slice_.scheduled for slice_ in slices] for slices in (one, two)]
    yield scheduled[0] == scheduled[1], f"scheduled in each slice: {scheduled[0]} by one, {scheduled[1]} by two"
    counted = [latency(slices).count for slices in (one, two)]
    yield counted[0] == counted[1], f"latencies {counted[0]:,} and {counted[1]:,}"
    shares = [[share.requests for share in slice_.shares] for slice_ in two]
    yield all(min(each) > 0 for each in shares), f"each had its share: {shares}"


def one_stall(where: Placed) -> Iterator[Claim]:
    """A server that stalls once for 1 s in 4 s, at 1,000 arrivals a second: seen twice it counts once."""
    for count in (1, 2):
        with null_server(where, "stall:1500,1000") as server:
            (seen,) = run(replace(where, generators=count), opened(server.port, 1000, slice_s=4)).slices
        held = seen.stalls == 1 and abs((seen.stalled_s or 0) - 1) <= STALL_WITHIN_S
        yield held, f"{count} generator(s): {seen.stalls} stall(s) of {seen.stalled_s or 0:.3f} s in all (1 of 1 s)"


def two_cores(where: Placed) -> Iterator[Claim]:
    """Closed load of 64 connections on the null server, by one generator on one CPU and by two on two."""
    cpus = usable_cpus()
    beside = cpus[1:3] if len(cpus) > 2 else cpus  # noqa: PLR2004 - the server's, and two more
    with null_server(where, "null") as server:
        phase = closed(arm(server.port, connections=64), slices=5, slice_s=1)
        rps = {}
        for placed in (where, replace(where, generators=2, generator=beside)):
            slices = run(placed, phase).slices
            rps[placed.generators] = sorted(slice_.throughput_rps for slice_ in slices)[len(slices) // 2]
    caveat = "" if len(cpus) > 2 else "; one of these CPUs is the server's, so this says nothing of a larger machine"  # noqa: PLR2004
    yield True, f"one {rps[1]:,.0f}/s, two {rps[2]:,.0f}/s: {rps[2] / rps[1]:.2f} times, on {len(cpus)} CPUs{caveat}"


TOGETHER: tuple[Prove, ...] = (one_schedule, one_stall, two_cores)


def main(*names: str) -> int:
    """Check the claims of these names, or all; returns the exit code."""
    failed = 0
    with instruments.placed() as where:
        runs = [(claim, replace(where, generators=count)) for claim in AS_ONE for count in (1, 2)]
        for claim, placed in [*runs, *((claim, where) for claim in TOGETHER)]:
            if names and claim.__name__ not in names:
                continue
            with_how_many = "" if (claim, placed) not in runs else f" {placed.generators} generator(s)."
            print(f"{claim.__name__}: {claim.__doc__}{with_how_many}", flush=True)
            for held, figures in checked(claim, placed):
                failed += not held
                print(f"    {'PASS' if held else 'FAIL'}  {figures}", flush=True)
    print(f"{failed} failed" if failed else "all held")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
