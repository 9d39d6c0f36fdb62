"""Are deploys and overloads told truly? Servers whose truth is known, and real ones whose counts must meet ours.

    .venv/bin/python bench/bad_days.py dropping    a server drops exactly N at its reload: N are counted, none more
    .venv/bin/python bench/bad_days.py reloads     gunicorn, uvicorn and granian reloaded ten times each
    .venv/bin/python bench/bad_days.py overload    one that works on for clients that left; one that refuses in time
    .venv/bin/python bench/bad_days.py slow        one client with slow headers takes a sync worker; behind nginx none
    .venv/bin/python bench/bad_days.py all

Prints a line a claim with its figures, PASS or FAIL, and ends with 1 when one fails. What is claimed are counts and
coarse shares, so that it may run on a machine that does something else too; `all` takes about ten minutes.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from bench.claims import ROOT, Claims, Part, main, run
from harness.report.figures import Study, study

APPS = ROOT / "bench" / "apps"
COUNTS = (0, 1, 7, 40)
RELOADS = 10
HEAD = """
about = "Servers on a bad day."
blocks = 1
open_slice_s = 0.5

[thresholds]
outside_load = 1
steal = 1
generator_waiting = 1
generator_cpu_percent = 400
lateness_p99_us = 1e6
"""


def toy(program: str, *arguments: object) -> str:
    """Definitions of a server of bench/apps, and of the target and the scenario that go with it."""
    argv = ", ".join(f'"{part}"' for part in ("{python}", APPS / program, "{host}", "{port}", *arguments))
    return f"""
[[server]]
name = "toy"
interface = "asgi"
argv = [{argv}, "--", "{{app}}"]
packages = []
slots = "loop"
reload = {{ signal = "HUP" }}
[[target]]
name = "toy"
interface = "asgi"
app = "none"
packages = []
handler = "async"
[target.env]
PYTHONPATH = "{ROOT}"
[[scenario]]
name = "toy"
about = "Five bytes."
request = {{ path = "/" }}
expect = {{ contains = "hello" }}
connections = 4
"""


def measured(text: str) -> Study:
    """The run of that suite."""
    with tempfile.TemporaryDirectory() as folder:
        suite = Path(folder) / "own.toml"
        suite.write_text(HEAD + text)
        answer = run(str(suite), "--shared-cpu", "--out", f"{folder}/run", may=(0, 3))
        return study(Path(answer["run"]))


SIDES = 'a = { target = "toy", server = "toy" }\nb = { target = "toy", server = "toy" }\n'


def dropping(claims: Claims) -> None:
    """What is dropped is counted, to the one."""
    for count in COUNTS:
        deploy = 'kind = "deploy", how = "reload", times = 2, during_s = 2, deadline_ms = 1000, late_share = 0.5'
        pair = f'[[pair]]\nscenario = "toy"\nrate_rps = 200\n{SIDES}disturbance = {{ {deploy} }}\n'
        rows = measured(toy("dropping.py", count) + pair).run.episodes
        lost = [
            sum(sum(part.lost.values()) for part in (row.before, row.during, row.after) if part is not None)
            for row in rows
        ]
        left = [None if row.server_begun is None else row.server_begun - (row.server_finished or 0) for row in rows]
        held = len(rows) == 4 and all(row.valid for row in rows) and {*lost, *left} == {count}  # noqa: PLR2004
        claims.check(f"{count} dropped, {count} counted by both", f"client {lost}, server {left}", held=held)


def reloads(claims: Claims) -> None:
    """Ten reloads of each; what the client lost and what the server did not finish must not contradict."""
    sides = {
        "gunicorn-gthread": 'a = { target = "flask", server = "gunicorn-gthread" }',
        "uvicorn": 'b = { target = "fastapi", server = "uvicorn" }',
        "granian-wsgi": 'a = { target = "flask", server = "granian-wsgi" }',
        "granian-asgi": 'b = { target = "fastapi", server = "granian-asgi" }',
    }
    deploy = f'kind = "deploy", how = "reload", times = {RELOADS}, deadline_ms = 250, late_share = 0.05'
    for first, second in (("gunicorn-gthread", "uvicorn"), ("granian-wsgi", "granian-asgi")):
        pair = f'[[pair]]\nscenario = "json"\nworkers = 2\nrate_rps = 200\n{sides[first]}\n{sides[second]}\n'
        opened = measured(pair + f"disturbance = {{ {deploy} }}\n")
        for arm in opened.sides("p1"):
            found = opened.deploys(arm.id)
            rows = [row for row in opened.run.episodes if row.arm == arm.id]
            wrong = [reason for row in rows for reason in (*row.reasons, *((row.error,) if row.error else ()))]
            if found is None:
                claims.check(f"{arm.label}: {RELOADS} reloads", f"{wrong[:2]}", held=False)
                continue
            of = found.losses
            told = (
                f"{of.each:.2f} lost ({of.low:.2f} to {of.high:.2f}), {of.kinds}; late or lost for "
                f"{found.length_s.value} s, changed after {found.changed_s.value} s; {len(wrong)} not valid {wrong[:1]}"
            )
            claims.check(f"{arm.label}: {RELOADS} reloads, counts meet", told, held=of.deploys == RELOADS)


def overload(claims: Claims) -> None:
    """One slot of 20 ms, 50/s: a queue without a bound has no goodput beyond its capacity, a bounded one keeps it."""
    over = 'kind = "overload", times = [2], deadline_ms = 200, during_s = 4, after_s = 15, late_share = 0.1'
    for name, bound, nobody in (("works on", 10_000, True), ("refuses in time", 4, False)):
        pair = f'[[pair]]\nscenario = "toy"\nrate_rps = 30\n{SIDES}disturbance = {{ {over} }}\n'
        opened = measured(toy("queueing.py", 20, bound) + pair)
        for arm in opened.sides("p1"):
            points = opened.strengths(arm.id)
            if not points:
                reasons = [(row.error, row.reasons) for row in opened.run.episodes]
                claims.check(f"{name}: an episode", f"{reasons}", held=False)
                continue
            (point,) = points
            goodput, wasted, well = point.goodput.value or 0.0, point.for_nobody.value or 0.0, point.well_s.value
            held = (goodput < 15 and wasted > 0.3) if nobody else (goodput > 40 and wasted < 0.1 and well is not None)  # noqa: PLR2004 - what the docstring says
            claims.check(
                f"{name}: goodput", f"{goodput:.1f}/s, {wasted:.0%} for nobody, well after {well} s", held=held
            )


def slow(claims: Claims) -> None:
    """Clients that send their headers a byte at a time, of gunicorn's sync worker bare and behind nginx."""
    report = """
[[scenario]]
name = "slowly"
about = "What slow clients never come to ask for."
request = { path = "/health" }
expect = { json = { status = "ok" } }
"""
    held = 'kind = "held", request = "slowly", how = "slow-headers", count = [0, 1, 2, 16], deadline_ms = 250'
    pair = f"""
[[pair]]
scenario = "json"
rate_rps = 20
connections = 4
a = {{ target = "flask", server = "gunicorn-sync" }}
b = {{ target = "flask", server = "nginx-gunicorn-sync" }}
disturbance = {{ {held}, late_share = 0.2, before_s = 1, during_s = 2 }}
"""
    opened = measured(report + pair)
    bare, behind = (opened.breaks.get(arm.id) for arm in opened.sides("p1"))
    told = f"{bare.blocks if bare else opened.run.episodes[0].reasons}"
    claims.check("gunicorn-sync breaks at one", told, held=bare is not None and bare.at == 1)
    told = f"{behind.blocks if behind else opened.run.episodes[-1].reasons}"
    claims.check("behind nginx it bears 16", told, held=behind is not None and behind.low is None and behind.most == 16)  # noqa: PLR2004


EVERY: tuple[Part, ...] = (dropping, reloads, overload, slow)
PARTS = {part.__name__: part for part in EVERY}

if __name__ == "__main__":
    sys.exit(main(PARTS, __doc__))
