"""Does the gate say the right thing of candidates whose truth is known? Each is measured as a user would measure it.

    .venv/bin/python bench/gates.py            all of them
    .venv/bin/python bench/gates.py equal      one: --help lists them

Each is a call of `gatebench run --fail-on-regression 5%` on a small suite. Prints the exit code and the sentence of
each, PASS or FAIL, and ends with 1 when one fails. Needs the machine to itself for about six minutes; a case that the
machine alone leaves undecided is measured again, three times in all.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.claims import ROOT, Claims

APPS = ROOT / "bench" / "apps"
TURNS = 40_000
"""Turns of a request's loop: it takes far longer than all that the server does."""
PATIENCE_S = 300.0
UNDECIDED, TRIES = 3, 3
"""Where the machine alone leaves a case undecided, it is measured again, so often in all."""


@dataclass(frozen=True, slots=True)
class Case:
    """A candidate, and what the gate must say of it."""

    name: str
    codes: frozenset[int]
    says: str
    """Pattern of what stands on standard error; where the exit code is 0, of nothing."""
    kind: str = "sound"
    only: int = 0
    turns: float = 1.0
    """Times those of the baseline."""
    disturbed: bool = False


FAILS, PASSES = frozenset({1}), frozenset({0})
SPOILED = r"the candidate spoiled {} blocks?, 0 allowed in all: .*p1b"
CASES = (
    Case("does not start", FAILS, SPOILED.format("5") + ".*does not start", kind="no-start"),
    Case(
        "does not start in one block of five",
        FAILS,
        SPOILED.format("1") + ".*does not start",
        kind="no-start",
        only=3,
    ),
    Case("answers 500", FAILS, SPOILED.format("5") + ".*500", kind="status"),
    Case("answers wrongly", FAILS, SPOILED.format("5") + ".*bye", kind="wrong"),
    Case("hangs", FAILS, SPOILED.format("5"), kind="hangs"),
    Case("dies after a thousand requests of one block", FAILS, SPOILED.format("1"), kind="dies", only=2),
    Case("is 20 % slower", FAILS, r"throughput_rps is worse by more than 5\s*%", turns=1.3),
    Case("equal", PASSES, "", only=0),
    Case("equal, on a disturbed machine", frozenset({0, 3}), "", disturbed=True),
)


def suite(case: Case, folder: Path) -> Path:
    """A suite file of one pair: the app as it should be against the candidate of `case`."""
    path = folder / "gates.toml"
    path.write_text(f"""
about = "A candidate that {case.name}."
blocks = 5
rounds = 2
slice_s = 0.5
phases = ["closed"]

[[target]]
name = "stable"
interface = "asgi"
app = "candidate:app"
folder = "{APPS}"
packages = []
handler = "async"
env = {{ TURNS = "{TURNS}" }}

[[target]]
name = "candidate"
interface = "asgi"
app = "candidate:app"
folder = "{APPS}"
packages = []
handler = "async"
[target.env]
TURNS = "{round(TURNS * case.turns)}"
KIND = "{case.kind}"
ONLY = "{case.only}"
STARTS = "{folder / "starts"}"

[[scenario]]
name = "greeting"
about = "A greeting."
request = {{ path = "/" }}
expect = {{ json = {{ message = "hello" }} }}
connections = 8

[[pair]]
scenario = "greeting"
a = {{ target = "stable", server = "uvicorn", lifespan = "off" }}
b = {{ target = "candidate", server = "uvicorn", lifespan = "off" }}
""")
    return path


@contextlib.contextmanager
def disturbing(*, wanted: bool) -> Iterator[None]:
    """With a busy process on every CPU, if that is `wanted`."""
    with contextlib.ExitStack() as stack:
        for _ in range((os.cpu_count() or 1) if wanted else 0):
            busy = stack.enter_context(subprocess.Popen([sys.executable, "-c", "while True: pass"]))
            stack.callback(busy.kill)
        yield


def judged(case: Case) -> tuple[int, str]:
    """Exit code and standard error of a run of `case`."""
    with tempfile.TemporaryDirectory(prefix="gatebench-gates-") as name, disturbing(wanted=case.disturbed):
        folder = Path(name)
        command = [sys.executable, "-m", "harness", "run", str(suite(case, folder)), "--out", str(folder / "run")]
        done = subprocess.run(
            [*command, "--fail-on-regression", "5%"],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
    return done.returncode, done.stderr


def sentence(said: str) -> str:
    """The gate's own lines of standard error, on one line."""
    start = said.rfind("error: ")
    return " ".join(said[start:].split())[:300] if start >= 0 else "the gate passes it"


def main() -> int:
    """Put the gate to the test, and return the exit code."""
    wanted = sys.argv[1:]
    known = {case.name for case in CASES}
    if not set(wanted) <= known:
        print(__doc__, *sorted(known), sep="\n    ")
        return 0 if wanted == ["--help"] else 2
    claims = Claims()
    for case in CASES:
        if wanted and case.name not in wanted:
            continue
        for _ in range(TRIES):
            code, said = judged(case)
            if code in case.codes or code != UNDECIDED or "(through the machine)" not in said:
                break
        held = code in case.codes and re.search(case.says, said, re.DOTALL) is not None
        allowed = " or ".join(map(str, sorted(case.codes)))
        claims.check(f"{case.name}: exit {allowed}", f"{code}, {sentence(said)}", held=held)
    return 1 if claims.failed else 0


if __name__ == "__main__":
    sys.exit(main())
