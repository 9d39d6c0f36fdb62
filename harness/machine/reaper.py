"""The reaper: a process that ends what a killed harness leaves behind.

`harness.machine.process` runs this file as a script, in a session of its own, and writes to its standard input the
session of every process that it starts. However the harness ends, by SIGKILL too, the kernel closes that pipe. Then the
reaper kills every process that still lives in those sessions. Until then it sleeps in `read`. It imports nothing of
ours, so that it is small.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from pathlib import Path


def members(sessions: set[int]) -> list[int]:
    """Ids of the living processes whose session is one of `sessions`."""
    pids = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            stat = (entry / "stat").read_text()
        except (OSError, UnicodeDecodeError):
            continue
        # The command name may hold spaces and brackets: what follows its last bracket is state, ppid, pgrp, session.
        state, _, _, session = stat[stat.rindex(")") + 2 :].split()[:4]
        if int(session) in sessions and state != "Z":
            pids.append(int(entry.name))
    return pids


def main() -> None:
    """Wait for the end of standard input, then kill what is left of the sessions that it named."""
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    sessions = {int(line) for line in sys.stdin if line.strip()}
    while survivors := members(sessions):
        for pid in survivors:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
