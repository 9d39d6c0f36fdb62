"""Diagnoses of the connections between load and server."""

from __future__ import annotations

from collections.abc import Iterator

from harness import units
from harness.judge.limits.bounds import BUSY, link_s
from harness.judge.limits.evidence import Evidence
from harness.judge.validity import kept
from harness.judge.verdicts import Caveat

CONNECTIONS_A_WORKER = 8
"""Fewer connections a worker than this are not shared out evenly among the workers."""
DELAYED_ACK_S = (0.038, 0.050)
"""Between these lies the response time, in seconds, of an answer whose second piece waits for TCP's delayed
acknowledgement, which takes 40 ms under Linux."""


def no_keep_alive(evidence: Evidence) -> Iterator[Caveat]:
    """A new connection for each request."""
    opened = evidence.trial.connections_per_request
    if opened is not None and opened > 0.5:  # noqa: PLR2004 - between never and always
        yield Caveat(
            kind="no-keep-alive",
            text=f"no keep-alive: {opened:.2f} connections a request; its ratio to others partly measures TCP set-up",
            remedy="put a proxy in front that keeps connections to clients, or use a worker class with keep-alive",
        )


def delayed_ack(evidence: Evidence) -> Iterator[Caveat]:
    """An answer in two writes without TCP_NODELAY: the second waits until the first is acknowledged (RFC 896, 1122)."""
    latency = evidence.trial.latency_us
    idle = not evidence.wait_s and all(bound.utilization < BUSY for bound in evidence.bounds.values())
    if not idle or latency is None or latency.p50 is None or latency.p90 is None:
        return
    away_s = link_s(evidence.trial)
    if DELAYED_ACK_S[0] <= latency.p50 / 1e6 - away_s and latency.p90 / 1e6 - away_s <= DELAYED_ACK_S[1]:
        yield Caveat(
            kind="delayed-ack",
            text=(
                f"answers take {units.duration_us(latency.p50)} although nothing is waited for and "
                f"{units.percent(evidence.server_cpu)} of the server's CPU is used: it writes an answer in two pieces, "
                "and the second waits for TCP's delayed acknowledgement"
            ),
            remedy="set TCP_NODELAY on its sockets; under uvicorn with more than one worker: --loop uvloop",
        )


def few_connections(evidence: Evidence) -> Iterator[Caveat]:
    """A closed load with too few connections to fill the server, or to be shared out evenly among its workers."""
    count = evidence.trial.load.connections
    used = evidence.bounds["connections"].utilization
    others = max(bound.utilization for bound in evidence.bounds.values() if bound.name != "connections")
    # With a single connection the unloaded response time is measured, so its being the limit is no news.
    if count > 1 and used >= BUSY and used > others:
        yield Caveat(
            kind="few-connections",
            text=(
                f"too few connections: all {count} were waiting while {units.percent(evidence.server_cpu)} of the "
                f"server's CPU was used{_on_the_link(evidence)}: this is the load's limit, not the server's"
            ),
            remedy="raise connections until throughput no longer follows",
        )
    elif count < CONNECTIONS_A_WORKER * evidence.cell.workers and evidence.cell.workers > 1:
        yield Caveat(
            kind="imbalanced",
            text=f"{count} connections for {evidence.cell.workers} workers: so few are not shared out evenly",
            remedy=f"use at least {CONNECTIONS_A_WORKER * evidence.cell.workers} connections",
        )


def _on_the_link(evidence: Evidence) -> str:
    """What of a request's time is the network's, where there is one."""
    round_trip_us = evidence.trial.round_trip_us
    if round_trip_us is None:
        return ""
    spent, each = units.seconds(link_s(evidence.trial)), units.duration_us(round_trip_us)
    return f", and each request spent {spent} on the link, whose round trip is {each}"


def starving(evidence: Evidence) -> Iterator[Caveat]:
    """A server that answers some connections again and again and leaves others waiting.

    Its mean latency is then that of the connections that it answers. gunicorn's gevent workers do so, probably because
    a greenlet does not yield while the next request is there already.
    """
    most_starved = max((slice_.starved or 0 for slice_ in kept(evidence.trial)), default=0)
    if most_starved:
        yield Caveat(
            kind="starving",
            text=(
                f"it starves connections: {most_starved} of {evidence.trial.load.connections} got less than a tenth of "
                "their share of the answers in a slice, while the others were served one request after the other"
            ),
            remedy=(
                "expect this of cooperative workers, such as gevent's, under clients that ask again at once: use a "
                "server that shares, or a proxy before it"
            ),
        )
