"""What `trust` and `tuning` share: gatebench called as a user calls it, and claims held against what it says."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent

Answer = dict[str, Any]


@dataclass
class Claims:
    """What was claimed and whether it held."""

    failed: int = 0

    def check(self, claim: str, seen: str, *, held: bool) -> None:
        """Print one."""
        self.failed += not held
        print(f"{'PASS' if held else 'FAIL'}  {claim}: {seen}", flush=True)


Part = Callable[[Claims], None]


def gatebench(*argv: str, may: tuple[int, ...] = (0, 1)) -> tuple[int, str]:
    """Exit code (one of those it `may` have) and output of one call, from the checkout."""
    command = [sys.executable, "-m", "harness", *argv]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode not in may:
        raise SystemExit(f"gatebench {' '.join(argv)} ended with {done.returncode}: {done.stderr[-2000:]}")
    return done.returncode, done.stdout


def run(suite: str, *options: str, may: tuple[int, ...] = (0,)) -> Answer:
    """Measure `suite` and return what `--json` says."""
    answer: Answer = json.loads(gatebench("run", suite, "--json", *options, may=may)[1])
    return answer


def main(parts: Mapping[str, Part], usage: str | None) -> int:
    """Put the parts that the command line asks for to the test; the exit code."""
    asked = list(parts) if sys.argv[1:] == ["all"] else sys.argv[1:]
    if not asked or not set(asked) <= set(parts):
        print(usage)
        return 2
    claims = Claims()
    for part in asked:
        print(f"== {part}", flush=True)
        parts[part](claims)
    return 1 if claims.failed else 0
