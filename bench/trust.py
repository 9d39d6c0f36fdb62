"""Can the verdicts be trusted? Pairs whose truth is known, measured as any pair is.

    .venv/bin/python bench/trust.py null          20 comparisons of equal cells: is any called better or worse?
    .venv/bin/python bench/trust.py sensitivity   a target that is 10 % and 25 % slower: is it called worse?
    .venv/bin/python bench/trust.py limits        cells whose limit is known: is it named?
    .venv/bin/python bench/trust.py runs          compare between runs: 20 % slower exits 1, the same code exits 0
    .venv/bin/python bench/trust.py all

Prints a line a claim with its figures, PASS or FAIL, and ends with 1 when one fails. Needs the machine to itself: null
takes 10 minutes, sensitivity up to 55, limits 4, runs 10.
"""

from __future__ import annotations

import math
import statistics
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

from bench.claims import ROOT, Answer, CallError, Claims, Part, gatebench, main, run
from harness import record

APPS = ROOT / "bench" / "apps"
FASTAPI = 'target = "fastapi", server = "uvicorn"'
TRIES = 20
NEEDED = 17
"""Tries that must succeed: where each does so in 95 % of cases, 17 of 20 do in 98 %."""
WIDTH = 0.05
EACH_S = 30
REACHED = 0.90


def primary(answer: Answer) -> Answer:
    """The verdict on the throughput of the first pair."""
    return next(verdict for verdict in answer["pairs"] if verdict["pair"] == "p1" and verdict["primary"])


def with_ratio(answer: Answer) -> Answer:
    """The same where later steps need its ratio; raises `CallError` when it has none."""
    verdict = primary(answer)
    if verdict["ratio"] is None:
        raise CallError(f"{answer['run']}: no ratio came out: {'; '.join(verdict['reasons'])}")
    return verdict


def slower_suite(folder: Path, turns: int, *, head: str = "") -> str:
    """A suite file: FastAPI against itself with `turns` turns of an empty loop more a request."""
    path = folder / "slower.toml"
    path.write_text(f"""
about = "FastAPI against itself with an extra CPU cost a request."
phases = ["closed"]
{head}
[[target]]
name = "slower"
interface = "asgi"
app = "slower:app"
folder = "{APPS}"
packages = ["fastapi"]
handler = "async"
[target.env]
EXTRA_TURNS = "{turns}"
PYTHONPATH = "{ROOT}"

[[pair]]
scenario = "json"
a = {{ {FASTAPI} }}
b = {{ target = "slower", server = "uvicorn" }}
""")
    return str(path)


def null(claims: Claims) -> None:
    """Check comparisons of a cell with itself."""
    began = time.monotonic()
    answer = run("null")
    took = time.monotonic() - began
    verdicts = [verdict for verdict in answer["pairs"] if verdict["primary"] and verdict["ratio"] is not None]
    if not verdicts:
        raise CallError(f"{answer['run']}: no comparison has a ratio")
    called = [verdict["pair"] for verdict in verdicts if verdict["verdict"] in {"better", "worse"}]
    halves = [math.sqrt(verdict["high"] / verdict["low"]) - 1 for verdict in verdicts]
    outside = sum(not verdict["low"] <= 1 <= verdict["high"] for verdict in verdicts)
    claims.check("every comparison has an interval", f"{len(verdicts)} of {TRIES}", held=len(verdicts) == TRIES)
    figures = f"{', '.join(called) or 'none'} of {len(verdicts)}; {outside} intervals exclude 1"
    claims.check("none is called better or worse", figures, held=not called)
    half = statistics.median(halves)
    claims.check(f"median half-width at most {WIDTH:.0%}", f"{half:.2%}", held=half <= WIDTH)
    each_s = took / TRIES
    claims.check(f"a comparison takes {EACH_S} s, start-up included", f"{each_s:.1f} s", held=each_s <= EACH_S)
    print(f"      {answer['run']}")


def sensitivity(claims: Claims) -> None:
    """Check comparisons with a known difference."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for aim, needed in ((0.90, NEEDED), (0.75, TRIES)):
            turns = calibrated(folder, aim)
            truths = [_truth(folder, turns)]
            verdicts = []
            for number in range(TRIES):
                suite = slower_suite(folder, turns)
                options = ("--width", "3%", "--budget", "60s", "--seed", str(number))
                verdict = primary(run(suite, *options, may=(0, 3)))
                verdicts.append(verdict)
                outcome = f"{interval(verdict)} {verdict['verdict']}, {verdict['blocks']} blocks"
                print(f"      {number + 1:2}: {outcome}", flush=True)
            truths.append(_truth(folder, turns))
            truth = math.sqrt(math.prod(truths))
            worse = sum(verdict["verdict"] == "worse" for verdict in verdicts)
            measured = [verdict for verdict in verdicts if verdict["ratio"] is not None]
            covered = sum(verdict["low"] <= truth <= verdict["high"] for verdict in measured)
            claims.check(f"{aim} is called worse", f"{worse} of {TRIES}, {needed} needed", held=worse >= needed)
            figures = f"{covered} of {TRIES} cover {truth:.3f}, {NEEDED} needed"
            claims.check(f"the intervals cover the truth of {aim}", figures, held=covered >= NEEDED)


def _truth(folder: Path, turns: int) -> float:
    """The ratio that so many turns bring, by half of the 200 rounds: half before the tries, half after them.

    A machine that drifts within the twenty minutes that they take then does so for truth and tries alike.
    """
    shown = with_ratio(run(slower_suite(folder, turns, head="blocks = 10\nrounds = 10")))
    print(f"      {turns} turns bring {interval(shown)} by 100 rounds", flush=True)
    return float(shown["ratio"])


def interval(verdict: Answer) -> str:
    """Ratio and interval as text, or why there are none."""
    if verdict["ratio"] is None:
        return "; ".join(verdict["reasons"])
    return f"{verdict['ratio']:.3f} ({verdict['low']:.3f} to {verdict['high']:.3f})"


def calibrated(folder: Path, aim: float) -> int:
    """Turns that bring the ratio to about `aim`; the time of a request grows linearly with them."""
    turns = 2000
    for _ in range(3):
        ratio = with_ratio(run(slower_suite(folder, turns, head="blocks = 3\nrounds = 4")))["ratio"]
        turns = max(1, round(turns * (1 / aim - 1) / max(1 / ratio - 1, 1e-3)))
    return turns


SLOTS = """
scenario = "external-data"
workers = 2
connections = 16
a = { target = "flask", server = "gunicorn-sync" }
b = { target = "flask", server = "gunicorn-gthread", threads = 4 }
"""
AIOHTTP = 'scenario = "external-data"\nb = { target = "fastapi", server = "uvicorn", client = "aiohttp" }\n'
TRAP = 'scenario = "external-data"\nconnections = 8\nb = { target = "fastapi-blocking", server = "uvicorn" }\n'


def limits(claims: Claims) -> None:
    """Check cells whose limit is known beforehand."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        slots, _ = closed(folder, "slots", SLOTS, delay_ms=50)
        held = slots["p1a"].limit == "worker-slots" and near(slots["p1a"].ceiling_rps, 40)
        held = held and (slots["p1a"].throughput_rps or 0) >= REACHED * 40
        claims.check("2 sync workers on a 50 ms upstream: worker-slots, 40/s", bound(slots["p1a"]), held=held)
        for trial in closed(folder, "cpu", 'scenario = "json"')[0].values():
            held = trial.limit == "server-cpu"
            claims.check(f"json on one CPU, {trial.cell.target}: server-cpu", bound(trial), held=held)
        few = closed(folder, "few", AIOHTTP + "connections = 4\n", delay_ms=50)[0]["p1b"]
        claims.check("4 connections, a 50 ms upstream: connections", bound(few), held=few.limit == "connections")
        busy = closed(folder, "busy", AIOHTTP, delay_ms=5, busy_ms=8)[0]["p1b"]
        claims.check("an upstream that is out of CPU: upstream", bound(busy), held=busy.limit == "upstream")
        _, caveats = closed(folder, "trap", TRAP)
        named = [caveat["text"] for caveat in caveats if caveat["arm"] == "p1b" and "block" in caveat["kind"]]
        claims.check("a blocking call in async def is named", named[0] if named else "not named", held=bool(named))
        fast = list(faster_than_the_generator(folder).values())
        held = all(trial.limit == "generator" and not trial.valid for trial in fast)
        claims.check("a target faster than the generator: generator, invalid", bound(fast[0]), held=held)


def closed(
    folder: Path, name: str, pair: str, *, delay_ms: float = 20, busy_ms: float = 0
) -> tuple[dict[str, record.Trial], list[Answer]]:
    """The closed trials of a pair in the last block, by arm, and the caveats of the run."""
    path = folder / f"{name}.toml"
    upstream = f"[upstream]\ndelay_ms = {delay_ms}\nbusy_ms = {busy_ms}\n"
    path.write_text(f'phases = ["closed"]\nblocks = 2\n{upstream}[[pair]]\n{pair}\n')
    answer = run(str(path), may=(0, 3))
    return {trial.arm: trial for trial in record.read(ROOT / answer["run"]).trials}, answer["caveats"]


def faster_than_the_generator(folder: Path) -> dict[str, record.Trial]:
    """Trials of a server that does nothing but write fixed bytes, by arm."""
    path = folder / "fast.toml"
    path.write_text(f"""
phases = ["closed"]
blocks = 2
[[server]]
name = "bytes"
interface = "asgi"
argv = ["{{python}}", "{APPS / "bytes_server.py"}", "{{host}}", "{{port}}", "{{app}}"]
packages = []
slots = "loop"
[[target]]
name = "bytes"
interface = "asgi"
app = "none"
packages = []
handler = "async"
[[scenario]]
name = "bytes"
about = "Fixed bytes."
[scenario.request]
path = "/"
[scenario.expect]
contains = "ok"
[[pair]]
scenario = "bytes"
a = {{ target = "bytes", server = "bytes" }}
b = {{ target = "bytes", server = "bytes" }}
""")
    return {trial.arm: trial for trial in record.read(ROOT / run(str(path), may=(0, 3))["run"]).trials}


def bound(trial: record.Trial) -> str:
    """The limit of a trial, its ceiling and its throughput as text."""
    generator = f", generator at {trial.generator.cpu_percent:.0f} %" if trial.generator else ""
    reached = f"ceiling {trial.ceiling_rps or 0:.1f}/s, {trial.throughput_rps or 0:.1f}/s"
    return f"{trial.limit}, {reached}, {'valid' if trial.valid else 'invalid'}{generator}"


def near(value: float | None, aim: float) -> bool:
    """Whether a value is within a tenth of `aim`."""
    return value is not None and abs(value / aim - 1) <= 1 - REACHED


def runs(claims: Claims) -> None:
    """Check the gate between runs of one suite, with a target whose code has changed or not."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        turns = calibrated(folder, 0.80)
        same = [run(slower_suite(folder, 0))["run"] for _ in range(11)]
        gate = ("--fail-on-regression", "5%")
        codes = [gatebench("compare", before, after, *gate)[0] for before, after in pairwise(same)]
        claims.check("the same code exits 0", f"{codes.count(0)} of {len(codes)}", held=codes == [0] * 10)
        changed = run(slower_suite(folder, turns))["run"]
        code, output = gatebench("compare", same[0], changed, *gate)
        named = "slower" in output
        claims.check("20 % slower exits 1 and is named", f"exit {code}, named: {named}", held=code == 1 and named)


PARTS: dict[str, Part] = {"null": null, "sensitivity": sensitivity, "limits": limits, "runs": runs}


if __name__ == "__main__":
    sys.exit(main(PARTS, __doc__))
