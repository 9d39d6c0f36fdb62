"""The clock of a harness that `chaos` lets step: Python loads this before anything else, for it is first on its path.

With libfaketime, which reads the step from a file, this only mends what libfaketime breaks. Without it, `time.time` and
`time.time_ns` are wrapped; what the C library is asked for directly (`datetime.now`) then does not step. Either way the
monotonic clock goes on, and what the harness starts has the machine's own clock.
"""

from __future__ import annotations

import os
import select
import time
from pathlib import Path

STEP = Path(os.environ["CHAOS_CLOCK"])
"""Holds the seconds that the clock has stepped, as `-3600`."""


def _sleep(seconds: float) -> None:
    if seconds < 0:
        raise ValueError("sleep length must be non-negative")
    select.select([], [], [], seconds)


def _step() -> int:
    return int(STEP.read_text() or 0)


def _wrap() -> None:
    now, now_ns = time.time, time.time_ns
    time.time = lambda: now() + _step()
    time.time_ns = lambda: now_ns() + _step() * 1_000_000_000


if "faketime" in os.environ.get("LD_PRELOAD", ""):
    del os.environ["LD_PRELOAD"]
    # libfaketime 0.9.10 refuses the call that Python 3.11 and later sleep with.
    setattr(time, "sleep", _sleep)  # noqa: B010 - not the type that is declared
else:
    _wrap()
