"""Whether `gatebench tune` finds the cheapest settings for a rate, and whether the load that it says holds.

    .venv/bin/python -m bench.rates rate         Flask on gthread at 25, 45 and 65 % of the CPU's ceiling: 2 hours
    .venv/bin/python -m bench.rates most         the same without a rate: is more held by any of a grid? 45 minutes
    .venv/bin/python -m bench.rates capacity     FastAPI with aiohttp, three tunes and their checks: 45 minutes
    .venv/bin/python -m bench.rates all

Prints PASS or FAIL for each claim with what was measured, and ends with 1 when a claim fails. Needs the machine to
itself: what others do there makes trials invalid, or worse.
"""
# ruff: noqa: PLR2004 - the numbers of a claim are its point

from __future__ import annotations

import json
import sys
import tempfile
from itertools import combinations
from pathlib import Path

from bench.claims import ROOT, Answer, Claims, Part, gatebench, main, run
from harness import record
from harness.judge.slo import Slo, held, parse
from harness.record import Trial
from harness.tune.of_trial import tally

SLO = "p99<100ms"
TRIES, CHECKS = 3, 3
SHARES, HEADROOM = (0.25, 0.45, 0.65), 0.3
WORKERS, THREADS = (1, 2, 3), (2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 25, 32)
STEP = 1.25
MANY = (40, 64)
LOWEST, RISE, STEPS = 0.6, 1.06, 10
"""The ladder of rates, from a share of the CPU's ceiling."""
FLASK = 'target = "flask", server = "gunicorn-gthread"'
AIOHTTP = 'target = "fastapi", server = "uvicorn", client = "aiohttp"'
Candidate = tuple[int, int]
"""Workers and threads of each."""


def suite(path: Path, *pairs: str, delay_ms: int = 20, head: str = "phases = ['open']\nblocks = 3\n") -> str:
    """A suite file of `pairs`, on that upstream."""
    rows = [f"[[pair]]\nscenario = 'external-data'\n{pair}\n" for pair in pairs]
    path.write_text("\n".join([head, f"[upstream]\ndelay_ms = {delay_ms}", *rows]))
    return str(path)


def pair(side: str, workers: int, threads: tuple[int, int] | None, rate_rps: float, connections: int) -> str:
    """Two settings, or twice the same, at a rate."""
    a, b = (f"{{ {side}, threads = {count} }}" for count in threads) if threads else (f"{{ {side} }}",) * 2
    return f"workers = {workers}\nrate_rps = {rate_rps:.1f}\nconnections = {connections}\na = {a}\nb = {b}"


def trials(path: str) -> list[Trial]:
    """The open trials of a suite, those too that may not be used because the objective was missed by far."""
    rows = record.read(ROOT / run(path, may=(0, 3))["run"]).trials
    return [trial for trial in rows if trial.phase == "open" and trial.error is None]


def keeps(trial: Trial, slo: Slo) -> bool:
    """Whether the objectives held in a trial."""
    return held(slo.evaluate(tally(trial)))


def ceiling_rps(folder: Path) -> float:
    """What one core does when slots are no limit."""
    head = "phases = ['closed']\nblocks = 3\n"
    side = f"{{ {FLASK}, threads = 64 }}"
    path = suite(folder / "ceiling.toml", f"connections = 64\na = {side}\nb = {side}", head=head)
    closed = [trial for trial in record.read(ROOT / run(path, may=(0, 3))["run"]).trials if trial.valid]
    rates = sorted(trial.throughput_rps for trial in closed if trial.throughput_rps)
    return rates[len(rates) // 2]


def grid(folder: Path, rate_rps: float, slo: Slo) -> dict[Candidate, float]:
    """Every setting of the grid that holds the rate in most of three blocks, and its memory."""
    every = [
        pair(FLASK, workers, threads, rate_rps, 64)
        for workers in WORKERS
        for threads in zip(THREADS[::2], THREADS[1::2], strict=True)
    ]
    head = f"phases = ['open']\nblocks = 3\nopen_slice_s = {max(3.0, 1000 / rate_rps):.1f}\n"
    votes: dict[Candidate, list[bool]] = {}
    memory: dict[Candidate, int] = {}
    for trial in trials(suite(folder / "grid.toml", *every, head=head)):
        candidate = trial.cell.workers, trial.cell.threads
        votes.setdefault(candidate, []).append(keeps(trial, slo))
        memory[candidate] = max(memory.get(candidate, 0), trial.memory_bytes or 0)
    return {candidate: memory[candidate] for candidate, said in votes.items() if 2 * sum(said) > len(said)}


def capacities(folder: Path, top_rps: float, slo: Slo) -> tuple[dict[Candidate, float], dict[Candidate, float]]:
    """The highest rate that each setting of a grid holds in most of three blocks, with all below; and its memory."""
    held_rps: dict[Candidate, float] = {}
    memory: dict[Candidate, float] = {}
    standing = {(workers, threads) for workers in WORKERS for threads in MANY}
    for step in range(STEPS):
        rate_rps = LOWEST * top_rps * RISE**step
        every = [pair(FLASK, workers, MANY, rate_rps, 128) for workers in WORKERS]
        votes: dict[Candidate, list[bool]] = {}
        for trial in trials(suite(folder / "ladder.toml", *every)):
            candidate = trial.cell.workers, trial.cell.threads
            votes.setdefault(candidate, []).append(keeps(trial, slo))
            memory[candidate] = max(memory.get(candidate, 0), trial.memory_bytes or 0)
        standing &= {candidate for candidate, said in votes.items() if 2 * sum(said) > len(said)}
        held_rps |= dict.fromkeys(standing, rate_rps)
        if not standing:
            break
    return held_rps, memory


def most(claims: Claims) -> None:
    """Without a rate: beside the best of a grid, what is recommended holds a rate two margins below that one's most."""
    slo, good, told = parse(SLO), 0, []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        held_rps, memory = capacities(folder, ceiling_rps(folder), slo)
        best = max(held_rps, key=lambda candidate: held_rps[candidate])
        least = cheapest({each: memory[each] for each, rps in held_rps.items() if rps >= 0.95 * held_rps[best]})
        print(f"      the grid's best: {best}, {held_rps[best]:.0f}/s; the cheapest near it: {least}", flush=True)
        for _ in range(TRIES):
            answer = tune(folder, FLASK, 20, "--budget", "8m")
            chosen = answer["recommended"]
            if chosen is None:
                told.append("nothing")
                continue
            workers, threads = chosen["workers"], chosen["threads"]
            both, rate_rps = ((workers, threads), best), 0.9 * held_rps[best]
            beside = [pair(FLASK, count, (each, each), rate_rps, 128) for count, each in both]
            votes: dict[Candidate, list[bool]] = {}
            for trial in trials(suite(folder / "beside.toml", *beside)):
                votes.setdefault((trial.cell.workers, trial.cell.threads), []).append(keeps(trial, slo))
            held_it = sum(votes[workers, threads]) >= sum(votes[best]) - 1
            good += held_it and workers <= least[0] + 1
            told.append(f"{workers} x {threads}{'' if held_it else ' holds less'}")
    claim = "it holds nine tenths of the most as often as the best does, and takes at most a worker more"
    claims.check(claim, ", ".join(told), held=good == TRIES)


def cheapest(holding: dict[Candidate, float]) -> Candidate:
    """Least memory; within 5 % fewest workers, then threads."""
    least = min(holding.values())
    return min(candidate for candidate, memory in holding.items() if memory <= 1.05 * least)


def rate(claims: Claims) -> None:
    """Must hold 1: at least eight of nine tunes hold the rate for 60 s, at most a step dearer than the cheapest."""
    slo, good, told = parse(SLO), 0, []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        top_rps = ceiling_rps(folder)
        print(f"      the CPU's ceiling today: {top_rps:.0f}/s", flush=True)
        for share in SHARES:
            rate_rps = share * top_rps
            best = cheapest(grid(folder, rate_rps * (1 + HEADROOM), slo))
            print(f"      {rate_rps:.0f}/s: the cheapest of the grid is {best[0]} x {best[1]}", flush=True)
            for _ in range(TRIES):
                answer = tune(folder, FLASK, 20, "--rate", f"{rate_rps:.1f}/s", "--budget", "5m")
                chosen = answer["recommended"]
                if chosen is None:
                    told.append("nothing")
                    continue
                workers, threads = chosen["workers"], chosen["threads"]
                head = "phases = ['open']\nblocks = 1\nopen_slice_s = 60.0\n"
                check = pair(FLASK, workers, (threads, threads), rate_rps, 64)
                held_it = keeps(trials(suite(folder / "check.toml", check, head=head))[0], slo)
                dear = workers > best[0] or (workers == best[0] and threads > STEP * best[1] + 1)
                good += held_it and not dear
                told.append(f"{workers} x {threads}{'' if held_it else ' not held'}{' too dear' if dear else ''}")
    claims.check("at least eight of nine settings hold and cost at most one step more", ", ".join(told), held=good >= 8)


def tune(folder: Path, side: str, delay_ms: int, *options: str) -> Answer:
    """The answer of one call."""
    path = suite(folder / "tuned.toml", f"a = {{ {side} }}\nb = {{ {side} }}", delay_ms=delay_ms, head="")
    _, out = gatebench("tune", path, "--slo", SLO, *options, "--json", may=(0, 1, 3))
    answer: Answer = json.loads(out)
    return answer


def capacity(claims: Claims) -> None:
    """Must hold 3: intervals overlap and are no factor of two wide; below holds, 1.3 times above does not."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found = []
        for _ in range(TRIES):
            answer = tune(folder, AIOHTTP, 50, "--budget", "10m")
            interval = answer["capacity_rps"] and answer["capacity_rps"]["interval"]
            if interval is None:
                claims.check("an interval", answer["explanation"], held=False)
                continue
            wide = interval["high"] / interval["low"]
            seen = f"{interval['low']:.0f} to {interval['high']:.0f}/s, of it the machine's {interval['machine']:.0%}"
            claims.check("no wider than a factor of 2", seen, held=wide <= 2)
            found.append((interval, answer["recommended"]["workers"], answer["capacity_rps"]["connections"]))
        pairs = combinations([interval for interval, *_ in found], 2)
        overlap = all(a["low"] <= b["high"] and b["low"] <= a["high"] for a, b in pairs)
        claims.check("three that overlap pairwise", f"{len(found)}", held=overlap and len(found) == TRIES)
        below = [checked(folder, each["low"], *shape) for each, *shape in found for _ in range(CHECKS)]
        claims.check("the lower end holds for 30 s, 8 of 9", f"{sum(below)} of {len(below)}", held=sum(below) >= 8)
        above = [checked(folder, 1.3 * each["high"], *shape) for each, *shape in found for _ in range(CHECKS)]
        claims.check(
            "1.3 times the upper end does not, 9 of 9", f"{sum(above)} did", held=bool(above) and not any(above)
        )


def checked(folder: Path, rate_rps: float, workers: int, connections: int) -> bool:
    """Whether a fresh launch holds the objective at that rate for half a minute."""
    head = "phases = ['open']\nblocks = 1\nopen_slice_s = 30.0\n"
    check = pair(AIOHTTP, workers, None, rate_rps, connections)
    return keeps(trials(suite(folder / "check.toml", check, delay_ms=50, head=head))[0], parse(SLO))


PARTS: dict[str, Part] = {"rate": rate, "most": most, "capacity": capacity}


if __name__ == "__main__":
    sys.exit(main(PARTS, __doc__))
