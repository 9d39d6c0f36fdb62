"""Is what a pod does to a server measured and named? Quotas whose effect is known.

    .venv/bin/python bench/pods.py quota     quotas of 0.25, 0.5 and 0.75 of one core beside the same server without
    .venv/bin/python bench/pods.py cores     a server that counts the host's cores
    .venv/bin/python bench/pods.py all

Prints PASS or FAIL for each claim with what was measured, and ends with 1 when a claim fails. Needs cgroups that it may
make (root), and the machine to itself: quota 4 minutes, cores 1.
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
from harness.record import Trial

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


PARTS: dict[str, Part] = {"quota": quota, "cores": cores}


if __name__ == "__main__":
    sys.exit(main(PARTS, __doc__))
