"""Do episodes find what neighbours take away? Servers whose truth is known, held against it to the one.

    .venv/bin/python bench/episodes.py threads    4 and 8 threads of gunicorn, waitress, granian: breaks at so many
    .venv/bin/python bench/episodes.py capacity   with K of T threads held, (T - K) / T of the capacity is left
    .venv/bin/python bench/episodes.py loop       an event loop that awaits bears 200; one that is blocked breaks at 1
    .venv/bin/python bench/episodes.py pool       `def` handlers break at AnyIO's forty
    .venv/bin/python bench/episodes.py computing  a request that computes twice a second blocks an event loop
    .venv/bin/python bench/episodes.py streams    of nine on eight threads the ninth waits; an event loop sends 200
    .venv/bin/python bench/episodes.py equals     of twenty undisturbed pairs of equals none is different (Holm)
    .venv/bin/python bench/episodes.py idle       nor of twenty with a disturbance that does nothing
    .venv/bin/python bench/episodes.py all

The victim waits for 20 ms by itself, 20 times a second: less than half of what one slot serves. So the break lies where
all slots are taken, in each block of three. Prints a line a claim with its figures, PASS or FAIL, and ends with 1 when
one fails. What is claimed are counts, so that it may run on a machine that does something else too; `all` takes
about an hour.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from time import monotonic_ns

from bench.claims import Claims, Part, main, run
from harness import spec
from harness.judge.episodes import Break, ran_out
from harness.judge.statistics import holm
from harness.machine.placement import place
from harness.report.figures import Study, study
from harness.subject.launch import launch
from harness.subject.services import Services
from harness.suite import Ask, Closed, Expect, Load, Scenario, load_definitions
from harness.suite.choice import arm_of
from harness.trial import generator
from harness.trial.episodes.held import holding

BLOCKS, NEAR = 3, 0.10
SERVERS = ("gunicorn-gthread", "waitress", "granian-wsgi")
EQUALS, ALPHA = 20, 0.05
FLASK, BLOCKED = 'target = "flask"', 'target = "fastapi-blocking", server = "uvicorn"'
AWAITS, POOL = 'target = "fastapi", server = "uvicorn"', 'target = "fastapi-threadpool", server = "uvicorn"'
HEAD = f"""
about = "Servers whose slots are known."
blocks = {BLOCKS}
open_slice_s = 0.5

[thresholds]
outside_load = 1
steal = 1
generator_waiting = 1
generator_cpu_percent = 400
lateness_p99_us = 1e6

[[scenario]]
name = "victim"
about = "Waits for 20 ms."
request = {{ path = "/slow?ms=20" }}
expect = {{ json = {{ waited_ms = 20 }} }}
connections = 8

[[scenario]]
name = "report"
about = "Waits for longer than it is held."
request = {{ path = "/slow?ms=2500" }}
expect = {{ json = {{ waited_ms = 2500 }} }}

[[scenario]]
name = "sums"
about = "Computes for longer than the victim may take."
request = {{ path = "/compute?ms=400" }}
expect = {{ json = {{ computed_ms = 400 }} }}

[[scenario]]
name = "feed"
about = "Streams for longer than it is held."
request = {{ path = "/stream?interval_ms=250&events=20" }}
expect = {{ contains = "event: end" }}
"""


def pair(a: str, b: str, count: Sequence[int], request: str = "report", how: str = "whole") -> str:
    """A pair of two sides, whose victim is disturbed."""
    held = (
        f'request = "{request}", how = "{how}", every_s = 0.5, count = {list(count)}, '
        "before_s = 1, during_s = 2, deadline_ms = 250, late_share = 0.2"
    )
    return f"""
[[pair]]
scenario = "victim"
rate_rps = 20
a = {{ {a} }}
b = {{ {b} }}
disturbance = {{ kind = "held", {held} }}
"""


def measured(*pairs: str) -> Study:
    """The run of these pairs."""
    with tempfile.TemporaryDirectory() as folder:
        suite = Path(folder) / "episodes.toml"
        suite.write_text(HEAD + "".join(pairs))
        answer = run(str(suite), "--shared-cpu", "--out", f"{folder}/run", may=(0, 3))
        return study(Path(answer["run"]))


def broke_at(claims: Claims, opened: Study, arm: str, truth: int, name: str) -> None:
    """In each block the victim bears one less than `truth`, and breaks at it; what ran out is called `name`."""
    found = opened.breaks.get(arm)
    ends = [(block.bore, block.broke) for block in found.blocks] if found else []
    named = ran_out(opened.arms[arm], found) if found else None
    held = ends == [(truth - 1, truth)] * BLOCKS and named == name
    claims.check(f"{opened.arms[arm].label} breaks at {truth} by its {name}", f"{ends}, {named}", held=held)


def bears(claims: Claims, opened: Study, arm: str, most: int) -> None:
    """The victim bears all that is tried in each block."""
    found = opened.breaks.get(arm)
    held = isinstance(found, Break) and found.low is None and found.most == most and len(found.blocks) == BLOCKS
    claims.check(f"{opened.arms[arm].label} bears {most}", f"{found.blocks if found else 'nothing valid'}", held=held)


def threads(claims: Claims) -> None:
    """Each held request takes a thread."""
    near = (0, 3, 4, 5, 7, 8, 9)

    def side(server: str, number: int) -> str:
        return f'{FLASK}, server = "{server}", threads = {number}'

    opened = measured(*(pair(side(server, 4), side(server, 8), near) for server in SERVERS))
    for number in range(1, len(SERVERS) + 1):
        broke_at(claims, opened, f"p{number}a", 4, "threads")
        broke_at(claims, opened, f"p{number}b", 8, "threads")


def capacity(claims: Claims) -> None:
    """Under closed load what is left of the capacity is the share of the slots that are left."""
    for server in SERVERS:
        for number in (4, 8):
            for time in range(BLOCKS):
                whole = served_rps(server, number, 0)
                shares = {held: served_rps(server, number, held) / whole for held in (1, number // 2, number - 1)}
                near = all(abs(share / (1 - held / number) - 1) <= NEAR for held, share in shares.items())
                seen = ", ".join(f"{held} held {share:.3f}" for held, share in shares.items())
                claims.check(f"{server}, {number} threads, {time + 1}: (T - K) / T within {NEAR:.0%}", seen, held=near)


def served_rps(server: str, number: int, held: int) -> float:
    """Good answers a second of a fresh server, on which so many of its threads are held."""
    known, placement = load_definitions(), place(tuple(sorted(os.sched_getaffinity(0))))
    victim, report = (
        Scenario(name=name, about="", request=Ask(path=f"/slow?ms={wait}"), expect=Expect(json={"waited_ms": wait}))
        for name, wait in (("victim", 20), ("report", 30_000))
    )
    known = replace(known, scenarios={victim.name: victim})
    loads: tuple[Load, ...] = (Closed(connections=32),)
    target, process = known.targets["flask"], known.servers[server]
    arm = arm_of(known, "t1", target, process, victim, levels={"threads": number}, loads=loads)
    with (
        tempfile.TemporaryDirectory() as folder,
        launch(arm, known.factors.values(), Services(), cpus=placement.server, log=Path(folder, "server.log")) as ready,
    ):
        ready.wait_ready()
        log = Path(folder, "helpers.log")
        with holding(ready, report, held, cpus=placement.generator, log=log) as holder:
            now = monotonic_ns()
            holder.begin(now, now + 20_000_000_000)
            request = spec.Request(path=victim.requests[0].path)
            driven = spec.DrivenArm(name="t1", port=ready.port, request=request, load=Closed(connections=32))
            order = spec.Spec(arms=(driven,), rounds=((0,),), slice_s=2.0, warmup_s=1.0)
            result = generator.run(order, cpus=placement.generator, log=log, on_event=lambda *_: None)
    return result.slices[0].throughput_rps


def loop(claims: Claims) -> None:
    """What awaits takes nothing; what blocks takes the loop."""
    opened = measured(pair(BLOCKED, AWAITS, (0, 1, 2, 20, 200)))
    broke_at(claims, opened, "p1a", 1, "event-loop")
    bears(claims, opened, "p1b", 200)


def pool(claims: Claims) -> None:
    """Plain handlers run in AnyIO's threads."""
    opened = measured(pair(POOL, AWAITS, (0, 20, 39, 40, 41)))
    broke_at(claims, opened, "p1a", 40, "anyio")


def computing(claims: Claims) -> None:
    """Who computes holds the interpreter: 400 ms each half a second make three of ten requests later than 250."""
    opened = measured(pair(f'{FLASK}, server = "gunicorn-gthread"', AWAITS, (0, 1, 2), "sums", "now-and-then"))
    broke_at(claims, opened, "p1b", 1, "interpreter")


def streams(claims: Claims) -> None:
    """A stream takes a thread for as long as it lasts, or next to nothing of an event loop."""
    a, b = f'{FLASK}, server = "gunicorn-gthread", threads = 8', AWAITS
    opened = measured(pair(a, b, (0, 7, 8, 9, 200), "feed"))
    broke_at(claims, opened, "p1a", 8, "threads")
    bears(claims, opened, "p1b", 200)
    sent = {(each.arm, each.strength): each.begun_most for each in opened.run.episodes}
    for arm, held, begun in (("p1a", 9, 8), ("p1b", 200, 200)):
        seen = sent.get((arm, held))
        claims.check(f"of {held} streams {opened.arms[arm].label} sends {begun}", f"{seen}", held=seen == begun)
    memory, cpu = (opened.values.get(f"held/p1b/200/{name}/open") for name in ("memory_a_held", "cpu_a_held"))
    for name, value in (("bytes", memory), ("of a core", cpu)):
        told = f"{value.value:.4g} ({value.low:.4g} to {value.high:.4g}) {name}" if value and value.low else "nothing"
        claims.check("what a stream costs has an interval", told, held=value is not None and value.low is not None)


def equals(claims: Claims) -> None:
    """Twenty times the same cell on both sides, with none held."""
    alike(claims, held=0)


def idle(claims: Claims) -> None:
    """The same with a disturbance that does nothing: one request that an event loop awaits."""
    alike(claims, held=1)


def alike(claims: Claims, held: int) -> None:
    """Check that none of twenty pairs of equals is called different."""
    opened = measured(*(pair(AWAITS, AWAITS, (held,)) for _ in range(EQUALS)))
    found = [each for each in opened.contrasts if each.p is not None]
    pairs = len({each.pair for each in found})
    # Of each pair the four metrics are tested together: eighty tests in all.
    adjusted = holm([each.p or 0.0 for each in found])
    different = [(each.pair, each.metric) for each, p in zip(found, adjusted, strict=True) if p < ALPHA]
    claims.check(f"none of {EQUALS} pairs of equals differs", f"{pairs} compared, {different}", held=not different)
    claims.check(f"all {EQUALS} have a result", f"{pairs}", held=pairs == EQUALS)


EVERY: tuple[Part, ...] = (threads, capacity, loop, pool, computing, streams, equals, idle)
PARTS = {part.__name__: part for part in EVERY}

if __name__ == "__main__":
    sys.exit(main(PARTS, __doc__))
