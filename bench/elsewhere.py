"""The suite `quick` over four hosts, and the same suite on one of them: it ends valid, and `compare` finds no change.

    .venv/bin/python bench/elsewhere.py

The hosts are namespaces of this machine with a real sshd each (`bench/hosts.py`): the harness, two generators, and the
servers with their services. The clocks of two are one and two days ahead. CPU and memory are read on the servers' host.

Needs root, sshd and `ip`, the machine to itself, and eighteen minutes. Ends with 1 when a claim does not hold, with 2
where no hosts can be made.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from bench.claims import ROOT, Claims
from bench.hosts import missing
from bench.machines import Claim, Run, running, seconds_until

SUITE = (ROOT / "benchmarks/suites/quick.toml").read_text()
ONE_MACHINE = "[thresholds]\noutside_load = 1.0\n"
"""Each host takes what the others use for the load of strangers. All else is judged as in any run."""
LONGEST_S = 1_200.0


def proof() -> Iterator[Claim]:
    """All claims, in the order in which they can be told."""
    with running(SUITE.replace("[thresholds]\n", ONE_MACHINE), apart=True) as run:
        took_s = seconds_until(lambda: run.process.poll() is not None, LONGEST_S)
        held = took_s is not None and run.process.returncode == 0
        yield held, f"it ends after {took_s or LONGEST_S:.0f} s, with exit code {run.process.poll()}"
        yield from _trials(run.rows())
        yield from _as_on_one_host(run)


def _trials(rows: Sequence[dict[str, Any]]) -> Iterator[Claim]:
    why = [f"{row['trial']}: {row['error'] or row['reasons']}" for row in rows if not row["valid"]]
    yield bool(rows) and not why, f"{len(rows)} trials, all valid {why or ''}"
    cpu_s = min((each["cpu_s"] for row in rows for each in row["slices"]), default=0.0)
    memory = min((row["memory_bytes"] or 0 for row in rows), default=0)
    yield cpu_s > 0 and memory > 0, f"servers were read there: at least {cpu_s:.3f} s of CPU, {memory} bytes"
    waited = sorted(each["waiting_fraction"] for row in rows for each in row["generators"])
    if waited:
        print(f"      generators waited for a CPU: median {waited[len(waited) // 2]:.1%}, most {waited[-1]:.1%}")


def _as_on_one_host(run: Run) -> Iterator[Claim]:
    """The suite of a run that is over, measured on one of its hosts alone, shows no other ratio."""
    python = [str(run.folder / "python"), "-m", "harness"]
    local = [*python, "run", "machines.toml", "--out=local"]
    with run.here.start(local, run.folder, {}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as alone:
        took_s = seconds_until(lambda: alone.poll() is not None, LONGEST_S)
    held = took_s is not None and alone.returncode == 0
    yield held, f"on one host alone it ends after {took_s or LONGEST_S:.0f} s, with exit code {alone.returncode}"
    asked = [*python, "compare", "local", "out", "--across-machines", "--json"]
    with run.here.start(asked, run.folder, {}, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as said:
        pairs = [each for each in json.loads(said.communicate()[0])["pairs"] if each["primary"]]
    for each in pairs:
        interval = "{ratio:.3f} ({low:.3f} to {high:.3f})".format_map(each) if each["ratio"] else each["reasons"]
        print(f"      {each['scenario']}, on four hosts over on one: {interval} {each['verdict']}", flush=True)
    changed = [each["pair"] for each in pairs if each["verdict"] in {"better", "worse"}]
    yield bool(pairs) and not changed, f"throughput of {len(pairs)} pairs, none changed {changed or ''}"


def main() -> int:
    """Check the claims; returns the exit code."""
    if (why := missing()) is not None:
        print(f"no hosts: {why}")
        return 2
    claims = Claims()
    for held, figures in proof():
        claims.check("quick on four hosts", figures, held=held)
    return 1 if claims.failed else 0


if __name__ == "__main__":
    sys.exit(main())
