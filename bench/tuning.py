"""Is what `gatebench tune` recommends the best there is? Held against brute force, and against its own promises.

    .venv/bin/python bench/tuning.py sync         gunicorn sync on a 50 ms upstream: 1 to 20 workers, all of them
    .venv/bin/python bench/tuning.py gthread      gunicorn gthread, the same: a grid of workers and threads
    .venv/bin/python bench/tuning.py cpu          json on one core: more than one worker brings nothing
    .venv/bin/python bench/tuning.py capacity     what FastAPI holds under p99 < 100 ms, searched for three times
    .venv/bin/python bench/tuning.py impossible   an objective that nothing holds
    .venv/bin/python bench/tuning.py all

Prints PASS or FAIL for each claim with what was measured, and ends with 1 when a claim fails. Needs the machine to
itself: sync 25 minutes, gthread 20, cpu 2, capacity 15, impossible 1.
"""
# ruff: noqa: PLR2004 - the numbers of a claim are its point

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from statistics import mean, median

from bench.claims import ROOT, Answer, Claims, Part, gatebench, main, run
from harness import record

TRIES = 3
UPSTREAM = "[upstream]\ndelay_ms = 50\n"
SYNC = 'target = "flask", server = "gunicorn-sync"'
GTHREAD = 'target = "flask", server = "gunicorn-gthread"'
AIOHTTP = 'target = "fastapi", server = "uvicorn", client = "aiohttp"'
Candidate = tuple[int, int]
"""Workers and threads of each."""


def tune(*argv: str, may: tuple[int, ...] = (0,)) -> Answer:
    """What `gatebench tune --json` prints, and under "took" the seconds that the call took."""
    began = time.monotonic()
    _, out = gatebench("tune", *argv, "--json", may=may)
    answer: Answer = json.loads(out)
    return answer | {"took": time.monotonic() - began}


def recommended(answer: Answer) -> Candidate:
    """The candidate to deploy."""
    candidate = answer["recommended"]
    return candidate["workers"], candidate["threads"]


def suite(folder: Path, name: str, side: str, *pairs: str, head: str = "") -> str:
    """A suite file: external-data, an upstream of 50 ms, 16 connections; without `pairs` both sides are `side`."""
    path = folder / f"{name}.toml"
    pairs = pairs or ("",)
    rows = [f"[[pair]]\nscenario = 'external-data'\nconnections = 16\n{pair or sides(side, side)}\n" for pair in pairs]
    path.write_text("\n".join([f"phases = ['closed']\n{head}", UPSTREAM, *rows]))
    return str(path)


def sides(a: str, b: str) -> str:
    """The two sides of a pair, as TOML."""
    return f"a = {{ {a} }}\nb = {{ {b} }}"


def measured(path: str) -> tuple[dict[Candidate, float], dict[Candidate, float]]:
    """Throughput and memory of every candidate in the suite at `path`, each the mean over its valid trials."""
    rps: defaultdict[Candidate, list[float]] = defaultdict(list)
    memory: defaultdict[Candidate, list[int]] = defaultdict(list)
    for trial in record.read(ROOT / run(path, may=(0, 3))["run"]).trials:
        if trial.valid and trial.throughput_rps:
            candidate = trial.cell.workers, trial.cell.threads
            rps[candidate].append(trial.throughput_rps)
            memory[candidate] += [trial.memory_bytes] if trial.memory_bytes is not None else []
    means = {candidate: mean(values) for candidate, values in rps.items()}
    return means, {candidate: mean(values) for candidate, values in memory.items() if values}


def sync(claims: Claims) -> None:
    """Workers are found that serve nearly as much as the best of 1 to 20, in time."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pairs = (f"workers = {workers}\n{sides(SYNC, SYNC)}" for workers in range(1, 21))
        rps, _ = measured(suite(folder, "brute", SYNC, *pairs, head="blocks = 3\nrounds = 2"))
        best = max(rps.values())
        least = min(workers for (workers, _), value in rps.items() if value >= 0.98 * best)
        shown = ", ".join(f"{workers}: {value:.0f}" for (workers, _), value in sorted(rps.items()))
        print(f"      brute force, requests a second by workers: {shown}; {least} is the least with 98 %", flush=True)
        for number in range(TRIES):
            answer = tune(suite(folder, "tuned", SYNC), "--budget", "5m", "--seed", str(number))
            workers, threads = recommended(answer)
            share = rps[workers, threads] / best if (workers, threads) in rps else 0.0
            held = share >= 0.92 and workers <= least + 2 and answer["took"] <= 300
            seen = f"{workers} workers, {share:.3f} of the best, {answer['took']:.0f} s"
            claims.check(f"at least 0.92 of the best, at most {least + 2} workers, in 5 min", seen, held=held)


def gthread(claims: Claims) -> None:
    """Workers and threads are found that serve nearly as much as the best of a grid, in as little memory."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pairs = (
            f"workers = {workers}\n{sides(f'{GTHREAD}, threads = {a}', f'{GTHREAD}, threads = {b}')}"
            for workers in (1, 2, 3, 4, 6)
            for a, b in ((1, 2), (3, 4), (6, 8), (12, 16), (24, 32))
        )
        rps, memory = measured(suite(folder, "grid", GTHREAD, *pairs, head="blocks = 3\nrounds = 2"))
        best = max(rps, key=lambda candidate: rps[candidate])
        print(f"      the grid's best: {best[0]} x {best[1]}, {rps[best]:.0f}/s", flush=True)
        good = [candidate for candidate, value in rps.items() if value >= 0.95 * rps[best]]
        worker_bytes = median(taken / workers for (workers, _), taken in memory.items())
        most = min(memory[candidate] for candidate in good) + worker_bytes
        for number in range(TRIES):
            answer = tune(suite(folder, "tuned", GTHREAD), "--budget", "5m", "--seed", str(number))
            chosen = recommended(answer)
            ratio, used = beside(folder, chosen, best)
            seen = f"{chosen[0]} x {chosen[1]}, {ratio:.3f} of the best beside it, {used / 2**20:.0f} MiB"
            claims.check(f"within 5 %, at most {most / 2**20:.0f} MiB", seen, held=ratio >= 0.95 and used <= most)


def beside(folder: Path, chosen: Candidate, best: Candidate) -> tuple[float, float]:
    """Throughput of `chosen` over that of `best`, measured together, and the memory of `chosen`."""
    pairs = (
        f"workers = {workers}\n{sides(f'{GTHREAD}, threads = {threads}', f'{GTHREAD}, threads = {threads}')}"
        for workers, threads in (chosen, best)
    )
    rps, memory = measured(suite(folder, "beside", GTHREAD, *pairs, head="blocks = 3"))
    return rps[chosen] / rps[best], memory[chosen]


def cpu(claims: Claims) -> None:
    """A service that is bound by the CPU is given no more workers than it has cores."""
    answer = tune("--target", "fastapi", "--server", "uvicorn", "--scenario", "json", "--budget", "2m")
    workers, _ = recommended(answer)
    claims.check("json on one core: 1 worker", f"{workers}", held=workers == 1)
    text = answer["explanation"]
    claims.check("it says why, and what cores would change", text, held="core" in text and "more" in text)


def capacity(claims: Claims) -> None:
    """Three searches agree, and their bounds are where the objective holds and where it does not."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "search.toml"
        path.write_text(f"{UPSTREAM}[[pair]]\nscenario = 'external-data'\n{sides(AIOHTTP, AIOHTTP)}\n")
        searches = []
        for number in range(TRIES):
            answer = tune(str(path), "--slo", "p99<100ms", "--budget", "4m", "--seed", str(number))
            bracket, workers = answer["capacity_rps"], recommended(answer)[0]
            if bracket["low"] is None or bracket["high"] is None:
                claims.check("a bracket", f"{bracket['low']} to {bracket['high']}: {bracket['ending']}", held=False)
                continue
            searches.append((bracket["low"], bracket["high"], workers, bracket["connections"]))
            wide = bracket["high"] / bracket["low"] - 1
            seen = (
                f"{bracket['low']:.0f} to {bracket['high']:.0f}, {wide:.1%}, {workers} workers, {answer['took']:.0f} s"
            )
            claims.check("a bracket at most 5 % wide within 4 min", seen, held=wide <= 0.05 and answer["took"] <= 240)
        middles = [(low + high) / 2 for low, high, *_ in searches]
        apart = max(middles, default=1) / min(middles, default=1) - 1
        held = len(searches) == TRIES and apart <= 0.12
        claims.check("their middles lie within 12 %", f"{apart:.1%}, of {len(searches)}", held=held)
        if searches:
            low, high, *shape = sorted(searches)[len(searches) // 2]
            p99 = checked(folder, 0.9 * low, *shape)
            claims.check("0.9 of the lower bound holds for 30 s", shown(p99), held=len(p99) == 2 and max(p99) < 100)
            p99 = checked(folder, 1.3 * high, *shape)
            claims.check("1.3 times the upper does not", shown(p99), held=len(p99) == 2 and min(p99) >= 100)


def checked(folder: Path, rate_rps: float, workers: int, connections: int) -> list[float]:
    """The p99 of response times in ms at that rate, of two servers in turn, 30 s each; only those that are known."""
    path = folder / "check.toml"
    path.write_text(
        f"blocks = 1\nrounds = 1\nopen_slice_s = 30.0\n{UPSTREAM}[[pair]]\nscenario = 'external-data'\n"
        f"workers = {workers}\nrate_rps = {rate_rps:.0f}\nconnections = {connections}\n{sides(AIOHTTP, AIOHTTP)}\n"
    )
    trials = record.read(ROOT / run(str(path), may=(0, 3))["run"]).trials
    p99_us = (trial.latency_us.p99 for trial in trials if trial.latency_us)
    return [value / 1000 for value in p99_us if value is not None]


def shown(p99: Sequence[float]) -> str:
    """The p99 of both servers in words."""
    return "p99 " + (" and ".join(f"{value:.0f} ms" for value in p99) or "unknown")


def impossible(claims: Claims) -> None:
    """An objective below the unloaded response time is refused in under a minute."""
    with tempfile.TemporaryDirectory() as name:
        answer = tune(suite(Path(name), "impossible", AIOHTTP), "--slo", "p99<1ms", may=(1,))
    held = answer["took"] < 60 and "No load can hold" in answer["explanation"]
    claims.check("said in under a minute", f"{answer['took']:.0f} s: {answer['explanation']}", held=held)


PARTS: dict[str, Part] = {
    "sync": sync,
    "gthread": gthread,
    "cpu": cpu,
    "capacity": capacity,
    "impossible": impossible,
}


if __name__ == "__main__":
    sys.exit(main(PARTS, __doc__))
