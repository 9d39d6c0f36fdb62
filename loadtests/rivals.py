"""What other instruments show on this machine, each in a process of its own that prints one JSON object.

`python -P -m loadtests.rivals fasthttp URL CONNECTIONS SECONDS`  what Locust's FastHttpUser does: {rps}
`python -P -m loadtests.rivals blocking URL REQUESTS`             a blocking socket, one at a time: {p50_us, mean_us}
`python -P -m loadtests.rivals timer RATE SECONDS`                how late wake-ups come, ours and gevent's own:
                                                                 {timerfd: {p50_us, p99_us}, gevent: {p50_us, p99_us}}
"""

from __future__ import annotations

import gc
import json
import socket
import sys
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from harness.spec import Request
from harness.spec.arrivals import Poisson
from harness.spec.histogram import Histogram
from loadtests.engine.timer import monotonic_ns

SECOND_NS = 1_000_000_000


def fasthttp(url: str, connections: str, seconds: str) -> dict[str, Any]:
    """Stock Locust at its fastest: so many FastHttpUsers without a wait, its own statistics and all."""
    import gevent  # noqa: PLC0415 - Locust first: it patches the world
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
    """The floor: send, wait, receive, with nothing in between that could be left out."""
    from loadtests.engine.exchange import prepare  # noqa: PLC0415 - imports gevent, which the others must not do first

    parts = urlsplit(url)
    host, port = parts.hostname or "127.0.0.1", parts.port or 80
    data = prepare(Request(path=parts.path or "/"), host, port)
    took_ns = []
    with socket.create_connection((host, port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(int(requests)):
            start_ns = monotonic_ns()
            connection.send(data)
            connection.recv(65536)
            took_ns.append(monotonic_ns() - start_ns)
    return _shown(took_ns) | {"mean_us": sum(took_ns) / len(took_ns) / 1000}


def timer(rate: str, seconds: str) -> dict[str, Any]:
    """Poisson arrivals that do nothing but note how late they were."""
    import gevent  # noqa: PLC0415 - as above

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
        """As `open.Open` does: whatever is due, then the timer for the next one."""
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
    return {"timerfd": _shown(ours), "gevent": _shown(theirs)}


def _shown(took_ns: list[int]) -> dict[str, float]:
    histogram = Histogram()
    histogram.record([(ns + 500) // 1000 for ns in took_ns])
    return {"p50_us": histogram.percentile(50), "p99_us": histogram.percentile(99)}


PROBES: dict[str, Callable[..., dict[str, Any]]] = {"fasthttp": fasthttp, "blocking": blocking, "timer": timer}


def main() -> None:
    """From the command line."""
    name, *given = sys.argv[1:]
    sys.stdout.write(json.dumps(PROBES[name](*given)) + "\n")


if __name__ == "__main__":
    main()
