"""Diagnoses of how a server's workers take requests, and share them."""

from __future__ import annotations

from collections.abc import Iterator

from harness import units
from harness.judge.limits.evidence import Evidence
from harness.judge.verdicts import Caveat
from harness.suite import ANYIO_THREADS

SERIAL = (0.7, 1.15)
"""A worker that has between so many requests in hand at once handles them one after the other."""
FILLED = 0.85
"""Share of AnyIO's threads that are busy from which they are the bound."""
UNEVEN = 1.5
"""Times its fair share that the busiest worker answers, from which the load is not shared out."""


def blocking_call(evidence: Evidence) -> Iterator[Caveat]:
    """An event loop that handles one request after the other while it waits."""
    arm = evidence.arm
    loop = evidence.cell.interface == "asgi" and arm.server.slots == "loop" and arm.target.handler != "threadpool"
    waiting = evidence.trial.load.connections > 2 * evidence.cell.workers
    if loop and waiting and evidence.waits_idle and SERIAL[0] <= evidence.in_hand <= SERIAL[1]:
        yield Caveat(
            kind="blocking-call",
            text=(
                f"a blocking call in `async def`: each worker had {evidence.in_hand:.2f} requests in hand at once with "
                f"{evidence.trial.load.connections} connections waiting and {units.percent(evidence.server_cpu)} of "
                f"its CPU used; one after the other at {units.seconds(evidence.wait_s)} each they cannot exceed "
                f"{units.rps(evidence.cell.workers / evidence.wait_s)}"
            ),
            remedy="await an asynchronous client, or declare the handler `def` so that it runs in the thread pool",
        )


def anyio_threads(evidence: Evidence) -> Iterator[Caveat]:
    """`def` handlers that fill AnyIO's thread pool."""
    busy = evidence.in_hand / ANYIO_THREADS
    more = evidence.trial.load.connections > ANYIO_THREADS * evidence.cell.workers
    lent = evidence.arm.target.handler == "threadpool" and evidence.arm.server.slots == "loop"
    if lent and more and evidence.waits_idle and busy >= FILLED:
        yield Caveat(
            kind="anyio-threads",
            text=(
                f"AnyIO's thread limit: {evidence.in_hand:.0f} of the {ANYIO_THREADS} threads a worker were busy with "
                f"{evidence.trial.load.connections} connections waiting and {units.percent(evidence.server_cpu)} of "
                "the CPU used"
            ),
            remedy=(
                "raise `anyio.to_thread.current_default_thread_limiter().total_tokens` in the lifespan, "
                "add workers, or use `async def` with an asynchronous client"
            ),
        )


def uneven_workers(evidence: Evidence) -> Iterator[Caveat]:
    """Workers that do not share the load."""
    shares = evidence.trial.worker_shares.values()
    if evidence.cell.workers > 1 and shares and max(shares) * evidence.cell.workers > UNEVEN:
        busiest = max(shares)
        yield Caveat(
            kind="uneven-workers",
            text=(
                f"uneven workers: the busiest of {evidence.cell.workers} answered {units.percent(busiest)}, a fair "
                f"share is {units.percent(1 / evidence.cell.workers)}: it looks like poor scaling and is poor sharing"
            ),
            remedy="use more connections, or a server that shares them out (SO_REUSEPORT, or a balancer in front)",
        )
