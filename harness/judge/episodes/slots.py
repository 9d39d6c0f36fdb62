"""What ran out where the victim broke, by name."""

from __future__ import annotations

from typing import Literal

from harness.judge.episodes.breaks import Break
from harness.suite import Arm, slots

Slots = Literal["threads", "anyio", "event-loop", "workers", "capacity", "interpreter", "accept-queue"]
"""The server's threads; AnyIO's, in which FastAPI runs `def` handlers; the event loop, which a blocking call holds; the
worker processes of a server that serves one request each; or, before any of these were all taken, the capacity of those
that were left. The interpreter, which runs one computation at a time, where the requests beside the victim compute. The
accept queue, where more connections came than may wait in it."""


def ran_out(arm: Arm, found: Break) -> Slots | None:
    """What the disturbance took away: all of it, where the break lies at their number; None where it never broke."""
    if found.at is None or found.low is None:
        return None
    if found.computed_s is not None:
        return "interpreter"
    there = slots(arm)
    if not found.low <= there <= found.at:
        full: Slots | None = "accept-queue" if found.turned_away else None
        return full or ("capacity" if found.high is not None and found.high < there else None)
    if arm.server.slots == "one":
        return "workers"
    if arm.server.slots == "threads":
        return "threads"
    return "anyio" if arm.target.handler == "threadpool" else "event-loop"
