"""What `trust` and `tuning` share: gatebench called as a user calls it, and claims held against its answers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent

Answer = dict[str, Any]
"""What a verb prints with `--json`, or a part of it."""


class CallError(Exception):
    """A call of gatebench ended otherwise than it may, or its answer is not what a claim needs."""


@dataclass
class Claims:
    """Claims that are printed as they are checked, and the number of those that did not hold."""

    failed: int = 0

    def check(self, claim: str, seen: str, *, held: bool) -> None:
        """Print a claim with the figures that were `seen`, and PASS or FAIL."""
        self.failed += not held
        print(f"{'PASS' if held else 'FAIL'}  {claim}: {seen}", flush=True)


Part = Callable[[Claims], None]
"""Some claims that are put to the test together."""


def gatebench(*argv: str, may: tuple[int, ...] = (0, 1), folder: Path = ROOT) -> tuple[int, str]:
    """Exit code and output of one call of the checkout's, in `folder`.

    Raises `CallError` when it `may` not have this exit code.
    """
    command, env = [sys.executable, "-m", "harness", *argv], os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    if done.returncode not in may:
        raise CallError(f"gatebench {' '.join(argv)} ended with {done.returncode}: {done.stderr[-2000:]}")
    return done.returncode, done.stdout


def run(suite: str, *options: str, may: tuple[int, ...] = (0,)) -> Answer:
    """Measure `suite` and return the answer; raises `CallError` when there is none."""
    code, output = gatebench("run", suite, "--json", *options, may=may)
    if not output:
        raise CallError(f"gatebench run {suite} ended with {code} and without an answer")
    answer: Answer = json.loads(output)
    return answer


def main(parts: Mapping[str, Part], usage: str | None) -> int:
    """Put the parts that the command line names to the test, and return the exit code.

    A part whose call fails counts as a claim that does not hold; the parts after it are still tested.
    """
    names = list(parts) if sys.argv[1:] == ["all"] else sys.argv[1:]
    if not names or not set(names) <= set(parts):
        print(usage)
        return 2
    return tested(parts, names)


def tested(parts: Mapping[str, Part], names: Iterable[str]) -> int:
    """Put these parts to the test, and return the exit code; as `main` says."""
    claims = Claims()
    for name in names:
        print(f"== {name}", flush=True)
        try:
            parts[name](claims)
        except CallError as error:
            claims.check(f"{name} comes to its end", str(error), held=False)
    return 1 if claims.failed else 0
