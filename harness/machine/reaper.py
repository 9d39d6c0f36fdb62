"""Ends what a killed harness leaves behind.

`harness.machine.process` starts one of these, in a session of its own, and tells it on standard input the session of
every process that it starts. However the harness ends, a SIGKILL included, the kernel closes that pipe; then everything
still alive in those sessions is killed. It runs as a script, imports nothing of ours, and sleeps in `read` till then.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from pathlib import Path


def members(sessions: set[int]) -> list[int]:
    """Ids of the living processes whose session is one of `sessions`."""
    found = []
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
            found.append(int(entry.name))
    return found


def main() -> None:
    """Wait for the end of standard input, then kill."""
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    sessions = {int(line) for line in sys.stdin if line.strip()}
    while left := members(sessions):
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
