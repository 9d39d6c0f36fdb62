"""Can the verdicts be trusted? Known truths, put through the whole pipeline.

    .venv/bin/python bench/trust.py null          20 A/A comparisons: is anything called better or worse?
    .venv/bin/python bench/trust.py sensitivity   a target that is 10 % and 25 % slower: is it called worse?
    .venv/bin/python bench/trust.py limits        cells whose bound is known: is it named?
    .venv/bin/python bench/trust.py runs          compare between runs: 20 % slower exits 1, the same code exits 0
    .venv/bin/python bench/trust.py all

Prints a line a claim with what was seen, PASS or FAIL, and ends with 1 when one fails. Needs the machine to itself:
null 14 minutes, sensitivity up to 55, limits 4, runs 10.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import record
from harness.limits import diagnoses

ROOT = Path(__file__).resolve().parent.parent
APPS = ROOT / "bench" / "apps"
FASTAPI = 'target = "fastapi", server = "uvicorn"'
TRIES = 20
NEEDED = 17

Answer = dict[str, Any]


@dataclass
class Claims:
    """What was claimed and whether it held."""

    failed: int = 0

    def check(self, held: bool, claim: str, seen: str) -> None:
        """Print one."""
        self.failed += not held
        print(f"{'PASS' if held else 'FAIL'}  {claim}: {seen}", flush=True)


def gatebench(*argv: str) -> tuple[int, str]:
    """Exit code and standard output of one call, from the checkout."""
    done = subprocess.run(
        [sys.executable, "-m", "harness", *argv], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    if done.returncode not in {0, 1}:
        raise SystemExit(f"gatebench {' '.join(argv)} ended with {done.returncode}: {done.stderr[-2000:]}")
    return done.returncode, done.stdout


def run(suite: str, *options: str) -> Answer:
    """Measure `suite` and return what `--json` says."""
    answer: Answer = json.loads(gatebench("run", suite, "--json", *options)[1])
    return answer


def throughput(answer: Answer, pair: str = "p1") -> Answer:
    """The primary verdict on a pair."""
    return next(one for one in answer["pairs"] if one["pair"] == pair and one["primary"])


def slower_suite(folder: Path, turns: int, *, name: str = "slower", head: str = "") -> str:
    """A suite file: FastAPI against itself with `turns` turns of an empty loop more a request."""
    path = folder / f"{name}.toml"
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
    """Comparisons of a cell with itself."""
    began = time.monotonic()
    answer = run("null")
    took = time.monotonic() - began
    verdicts = [one for one in answer["pairs"] if one["primary"]]
    called = [one["pair"] for one in verdicts if one["verdict"] in {"better", "worse"}]
    halves = [(one["high"] / one["low"]) ** 0.5 - 1 for one in verdicts if one["low"]]
    excluding = sum(not one["low"] <= 1 <= one["high"] for one in verdicts if one["low"])
    claims.check(
        len(halves) == len(verdicts) == TRIES, "every comparison has an interval", f"{len(halves)} of {len(verdicts)}"
    )
    claims.check(
        not called,
        "none is called better or worse",
        f"{called or 'none'} of {len(verdicts)}; 1 is outside {excluding} intervals",
    )
    claims.check(statistics.median(halves) <= 0.05, "median half-width at most 5 %", f"{statistics.median(halves):.2%}")
    print(f"      one comparison took {took / len(verdicts):.0f} s, start-up included (aim: 40 s); run {answer['run']}")


def sensitivity(claims: Claims) -> None:
    """Comparisons with a known difference."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for truth, needed in ((0.90, NEEDED), (0.75, TRIES)):
            turns = calibrated(folder, truth)
            long = throughput(run(slower_suite(folder, turns, head="blocks = 20\nrounds = 10")))
            known = long["ratio"]
            print(
                f"      truth for {truth}: {known:.4f} ({long['low']:.4f} to {long['high']:.4f}) by 200 rounds, {turns} turns"
            )
            suite = slower_suite(folder, turns)
            verdicts = []
            for number in range(TRIES):
                one = throughput(run(suite, "--width", "3%", "--budget", "60s", "--seed", str(number)))
                verdicts.append(one)
                print(
                    f"      {number + 1:2}: {one['ratio']:.3f} ({one['low']:.3f} to {one['high']:.3f}) {one['verdict']}, {one['blocks']} blocks",
                    flush=True,
                )
            worse = sum(one["verdict"] == "worse" for one in verdicts)
            covered = sum(one["low"] <= known <= one["high"] for one in verdicts)
            claims.check(worse >= needed, f"{truth} is called worse", f"{worse} of {TRIES}, {needed} needed")
            claims.check(
                covered >= NEEDED, f"intervals cover the truth of {truth}", f"{covered} of {TRIES}, {NEEDED} needed"
            )


def calibrated(folder: Path, truth: float) -> int:
    """Turns that bring the ratio to about `truth`: two steps of a secant, from a guess."""
    turns = 2000
    for _ in range(3):
        ratio = throughput(run(slower_suite(folder, turns, head="blocks = 3\nrounds = 4")))["ratio"]
        # Time a request grows linearly with the turns: 1 / ratio - 1 is proportional to them.
        turns = max(1, round(turns * (1 / truth - 1) / max(1 / ratio - 1, 1e-3)))
    return turns


def limits(claims: Claims) -> None:
    """Cells whose bound is known beforehand."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        slow = 'a = { target = "flask", server = "gunicorn-sync" }\nb = { target = "flask", server = "gunicorn-gthread", threads = 4 }'
        for trial, _ in closed(
            folder, "slots", f'scenario = "external-data"\nworkers = 2\nconnections = 16\n{slow}', 50
        ):
            if trial.cell.server == "gunicorn-sync":
                ceiling, rps = trial.ceiling_rps or 0, trial.throughput_rps or 0
                held = trial.limit == "worker-slots" and abs(ceiling / 40 - 1) < 0.1 and rps >= 0.9 * 40
                claims.check(
                    held,
                    "2 sync workers on a 50 ms upstream: worker-slots, 40/s",
                    f"{trial.limit}, ceiling {ceiling:.1f}/s, {rps:.1f}/s",
                )
        for trial, _ in closed(folder, "cpu", 'scenario = "json"'):
            claims.check(
                trial.limit == "server-cpu", f"json on one CPU, {trial.cell.target}: server-cpu", f"{trial.limit}"
            )
        few = 'scenario = "external-data"\nconnections = 4\nb = { target = "fastapi", server = "uvicorn", client = "aiohttp" }'
        for trial, _ in closed(folder, "few", few, 50):
            if trial.cell.interface == "asgi":
                claims.check(
                    trial.limit == "connections", "4 connections on a 50 ms upstream: connections", f"{trial.limit}"
                )
        busy = 'scenario = "external-data"\nb = { target = "fastapi", server = "uvicorn", client = "aiohttp" }'
        for trial, _ in closed(folder, "busy", busy, 5, busy_ms=8):
            if trial.cell.interface == "asgi":
                claims.check(trial.limit == "upstream", "an upstream that is out of CPU: upstream", f"{trial.limit}")
        trap = 'scenario = "external-data"\nb = { target = "fastapi-blocking", server = "uvicorn" }'
        for trial, found in closed(folder, "trap", trap, 20):
            if trial.cell.target == "fastapi-blocking":
                named = [caveat for caveat in found if "block" in caveat.kind]
                claims.check(
                    bool(named),
                    "the trap target: a blocking call in async def",
                    named[0].text if named else "not named",
                )
        nothing = fast(folder)
        named = [trial.limit for trial in nothing]
        held = any(trial.limit == "generator" and not trial.valid for trial in nothing)
        claims.check(held, "a target faster than the generator: generator, and invalid", f"{named}")


def closed(
    folder: Path, name: str, pair: str, delay_ms: float = 20, busy_ms: float = 0
) -> list[tuple[record.Trial, Any]]:
    """The closed trials of one pair, each with its diagnoses."""
    path = folder / f"{name}.toml"
    path.write_text(
        f'phases = ["closed"]\nblocks = 2\n[upstream]\ndelay_ms = {delay_ms}\nbusy_ms = {busy_ms}\n[[pair]]\n{pair}\n'
    )
    measured = record.read(ROOT / run(str(path))["run"])
    arms = {arm.id: arm for group in measured.info.plan.groups for arm in group.arms}
    last = max(trial.block for trial in measured.trials)
    return [
        (trial, diagnoses(trial, arms[trial.arm], measured.info.plan, measured.info.placement))
        for trial in measured.trials
        if trial.block == last
    ]


def fast(folder: Path) -> list[record.Trial]:
    """Trials of a server that only echoes fixed bytes: faster than what drives it."""
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
    code, out = gatebench_any("run", str(path), "--json")
    if code not in {0, 3}:
        raise SystemExit(out)
    return list(record.read(ROOT / json.loads(out)["run"]).trials)


def gatebench_any(*argv: str) -> tuple[int, str]:
    """Exit code and standard output, whatever the code."""
    done = subprocess.run([sys.executable, "-m", "harness", *argv], cwd=ROOT, capture_output=True, text=True)
    return done.returncode, done.stdout


def runs(claims: Claims) -> None:
    """Two runs of the same suite, where one target's code changed or did not."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        turns = calibrated(folder, 0.80)
        same = [run(slower_suite(folder, 0, name="mine"))["run"] for _ in range(11)]
        codes = [
            gatebench("compare", one, two, "--fail-on-regression", "5%")[0]
            for one, two in zip(same, same[1:], strict=False)
        ]
        claims.check(codes == [0] * 10, "the same code exits 0", f"{codes.count(0)} of {len(codes)}")
        changed = run(slower_suite(folder, turns, name="mine"))["run"]
        code, out = gatebench("compare", same[0], changed, "--fail-on-regression", "5%")
        claims.check(code == 1 and "slower" in out, "20 % slower exits 1 and names it", f"exit {code}")


PARTS: dict[str, Callable[[Claims], None]] = {"null": null, "sensitivity": sensitivity, "limits": limits, "runs": runs}


def main() -> int:
    """Put the parts that are asked for to the test."""
    asked = list(PARTS) if sys.argv[1:] == ["all"] else sys.argv[1:]
    if not asked or not set(asked) <= set(PARTS):
        print(__doc__)
        return 2
    claims = Claims()
    for part in asked:
        print(f"== {part}", flush=True)
        PARTS[part](claims)
    return 1 if claims.failed else 0


if __name__ == "__main__":
    sys.exit(main())
