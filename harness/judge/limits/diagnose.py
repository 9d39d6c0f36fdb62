"""Known confounds, each named only where its evidence is in the record, with the remedy.

Every diagnosis is a small pure function of a :class:`Seen`; its text states the evidence.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from harness import units
from harness.judge.limits.bounds import BUSY, bounds, upstream_wait_s
from harness.judge.limits.seen import Seen
from harness.judge.validity import kept
from harness.judge.verdicts import Caveat
from harness.record import Trial
from harness.suite import ANYIO_THREADS, Arm, Cell, Phase, Plan

SERIAL = (0.7, 1.15)
"""Requests in hand at once, a worker, by which one says that it handles them one after the other."""
FILLED = 0.85
"""Share of AnyIO's threads that must be busy to say that they are the bound."""
DEARER = 1.5
"""Times the CPU of a sibling that differs in one factor, from which that factor is blamed."""
FAR_DEARER = 2.5
"""The same where the sibling is another target too: Flask and FastAPI alone do not differ by so much."""
TLS_CONTEXT_S = 0.008
"""CPU a request over which an unpooled client loads a TLS context each time: AsyncClient() takes 20 ms of it."""
UNEVEN = 1.5
"""Times its fair share that the busiest worker answers."""
CONNECTIONS_A_WORKER = 8
"""Fewer are not shared out evenly among workers."""
DELAYED_ACK_S = (0.038, 0.050)
"""What an answer takes whose second piece waits for TCP's delayed acknowledgement: 40 ms under Linux."""
STALLS, STALLED = 4, 0.01
"""Stalls of a trial, and the share of its time in them, from which its p99 is theirs."""
NO_GAIN = 0.95
"""Throughput with a cache over that without, below which it costs more than it saves."""


Diagnosis = Callable[[Seen], Iterator[Caveat]]


def diagnoses(
    trial: Trial, arm: Arm, siblings: Iterable[Trial], plan: Plan, placement: Mapping[str, tuple[int, ...]]
) -> tuple[Caveat, ...]:
    """The known confounds that `trial` shows, alone or against `siblings`: trials of other arms in the same phase."""
    if trial.error is not None or not trial.throughput_rps or not kept(trial):
        return ()
    seen = Seen(
        trial=trial,
        arm=arm,
        siblings=tuple(siblings),
        wait_s=upstream_wait_s(trial, arm, plan.upstream),
        bounds={bound.name: bound for bound in bounds(trial, arm, plan.upstream, placement)},
    )
    found = [caveat for diagnosis in DIAGNOSES[trial.phase] for caveat in diagnosis(seen)]
    return tuple(replace(caveat, arm=trial.arm, pair=trial.pair) for caveat in found)


def blocking_call(seen: Seen) -> Iterator[Caveat]:
    """An event loop that handles one request after the other while it waits."""
    loop = seen.cell.interface == "asgi" and seen.arm.server.slots == "loop" and seen.arm.target.handler != "threadpool"
    waiting = seen.trial.load.connections > 2 * seen.cell.workers
    if loop and waiting and seen.starved and SERIAL[0] <= seen.in_hand <= SERIAL[1]:
        yield Caveat(
            kind="blocking-call",
            text=(
                f"a blocking call in `async def`: each worker had {seen.in_hand:.2f} requests in hand at once with "
                f"{seen.trial.load.connections} connections waiting and {_cpu(seen)} of its CPU used; "
                f"one after the other at {units.seconds(seen.wait_s)} each they cannot exceed "
                f"{units.rps(seen.cell.workers / seen.wait_s)}"
            ),
            remedy="await an asynchronous client, or declare the handler `def` so that it runs in the thread pool",
        )


def anyio_threads(seen: Seen) -> Iterator[Caveat]:
    """`def` handlers that fill AnyIO's thread pool."""
    busy = seen.in_hand / ANYIO_THREADS
    more = seen.trial.load.connections > ANYIO_THREADS * seen.cell.workers
    if seen.arm.target.handler == "threadpool" and more and seen.starved and busy >= FILLED:
        yield Caveat(
            kind="anyio-threads",
            text=(
                f"AnyIO's thread limit: {seen.in_hand:.0f} of the {ANYIO_THREADS} threads a worker were busy with "
                f"{seen.trial.load.connections} connections waiting and {_cpu(seen)} of the CPU used"
            ),
            remedy=(
                "raise `anyio.to_thread.current_default_thread_limiter().total_tokens` in the lifespan, "
                "add workers, or use `async def` with an asynchronous client"
            ),
        )


def client_pool(seen: Seen) -> Iterator[Caveat]:
    """A pooled client whose bookkeeping costs more CPU than another client does under the same load."""
    if (
        seen.cell.level("client") != "httpx"
        or seen.cell.level("pooling") != "pool"
        or not seen.arm.scenario.upstream_calls
    ):
        return
    if seen.bounds["server-cpu"].utilization < BUSY:
        return
    rivals = [
        one
        for one in seen.siblings
        if one.cell.level("client") not in ("httpx", "none")
        and seen.loaded_like(one)
        and _same(one.cell, seen.cell, "scenario", "workers", "pooling", "cache")
        and _cost(one) * (DEARER if one.cell.target == seen.cell.target else FAR_DEARER) < seen.cpu_s
    ]
    if rivals:
        best = min(rivals, key=_cost)
        yield Caveat(
            kind="client-pool",
            text=(
                f"httpx's pool under concurrency: {units.seconds(seen.cpu_s)} of CPU a request on "
                f"{seen.trial.load.connections} connections, against {units.seconds(best.cpu_s_per_request)} with "
                f"{best.cell.level('client')} ({best.cell.target}); its bookkeeping grows with the requests under way"
            ),
            remedy="use httpx2 or aiohttp, or fewer requests under way at once",
        )


def client_per_request(seen: Seen) -> Iterator[Caveat]:
    """A client that is built anew for each request."""
    if (
        seen.cell.level("pooling") != "none"
        or seen.cell.level("client") == "none"
        or not seen.arm.scenario.upstream_calls
    ):
        return
    pooled = [one for one in seen.differing(pooling="pool") if _cost(one) * DEARER < seen.cpu_s]
    remedy = "build one client when the application starts and share it"
    if pooled:
        yield Caveat(
            kind="client-per-request",
            text=(
                f"a client a request: {units.seconds(seen.cpu_s)} of CPU each, against "
                f"{units.seconds(pooled[0].cpu_s_per_request)} with a pooled {seen.cell.level('client')}"
            ),
            remedy=remedy,
        )
    elif seen.cpu_s >= TLS_CONTEXT_S:
        yield Caveat(
            kind="client-per-request",
            text=(
                f"a client a request: {units.seconds(seen.cpu_s)} of CPU each, as it takes to load a TLS context "
                "every time"
            ),
            remedy=remedy,
        )


def uneven_workers(seen: Seen) -> Iterator[Caveat]:
    """Workers that do not share the load."""
    shares = seen.trial.worker_shares.values()
    if seen.cell.workers > 1 and shares and max(shares) * seen.cell.workers > UNEVEN:
        busiest = max(shares)
        yield Caveat(
            kind="uneven-workers",
            text=(
                f"uneven workers: the busiest of {seen.cell.workers} answered {units.percent(busiest)}, a fair share "
                f"is {units.percent(1 / seen.cell.workers)}: it looks like poor scaling and is poor sharing"
            ),
            remedy="use more connections, or a server that shares them out (SO_REUSEPORT, or a balancer in front)",
        )


def no_keep_alive(seen: Seen) -> Iterator[Caveat]:
    """A connection for each request."""
    opened = seen.trial.connections_per_request
    if opened is not None and opened > 0.5:  # noqa: PLR2004 - between never and always
        yield Caveat(
            kind="no-keep-alive",
            text=f"no keep-alive: {opened:.2f} connections a request; its ratio to others partly measures TCP set-up",
            remedy="put a proxy in front that keeps connections to clients, or use a worker class with keep-alive",
        )


def delayed_ack(seen: Seen) -> Iterator[Caveat]:
    """An answer in two writes without TCP_NODELAY: the second waits until the first is acknowledged (RFC 896, 1122)."""
    latency = seen.trial.latency_us
    idle = not seen.wait_s and all(bound.utilization < BUSY for bound in seen.bounds.values())
    if not idle or latency is None or latency.p50 is None or latency.p90 is None:
        return
    if DELAYED_ACK_S[0] <= latency.p50 / 1e6 and latency.p90 / 1e6 <= DELAYED_ACK_S[1]:
        yield Caveat(
            kind="delayed-ack",
            text=(
                f"answers take {units.duration_us(latency.p50)} although nothing is waited for and {_cpu(seen)} of the "
                "server's CPU is used: it writes an answer in two pieces, and the second waits for TCP's delayed "
                "acknowledgement"
            ),
            remedy="set TCP_NODELAY on its sockets; under uvicorn with more than one worker: --loop uvloop",
        )


def stalls(seen: Seen) -> Iterator[Caveat]:
    """A server that stands still now and then: what comes meanwhile waits, however little there is to do.

    Not where its CPU is used up: then it is a queue that makes the p99.
    """
    rows, latency = seen.trial.slices, seen.trial.latency_us
    count = sum(row.stalls or 0 for row in rows)
    stalled_s, length_s = sum(row.stalled_s or 0.0 for row in rows), sum(row.length_s for row in rows)
    queues = seen.bounds["server-cpu"].utilization >= BUSY
    if queues or not stands_still(count, stalled_s, length_s) or latency is None or latency.p99 is None:
        return
    yield Caveat(
        kind="stalls",
        text=(
            f"it stands still: {count / length_s:.1f} times a second nothing was answered for "
            f"{units.seconds(stalled_s / count)}, while {units.rps(seen.trial.load.rate_rps)} came in and "
            f"{_cpu(seen)} of the server's CPU was used; its p99 of {units.duration_us(latency.p99)} is made of that"
        ),
        remedy=(
            "look for what stops all requests at once: in Python a full garbage collection (the factor "
            '`gc = "freeze"` shows what `gc.freeze()` after loading would save), a blocking call, a log that is flushed'
        ),
    )


def stands_still(count: int, stalled_s: float, length_s: float) -> bool:
    """Whether `count` stalls of `stalled_s` seconds in all, within `length_s`, are what makes a p99."""
    return count >= STALLS and stalled_s >= STALLED * length_s


def costly_cache(seen: Seen) -> Iterator[Caveat]:
    """A cache that costs more than it saves."""
    if seen.cell.level("cache") == "none":
        return
    for bare in seen.differing(cache="none"):
        gain = seen.rps / (bare.throughput_rps or 1.0)
        if gain < NO_GAIN:
            yield Caveat(
                kind="costly-cache",
                text=(
                    f"the cache costs more than it saves: {units.rps(seen.rps)} with {seen.cell.level('cache')}, "
                    f"{units.rps(bare.throughput_rps)} without ({gain:.2f} times)"
                ),
                remedy="leave it out here, cache in memory, or cache something dearer",
            )
            return


def few_connections(seen: Seen) -> Iterator[Caveat]:
    """A closed load that is too small to fill the server, or to be shared out among its workers."""
    count = seen.trial.load.connections
    filled = seen.bounds["connections"].utilization
    rest = max(bound.utilization for bound in seen.bounds.values() if bound.name != "connections")
    # A single connection is no load: whoever asks for it wants to know the unloaded response.
    if count > 1 and filled >= BUSY and filled > rest:
        yield Caveat(
            kind="few-connections",
            text=(
                f"too few connections: all {count} were waiting while {_cpu(seen)} of the server's CPU was used: "
                "this is the load's limit, not the server's"
            ),
            remedy="raise connections until throughput no longer follows",
        )
    elif count < CONNECTIONS_A_WORKER * seen.cell.workers and seen.cell.workers > 1:
        yield Caveat(
            kind="imbalanced",
            text=f"{count} connections for {seen.cell.workers} workers: so few are not shared out evenly",
            remedy=f"use at least {CONNECTIONS_A_WORKER * seen.cell.workers} connections",
        )


def starving(seen: Seen) -> Iterator[Caveat]:
    """A server that goes on with some connections and leaves others waiting, so that its mean latency is the former's.

    Seen of gunicorn's gevent: its greenlets probably do not yield while the next request is there already.
    """
    worst = max((row.starved or 0 for row in seen.trial.slices), default=0)
    if worst:
        yield Caveat(
            kind="starving",
            text=(
                f"it starves connections: {worst} of {seen.trial.load.connections} got less than a tenth of their "
                "share of the answers in a slice, while the others were served one request after the other"
            ),
            remedy=(
                "expect this of cooperative workers, such as gevent's, under clients that ask again at once: use a "
                "server that shares, or a proxy before it"
            ),
        )


DIAGNOSES: Mapping[Phase, Sequence[Diagnosis]] = {
    "closed": (
        blocking_call,
        anyio_threads,
        client_pool,
        client_per_request,
        uneven_workers,
        no_keep_alive,
        delayed_ack,
        costly_cache,
        few_connections,
        starving,
    ),
    "open": (stalls,),
}
"""By the load that shows them: a server at its capacity, or one at a rate that it did not choose."""


def _cpu(seen: Seen) -> str:
    return units.percent(seen.bounds["server-cpu"].utilization)


def _cost(trial: Trial) -> float:
    return trial.cpu_s_per_request or math.inf


def _same(one: Cell, other: Cell, *names: str) -> bool:
    return all(one.keys.get(name) == other.keys.get(name) for name in names)
