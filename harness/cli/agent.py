"""`gatebench agent`: what a gatebench on another machine starts here over SSH."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from harness.errors import UsageError


def agent() -> None:
    """Start generators for a gatebench on another machine, which talks to it over SSH.

    Not to be called by hand: `gatebench run SUITE --on generator=ssh://USER@HOST` does it.

    Example: `ssh bench@10.0.0.2 gatebench agent < /dev/null` prints what it has, and ends.
    """
    from harness.machine.guard import scratch
    from harness.trial.agent import serve

    with tempfile.TemporaryDirectory(prefix="gatebench-", dir=scratch()) as folder:
        try:
            serve(sys.stdin.fileno(), sys.stdout.fileno(), Path(folder))
        except BrokenPipeError:  # whoever started it is gone
            return
        except ValueError as error:
            raise UsageError(f"that is no order for an agent: {error}") from error
