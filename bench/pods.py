"""Is what a pod does to a server measured and named? Quotas whose effect is known.

    .venv/bin/python bench/pods.py quota     quotas of 0.25, 0.5 and 0.75 of one core beside the same server without
    .venv/bin/python bench/pods.py cores     a server that counts the host's cores
    .venv/bin/python bench/pods.py leak      an app that leaks 10 kB a request: found, kept below its limit, or killed
    .venv/bin/python bench/pods.py preload   four workers with and without --preload: what they share
    .venv/bin/python bench/pods.py spread    one pod of four workers against four pods of one, three runs
    .venv/bin/python bench/pods.py all

Prints PASS or FAIL for each claim with what was measured, and ends with 1 when a claim fails. Needs cgroups that it may
make (root), and the machine to itself: quota 4 minutes, cores 1, leak 4, preload 1, spread 12.
"""
# ruff: noqa: PLR2004 - the numbers of a claim are its point

from __future__ import annotations

import math
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import fmean

from bench.claims import ROOT, Answer, CallError, Claims, Part, main, run
from harness import record
from harness.judge.memory import before_growth, growth, max_requests
from harness.record import Trial

APPS = ROOT / "bench" / "apps"

QUOTAS = (0.25, 0.5, 0.75)
SIDE = 'target = "fastapi", server = "uvicorn"'
HEAD = 'phases = ["closed"]\nblocks = 5\n'


def measured(folder: Path, name: str, text: str) -> tuple[Answer, list[Trial]]:
    """The answer and the trials of a run of the suite `text`."""
    path = folder / f"{name}.toml"
    path.write_text(text)
    answer = run(str(path), may=(0, 3))
    return answer, list(record.read(ROOT / answer["run"]).trials)


def quota(claims: Claims) -> None:
    """A server that is bound by the CPU answers by its share of CPU time, and is said to be bound by its quota."""
    with tempfile.TemporaryDirectory() as name:
        pods = (f"b = {{ {SIDE}, pod = {{ cpus = {cpus} }} }}" for cpus in QUOTAS)
        pairs = (f'[[pair]]\nscenario = "json"\na = {{ {SIDE} }}\n{b}' for b in pods)
        _, trials = measured(Path(name), "quota", HEAD + "\n".join(pairs))
    for number, cpus in enumerate(QUOTAS, 1):
        whole, within = ({t.block: t for t in trials if t.arm == f"p{number}{side}"} for side in "ab")
        both = [(whole[each], within[each]) for each in whole.keys() & within.keys()]
        fit = [(a, b) for a, b in both if a.valid and b.valid]
        if fit:
            of_quota(claims, cpus, fit)
        else:
            claims.check(f"{cpus} is measured", "; ".join(dict.fromkeys(reasons(within.values()))), held=False)


def of_quota(claims: Claims, cpus: float, fit: Sequence[tuple[Trial, Trial]]) -> None:
    """What must hold of the trials without a pod and in one, block by block."""
    answered = math.exp(fmean(math.log((b.throughput_rps or 0) / (a.throughput_rps or 1)) for a, b in fit))
    share = math.exp(fmean(math.log(used(b) / used(a)) for a, b in fit))
    figures = f"{answered:.3f} of the answers with {share:.3f} of the CPU time, over {len(fit)} blocks"
    held = abs(answered / share - 1) <= 0.05
    claims.check(f"{cpus}: throughput is the share of CPU time within 5 %", figures, held=held)
    given = fmean(used(b) for _, b in fit)
    claims.check(f"{cpus}: that is its quota within 10 %", f"{given:.3f} CPUs", held=abs(given / cpus - 1) <= 0.10)
    limits = {str(b.limit) for _, b in fit}
    throttled, periods = sum(b.nr_throttled or 0 for _, b in fit), sum(b.nr_periods or 0 for _, b in fit)
    seen = f"{', '.join(limits)}; {throttled} of {periods} periods throttled"
    claims.check(f"{cpus}: the limit is cpu-quota", seen, held=limits == {"cpu-quota"} and throttled > 0)
    shortest = min(row.nr_periods or 0 for _, b in fit for row in b.slices)
    # The counter moves at the end of a period, so that one may be missing at an edge.
    claims.check(f"{cpus}: slices last 20 periods", f"the shortest {shortest}", held=shortest >= 19)


def used(trial: Trial) -> float:
    """CPUs that the server used in the slices that count."""
    kept = [row for row in trial.slices if row.round not in trial.dropped_rounds]
    return sum(row.cpu_s or 0.0 for row in kept) / sum(row.length_s for row in kept)


def reasons(trials: Iterable[Trial]) -> list[str]:
    """Why those trials may not be used."""
    return [why for trial in trials for why in ((trial.error,) if trial.error else trial.reasons)]


COUNTS = (
    "import os, sys; os.execv(sys.executable, [sys.executable, '-m', 'gunicorn', '--workers', "
    "str(2 * os.cpu_count() + 1), '--no-control-socket', '--threads', '8', '--keep-alive', '300', *sys.argv[1:]])"
)
COUNTING = f"""
[[server]]
name = "counting"
interface = "wsgi"
argv = ["{{python}}", "-c", "{COUNTS}", "--bind", "{{host}}:{{port}}", "{{app}}"]
packages = ["gunicorn"]
slots = "loop"
[[pair]]
scenario = "json"
a = {{ target = "flask", server = "gunicorn-gthread" }}
b = {{ target = "flask", server = "counting" }}
"""


def cores(claims: Claims) -> None:
    """A server that starts workers by the cores of the host is told so, and one that does not is not."""
    with tempfile.TemporaryDirectory() as name:
        head = HEAD.replace("blocks = 5", "blocks = 2") + "pod = { cpus = 0.5 }\n"
        answer, _ = measured(Path(name), "cores", head + COUNTING)
    told = {caveat["arm"]: caveat["text"] for caveat in answer["caveats"] if caveat["kind"] == "host-cores"}
    seen = told.get("p1b", f"told are {', '.join(told) or 'none'}")
    claims.check("a server that counts the host's cores is told so", seen, held=set(told) == {"p1b"})
    if not told and not answer["valid"]:
        raise CallError(f"{answer['run']}: nothing valid came out")


LEAK, TURNS, LIMIT_MIB = 10_000, 100_000, 96
MIB = 1 << 20
GTHREAD = (
    '"{python}", "-m", "gunicorn", "{app}", "--bind", "{host}:{port}", "--workers", "{workers}", "--threads", "4", '
    '"--keep-alive", "300", "--timeout", "120", "--no-control-socket", "--log-level", "warning"'
)


def leaky(folder: Path, name: str, a: tuple[int, str], b: tuple[int, str], head: str) -> tuple[Answer, list[Trial]]:
    """The answer and the trials of two arms in pods of LIMIT_MIB; of each what it leaks, and options of gunicorn."""
    parts = [head, f'phases = ["closed"]\nslice_s = 2.0\npod = {{ memory = "{LIMIT_MIB}MiB" }}']
    for side, (leak, options) in (("a", a), ("b", b)):
        parts.append(f"""
[[target]]
name = "leaky-{side}"
interface = "wsgi"
app = "leaky:app"
folder = "{APPS}"
packages = []
handler = "sync"
env = {{ LEAK = "{leak}", TURNS = "{TURNS}" }}
[[server]]
name = "gunicorn-{side}"
interface = "wsgi"
argv = [{GTHREAD}{options}]
packages = ["gunicorn"]
slots = "loop"
""")
    sides = "\n".join(f'{side} = {{ target = "leaky-{side}", server = "gunicorn-{side}" }}' for side in "ab")
    parts.append(f'[[pair]]\nscenario = "json"\nconnections = 8\n{sides}\n')
    return measured(folder, name, "\n".join(parts))


def leak(claims: Claims) -> None:
    """Growth is found; the requests that follow from it keep the leak below the limit, without them it is killed."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        answer, trials = leaky(folder, "leak", (0, ""), (LEAK, ""), "blocks = 3")
        told = {caveat["arm"] for caveat in answer["caveats"] if caveat["kind"] == "memory-growth"}
        claims.check("the app that leaks is told so, and no other", f"told: {sorted(told)}", held=told == {"p1b"})
        mine = [trial for trial in trials if trial.arm == "p1b" and trial.error is None]
        found, before = growth(mine), before_growth(mine)
        if found is None or before is None:
            raise CallError(f"{answer['run']}: no growth was found: {'; '.join(reasons(trials))}")
        seen = f"{found.bytes_per_request:.0f} ({found.low:.0f} to {found.high:.0f}) bytes a request"
        held = abs(found.bytes_per_request / LEAK - 1) <= 0.10
        claims.check("10 kB a request are found within 10 %", seen, held=held)
        count = max_requests(found, LIMIT_MIB * MIB, before, workers=1)
        if count is None:
            raise CallError(f"{answer['run']}: {before / MIB:.0f} MiB leave nothing to grow into")
        rps = fmean(trial.throughput_rps or 0 for trial in mine)
        rounds = min(100, math.ceil(1.5 * LIMIT_MIB * MIB / LEAK / (2 * rps)))
        recycled = f', "--max-requests", "{count}", "--max-requests-jitter", "{count // 10}"'
        _, trials = leaky(folder, "check", (LEAK, recycled), (LEAK, ""), f"blocks = 1\nrounds = {rounds}")
    (kept,), (killed,) = ([trial for trial in trials if trial.arm == arm] for arm in ("p1a", "p1b"))
    peak, killings = (kept.peak_memory_bytes or 0) / MIB, kept.oom_kills
    seen = f"{count}: {kept.requests} requests, {killings} kills, at most {peak:.0f} MiB; {kept.error or 'no error'}"
    held = kept.error is None and killings == 0 and peak < LIMIT_MIB and kept.requests > count
    claims.check(f"its max-requests keeps it below {LIMIT_MIB} MiB", seen, held=held)
    named = f"killed by the memory limit of {LIMIT_MIB}.0" in (killed.error or "") and killed.fault == "arm"
    claims.check("without, it is killed by the limit, and named", killed.error or "not killed", held=named)


def preload(claims: Claims) -> None:
    """Workers that are forked from a loaded app share more of it, and take less together."""
    with tempfile.TemporaryDirectory() as name:
        side = 'target = "flask", server = "gunicorn-gthread"'
        pair = f'[[pair]]\nscenario = "json"\nworkers = 4\na = {{ {side} }}\nb = {{ {side}, preload = "preload" }}\n'
        _, trials = measured(Path(name), "preload", HEAD.replace("blocks = 5", "blocks = 1") + pair)
    (none,), (loaded,) = ([trial for trial in trials if trial.arm == arm] for arm in ("p1a", "p1b"))
    figures = [((each.memory_bytes or 0) / MIB, (each.shared_bytes or 0) / MIB) for each in (none, loaded)]
    seen = ", ".join(f"{pss:.1f} MiB of which {shared:.1f} are shared" for pss, shared in figures)
    held = figures[1][0] < figures[0][0] and figures[1][1] > figures[0][1]
    claims.check("preloaded workers share more and take less", seen, held=held)


SPREAD, RUNS, MOST_HALF = ROOT / "bench" / "examples" / "pods" / "pods.toml", 3, 0.10
DECISIVE = {"better", "worse", "equivalent"}


def spread(claims: Claims) -> None:
    """One pod of four workers against four pods of one, with the same CPU and memory: three runs say the same."""
    found: dict[str, list[Answer]] = {}
    for _ in range(RUNS):
        answer = run(str(SPREAD), may=(0, 3))
        for verdict in answer["pairs"]:
            if verdict["primary"]:
                found.setdefault(verdict["pair"], []).append(verdict)
    claims.check("each run has its pairs", f"{sorted(found)}", held=bool(found))
    for pair, verdicts in found.items():
        of_spread(claims, pair, verdicts)


def of_spread(claims: Claims, pair: str, verdicts: Sequence[Answer]) -> None:
    """What must hold of the verdicts on one pair, a run each."""
    lost = [str(each["reasons"]) for each in verdicts if each["ratio"] is None]
    claims.check(f"{pair}: all {RUNS} runs have an interval", "; ".join(lost) or "yes", held=not lost)
    shown = [each for each in verdicts if each["ratio"] is not None]
    seen = ", ".join(
        f"{each['ratio']:.3f} ({each['low']:.3f} to {each['high']:.3f}) {each['verdict']}" for each in shown
    )
    halves = [math.sqrt(each["high"] / each["low"]) - 1 for each in shown]
    held = len(halves) == RUNS and max(halves) <= MOST_HALF
    claims.check(f"{pair}: half-widths are at most 10 %", ", ".join(f"{half:.1%}" for half in halves), held=held)
    said = {each["verdict"] for each in shown} & DECISIVE
    claims.check(f"{pair}: no run contradicts another", seen or "none", held=len(shown) == RUNS and len(said) <= 1)


PARTS: dict[str, Part] = {"quota": quota, "cores": cores, "leak": leak, "preload": preload, "spread": spread}


if __name__ == "__main__":
    sys.exit(main(PARTS, __doc__))
