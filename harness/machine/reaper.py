"""The reaper: a process that ends what a killed harness leaves behind.

`harness.machine.guard` starts it, in a session of its own, and writes to its standard input a line with the list of all
families that live, whenever that list changes. However the harness ends, by SIGKILL too, the kernel closes that pipe.
Then the reaper kills every process that still lives of the families in the last line, and whatever else has a mark of
that harness in its environment. Until then it sleeps in `read`.
"""

from __future__ import annotations

import shutil
import signal
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from harness.machine import neighbours, pods
from harness.machine.identity import Family, Identity, kill, kin, started_by, table
from harness.machine.ledger import decode, scratch_of

GONE_S = 10.0
"""How long the kernel may take to end what was killed."""


def members(sessions: set[int]) -> list[int]:
    """Ids of the living processes whose session is one of `sessions`."""
    return [pid for pid, entry in table().items() if entry.session in sessions and not entry.ended]


def end(families: Iterable[Family], harness: Identity, timeout_s: float = GONE_S) -> tuple[int, int]:
    """Kill all processes of `families`, and all others that `harness` started.

    Returns how many were ended, and how many still live when the time is up.
    """
    families = list(families)
    killed: set[Identity] = set()
    deadline = time.monotonic() + timeout_s
    while True:
        processes = table()
        everyone = {process for family in families for process in kin(family, processes)}
        everyone |= started_by(harness, processes)
        living = {process for process in everyone if not processes[process.pid].ended}
        if not living or time.monotonic() > deadline:
            return len(killed - living), len(living)
        for process in living:
            kill(process)
        killed |= living
        time.sleep(0.002)  # a killed process is there until the kernel has ended it


def main() -> None:
    """Wait for the end of standard input, kill what is left of the families in its last line, remove their files."""
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    last = ""
    for line in sys.stdin:
        if line.endswith("\n"):
            last = line
    pid, start, ledger = sys.argv[-3:]
    families, harness = decode(last) if last else [], Identity(int(pid), int(start))
    _, left = end(families, harness)
    pods.forget(harness, Path(ledger).parent)
    if not left:
        Path(ledger).unlink(missing_ok=True)
        shutil.rmtree(scratch_of(Path(ledger)), ignore_errors=True)
    neighbours.forget(Path(ledger).parent)
