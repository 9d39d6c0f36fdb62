"""What other instruments show on this machine: one to a process, which prints one JSON object.

`python -P -m loadtests.rivals fasthttp URL CONNECTIONS SECONDS`
    closed load by Locust's own FastHttpUser: {rps, errors}
`python -P -m loadtests.rivals blocking URL REQUESTS`
    response times of a blocking socket, one request after another: {p50_us, p99_us, mean_us}
`python -P -m loadtests.rivals timer RATE SECONDS`
    lateness of wake-ups at Poisson arrivals, by our timer and by gevent.sleep: {timerfd, gevent}, each {p50_us, p99_us}
"""

from __future__ import annotations

import gc
import json
import socket
import struct
import sys
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from harness.spec import Request
from harness.spec.arrivals import Poisson
from harness.spec.histogram import Histogram
from loadtests.engine.timer import monotonic_ns

SECOND_NS = 1_000_000_000
PATIENCE_S = 10.0
"""For an answer to a request on the blocking socket."""


def fasthttp(url: str, connections: str, seconds: str) -> dict[str, Any]:
    """Good and failed requests of Locust at its fastest: one FastHttpUser a connection, which never waits."""
    import gevent  # noqa: PLC0415 - with Locust, which patches the standard library: only where that is wanted
    from locust import FastHttpUser, constant, events, task  # noqa: PLC0415
    from locust.env import Environment  # noqa: PLC0415

    class Stock(FastHttpUser):
        host = url
        wait_time = constant(0)

        @task
        def get(self) -> None:
            self.client.get("/")

    environment = Environment(user_classes=[Stock], events=events)
    runner = environment.create_local_runner()
    runner.start(int(connections), spawn_rate=int(connections))
    gevent.sleep(1)
    before, start_ns = environment.stats.total.num_requests, monotonic_ns()
    gevent.sleep(float(seconds))
    done, took_s = environment.stats.total.num_requests - before, (monotonic_ns() - start_ns) / SECOND_NS
    failures = environment.stats.total.num_failures
    runner.quit()
    return {"rps": done / took_s, "errors": failures}


def blocking(url: str, requests: str) -> dict[str, Any]:
    """Response times with the least that a client can do: send, wait, receive.

    Raises `SystemExit` when the server closes the connection, or does not answer in time.
    """
    from loadtests.engine.exchange import prepare  # noqa: PLC0415 - imports gevent, which Locust must patch first

    parts = urlsplit(url)
    host, port = parts.hostname or "127.0.0.1", parts.port or 80
    data = prepare(Request(path=parts.path or "/"), host, port)
    took_ns = []
    with socket.create_connection((host, port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # the kernel's own time limit: Python's would cost a system call an answer, and the figure is to be the floor
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("@ll", *_timeval(PATIENCE_S)))
        for _ in range(int(requests)):
            start_ns = monotonic_ns()
            try:
                connection.send(data)
                answer = connection.recv(65536)
            except BlockingIOError:
                raise SystemExit(f"no answer within {PATIENCE_S:g} s") from None
            took_ns.append(monotonic_ns() - start_ns)
            if not answer:
                raise SystemExit("the server closed the connection")
    return _percentiles(took_ns) | {"mean_us": sum(took_ns) / len(took_ns) / 1000}


def timer(rate: str, seconds: str) -> dict[str, Any]:
    """Lateness of Poisson arrivals that do nothing but note it."""
    import gevent  # noqa: PLC0415 - as in `fasthttp`

    from loadtests.engine.reactor import Reactor  # noqa: PLC0415
    from loadtests.engine.starts import shifted, until  # noqa: PLC0415

    def due() -> list[int]:
        start_ns = monotonic_ns() + SECOND_NS // 100
        end_ns = start_ns + round(float(seconds) * SECOND_NS)
        return list(until(shifted(Poisson().schedule(float(rate), "timer"), start_ns), end_ns))

    gc.disable()
    ours = []
    reactor, moments = Reactor(), iter(due())
    next_ns = next(moments)

    def serve() -> None:
        """Note every arrival that is due, then set the timer for the next, as open load does."""
        nonlocal next_ns
        while (now := monotonic_ns()) >= next_ns:
            ours.append(now - next_ns)
            if (following := next(moments, None)) is None:
                reactor.stop()
                return
            next_ns = following
        reactor.at(next_ns, serve)

    reactor.at(next_ns, serve)
    reactor.run()
    reactor.close()

    theirs = []
    for at_ns in due():
        if (now := monotonic_ns()) < at_ns:
            gevent.sleep((at_ns - now) / SECOND_NS)
        theirs.append(monotonic_ns() - at_ns)
    return {"timerfd": _percentiles(ours), "gevent": _percentiles(theirs)}


def _timeval(seconds: float) -> tuple[int, int]:
    """Whole seconds and microseconds, as the kernel takes a time."""
    whole, fraction = divmod(seconds, 1)
    return int(whole), round(fraction * 1_000_000)


def _percentiles(took_ns: list[int]) -> dict[str, float]:
    histogram = Histogram()
    histogram.record([(ns + 500) // 1000 for ns in took_ns])
    return {"p50_us": histogram.percentile(50), "p99_us": histogram.percentile(99)}


RIVALS: dict[str, Callable[..., dict[str, Any]]] = {"fasthttp": fasthttp, "blocking": blocking, "timer": timer}


def main() -> None:
    """Run the rival that the command line names."""
    name, *arguments = sys.argv[1:] or [""]
    if name not in RIVALS:
        sys.exit(f"{name!r} is no rival: fasthttp, blocking or timer")
    sys.stdout.write(json.dumps(RIVALS[name](*arguments)) + "\n")


if __name__ == "__main__":
    main()
