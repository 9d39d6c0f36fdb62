"""Other harnesses on this machine: each is warned of those that were at work before it."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.cli.output import remarks


@contextmanager
def announced(verb: str, folder: Path | None = None) -> Iterator[None]:
    """Let other harnesses see this one, which measures into `folder` if it keeps a run; warn of those at work now."""
    from harness.machine import neighbours

    # Only a run's command is told as a whole: a header of `load` may be a secret.
    command = shlex.join(["gatebench", *sys.argv[1:]]) if folder is not None else f"gatebench {verb}"
    with neighbours.announced(command, folder) as others:
        if others:
            listed = "; ".join(map(str, others))
            remarks().print(
                f"warning: another gatebench is at work on this machine, and each disturbs the other: {listed}",
                soft_wrap=True,
            )
        yield
