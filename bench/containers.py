"""A run whose load comes from two containers, by docker-compose.yml's profile `distributed`.

    docker compose build harness && .venv/bin/python bench/containers.py
    podman-compose build harness && .venv/bin/python bench/containers.py podman-compose
    .venv/bin/python bench/containers.py quiet [podman-compose]

The run ends, every trial is valid and was shared by both generators, none of their requests is lost, and the slow API
counted what they sent: no call more, none less. What a busy machine does to figures is forgiven (see BUSY), for one
machine carries it all: they are of no use. With `quiet` nothing is forgiven: trials are valid by the thresholds of any
run, and the machine has nothing else to do. Afterwards nothing is left of it.

Needs the image `gatebench:local`, and a minute. Ends with 1 when a claim does not hold, with 2 where it cannot be run.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

Claim = tuple[bool, str]
ROOT = Path(__file__).resolve().parent.parent
PROJECT = "gatebench-containers"
GENERATORS = 2
LONGEST_S = 300.0
SUITE = """
blocks = 2
rounds = 1

[[pair]]
scenario = "external-data"
connections = 8
"""
"""Each request calls the slow API once."""
BUSY = """
[thresholds]
outside_load = 1.0
generator_waiting = 1.0
generator_cpu_percent = 200.0
lateness_p99_us = 1e6
steal = 1.0
halves = 1.0
littles_law = 0.5
done_of_scheduled = 0.9
"""
"""Thresholds of time are wide: answers, errors and counts are judged as ever."""


def compose(called: Sequence[str], *arguments: str, results: Path) -> subprocess.CompletedProcess[str]:
    """Call it; what it says is in the answer."""
    environment = os.environ | {"GATEBENCH_SUITE": "results/containers.toml", "GATEBENCH_RESULTS": str(results)}
    argv = [*called, "-f", str(ROOT / "docker-compose.yml"), "-p", PROJECT, "--profile", "distributed", *arguments]
    return subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=LONGEST_S, check=False)


def claims(called: Sequence[str], results: Path) -> Iterator[Claim]:
    """What must hold of a run with two generators."""
    scale = ("--scale", f"generator={GENERATORS}")
    done = compose(called, "up", *scale, "--abort-on-container-exit", "--exit-code-from", "harness", results=results)
    last = [line for line in (done.stdout + done.stderr).splitlines() if "error" in line.lower()][-3:]
    yield done.returncode == 0, f"it ends with exit code {done.returncode} {last if done.returncode else ''}"
    pages = list(results.glob("*/report.html"))
    yield len(pages) == 1, f"{len(pages)} report"
    if pages:
        info = json.loads((pages[0].parent / "run.json").read_text())
        rows = [json.loads(line) for line in (pages[0].parent / "trials.jsonl").read_text().splitlines()]
        hosts = [machine["host"] for machine in info["plan"]["machines"]]
        yield all(f"gatebench@{host}" in pages[0].read_text() for host in hosts), f"the page names {hosts}"
        yield from _of(rows)


def _of(rows: Sequence[dict[str, Any]]) -> Iterator[Claim]:
    judged = {row["trial"]: row["error"] or "; ".join(row["reasons"]) or "valid" for row in rows}
    yield bool(rows) and set(judged.values()) == {"valid"}, f"{len(rows)} trials: {judged}"
    shared = {row["trial"]: [each["requests"] for each in row["generators"]] for row in rows}
    fair = all(len(each) == GENERATORS and all(each) for each in shared.values())
    yield fair, f"requests of each generator: {shared}"
    yield all(sum(shared[row["trial"]]) == row["requests"] for row in rows), "they add up to those of the trial"
    counts = {row["trial"]: (row["upstream_hits"], row["upstream_attempts"]) for row in rows}
    yield all(hits == sent for hits, sent in counts.values()), f"calls that the slow API counted, sent: {counts}"


def main(*called: str) -> int:
    """Check the claims with this compose; returns the exit code."""
    quiet = "quiet" in called
    called = tuple(word for word in called if word != "quiet")
    called = called or (("docker", "compose") if shutil.which("docker") else ("podman-compose",))
    if shutil.which(called[0]) is None:
        print(f"no {called[0]} on PATH")
        return 2
    failed = 0
    with tempfile.TemporaryDirectory() as name:
        results = Path(name)
        results.chmod(0o777)  # the image has a user of its own
        (results / "containers.toml").write_text(SUITE if quiet else SUITE + BUSY)
        try:
            for held, figures in claims(called, results):
                failed += not held
                print(f"{'PASS' if held else 'FAIL'}  {figures}", flush=True)
        finally:
            for _ in range(2):  # podman-compose ends the second generator after it has tried to remove the volumes
                down = compose(called, "down", "-v", results=results)
            print(down.stderr if down.returncode else "taken down")
    print(f"{failed} failed" if failed else "all held")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
