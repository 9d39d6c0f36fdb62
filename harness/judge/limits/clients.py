"""Diagnoses of what a handler calls: its HTTP client, and its cache."""

from __future__ import annotations

import math
from collections.abc import Iterator

from harness import units
from harness.judge.limits.evidence import Evidence
from harness.judge.verdicts import Caveat
from harness.record import Trial
from harness.suite import Cell

DEARER = 1.5
"""Times the CPU a request of a sibling that differs in one factor only: from here on that factor is the cause."""
FAR_DEARER = 2.5
"""The same where the sibling is of another target too: Flask and FastAPI alone do not differ by so much."""
TLS_CONTEXT_S = 0.008
"""CPU a request from which an unpooled client must be loading a TLS context each time: httpx.AsyncClient() takes 20 ms
of CPU for that."""
NO_GAIN = 0.95
"""Throughput with a cache over that without it: below this the cache costs more than it saves."""


def client_pool(evidence: Evidence) -> Iterator[Caveat]:
    """A pooled client whose bookkeeping costs more CPU than another client does under the same load."""
    if (
        evidence.cell.level("client") != "httpx"
        or evidence.cell.level("pooling") != "pool"
        or not evidence.arm.scenario.upstream_calls
    ):
        return
    if not evidence.cpu_used_up:
        return
    cheaper = [
        sibling
        for sibling in evidence.siblings
        if sibling.cell.level("client") not in ("httpx", "none")
        and evidence.same_load(sibling)
        and _same(sibling.cell, evidence.cell, "scenario", "workers", "pooling", "cache")
        and _cost(sibling) * (DEARER if sibling.cell.target == evidence.cell.target else FAR_DEARER) < evidence.cpu_s
    ]
    if cheaper:
        best = min(cheaper, key=_cost)
        yield Caveat(
            kind="client-pool",
            text=(
                f"httpx's pool under concurrency: {units.seconds(evidence.cpu_s)} of CPU a request on "
                f"{evidence.trial.load.connections} connections, against {units.seconds(best.cpu_s_per_request)} with "
                f"{best.cell.level('client')} ({best.cell.target}); its bookkeeping grows with the requests under way"
            ),
            remedy="use httpx2 or aiohttp, or fewer requests under way at once",
        )


def client_per_request(evidence: Evidence) -> Iterator[Caveat]:
    """A client that is built anew for each request."""
    if (
        evidence.cell.level("pooling") != "none"
        or evidence.cell.level("client") == "none"
        or not evidence.arm.scenario.upstream_calls
    ):
        return
    pooled = [sibling for sibling in evidence.differing(pooling="pool") if _cost(sibling) * DEARER < evidence.cpu_s]
    remedy = "build one client when the application starts and share it"
    if pooled:
        yield Caveat(
            kind="client-per-request",
            text=(
                f"a client a request: {units.seconds(evidence.cpu_s)} of CPU each, against "
                f"{units.seconds(pooled[0].cpu_s_per_request)} with a pooled {evidence.cell.level('client')}"
            ),
            remedy=remedy,
        )
    elif evidence.cpu_s >= TLS_CONTEXT_S:
        yield Caveat(
            kind="client-per-request",
            text=(
                f"a client a request: {units.seconds(evidence.cpu_s)} of CPU each, as it takes to load a TLS context "
                "every time"
            ),
            remedy=remedy,
        )


def costly_cache(evidence: Evidence) -> Iterator[Caveat]:
    """A cache that costs more than it saves."""
    if evidence.cell.level("cache") == "none":
        return
    for uncached in evidence.differing(cache="none"):
        gain = evidence.rps / (uncached.throughput_rps or 1.0)
        if gain < NO_GAIN:
            yield Caveat(
                kind="costly-cache",
                text=(
                    f"the cache costs more than it saves: {units.rps(evidence.rps)} with "
                    f"{evidence.cell.level('cache')}, "
                    f"{units.rps(uncached.throughput_rps)} without ({gain:.2f} times)"
                ),
                remedy="leave it out here, cache in memory, or cache something dearer",
            )
            return


def _cost(trial: Trial) -> float:
    """CPU seconds a request; infinite where they are unknown, so that such a trial is never the cheaper one."""
    return trial.cpu_s_per_request or math.inf


def _same(cell: Cell, other: Cell, *names: str) -> bool:
    """Whether two cells agree in the fields of those names."""
    return all(cell.keys.get(name) == other.keys.get(name) for name in names)
