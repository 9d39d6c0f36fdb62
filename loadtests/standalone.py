"""The engine under plain `locust -f`: one load from the start of the test until Locust stops it, then a drain.

Locust shows the load on its console, on its web page and in its files. At the end our own percentiles are logged, which
are finer than Locust's.
"""

from __future__ import annotations

import argparse
import gc
import logging
from typing import Any
from urllib.parse import urlsplit

import gevent
from gevent.event import Event
from locust import User, events, task
from locust.env import Environment
from locust.stats import CSV_STATS_INTERVAL_SEC

from harness.spec import TLS, GeneratorLimits, Request
from harness.spec import arrivals as laws
from harness.spec.histogram import Histogram
from harness.spec.loads import Open, Phase
from loadtests.distributed import deal_out, share
from loadtests.engine.closed import ClosedDriver
from loadtests.engine.driver import SPACING_NS, Driver
from loadtests.engine.exchange import Exchange
from loadtests.engine.locust_stats import StatsLine
from loadtests.engine.open import OpenDriver
from loadtests.engine.reactor import Reactor
from loadtests.engine.recorder import Recorder, Window
from loadtests.engine.selfcheck import PERIOD_NS, SelfCheck
from loadtests.engine.starts import Share, scattered, shifted
from loadtests.engine.timer import monotonic_ns

_WARN_EVERY = 40  # periods of the self-check, hence ten seconds
log = logging.getLogger("loadtests")


def locustfile(kind: Phase) -> type[User]:
    """Add the engine's options to Locust's, and return the user class for Locust to run."""
    listen: Any = events.init_command_line_parser.add_listener  # Locust types its events loosely
    listen(lambda parser, **_: add_arguments(parser, kind))

    class EngineUser(User):
        fixed_count = 1
        running = False

        @task
        def drive(self) -> None:
            if EngineUser.running:
                log.warning("one user drives all connections: further users do nothing; see --connections")
            else:
                EngineUser.running = True
                try:
                    _drive(self.environment, kind)
                finally:
                    EngineUser.running = False
            gevent.sleep(float("inf"))  # Locust ends it

    EngineUser.__name__ = kind.capitalize()
    made: Any = events.init.add_listener
    made(lambda environment, **_: _begin(environment, EngineUser))
    return EngineUser


def _begin(environment: Environment, user: type[User]) -> None:
    deal_out(environment, user)
    # The loop's clock stands still while Python imports. Locust's timer of --run-time goes by it, and would end a test
    # that took a second to load after nothing at all.
    gevent.get_hub().loop.update_now()


def _drive(environment: Environment, kind: Phase) -> None:
    """Drive the share of this process until Locust stops the test."""
    mine = share(environment)
    options = environment.parsed_options
    if mine is None:
        log.warning("this process drives nothing: it came after the test had started")
    elif options is not None and not mine.dealt(options.connections):
        log.warning(
            "this process drives nothing: there are %d processes and %d connections", mine.of, options.connections
        )
    else:
        Continuous(environment, kind, mine).run()


def add_arguments(parser: argparse.ArgumentParser, kind: Phase) -> None:
    """Add the options of a load."""
    add = parser.add_argument_group("gatebench", f"{kind} load").add_argument
    add("--connections", type=int, default=32, help="connections, kept alive; of all processes together")
    add("--path", default="/", help="what is asked for, behind --host")
    add("--method", default="GET")
    add("--header", action="append", default=[], metavar="NAME: VALUE", help="may be repeated")
    add("--body", default="")
    add("--expect-status", type=int, default=200)
    add("--expect-length", type=int, default=None, help="bytes of each good answer's body")
    add("--connect-timeout", type=float, default=5.0, metavar="SECONDS")
    add("--read-timeout", type=float, default=10.0, metavar="SECONDS")
    if kind == "open":
        add("--rate", type=float, default=100.0, help="arrivals a second, of all processes together")
        add("--arrivals", type=laws.checked, default="poisson", metavar="LAW", help=laws.written())
        add("--seed", type=int, default=0, help="of the arrivals")
        add(
            "--when-full",
            choices=["queue", "drop"],
            default="queue",
            help="what arrivals do when no connection is free",
        )
        add("--queue", type=int, default=100_000, help="arrivals that may wait")


class Continuous:
    """One load until Locust stops the test."""

    def __init__(self, environment: Environment, kind: Phase, mine: Share) -> None:
        options = environment.parsed_options
        assert options is not None  # noqa: S101 - Locust's command line made it
        self._stopping: Any = environment.events.test_stopping  # Locust types its events loosely
        self._csv = bool(options.csv_prefix)
        self._reactor = Reactor()
        self._check = SelfCheck(GeneratorLimits())
        self._drained = Event()
        self._driver = _driver(kind, mine, environment, self._reactor)
        self._warned = -_WARN_EVERY
        self._periods = 0

    def run(self) -> None:
        """Drive the load from the first request to the last answer, then log the percentiles."""
        self._stopping.add_listener(self._finish)
        gc.collect()
        gc.freeze()  # a full collection would stop everything for tens of milliseconds: exempt what exists now
        self._check.start()
        self._reactor.every(PERIOD_NS, self._watch, over=self._drained.is_set)
        now, connections = monotonic_ns(), len(self._driver.connections)
        self._driver.start(scattered(connections, now, now + connections * SPACING_NS, "standalone"))
        try:
            self._reactor.run()
        finally:
            self._driver.end()
            self._drained.set()
            self._stopping.remove_listener(self._finish)
            self._check.close()
            self._reactor.close()
        self._report()

    def _finish(self, **_: Any) -> None:
        """Drain before Locust stops its users: requests still under way would be killed uncounted."""
        self._reactor.at(monotonic_ns(), self._driver.stop)
        patience_s = self._driver.exchange.read_timeout_ns / 1e9 + 1
        if not self._drained.wait(patience_s):
            self._reactor.at(monotonic_ns(), self._driver.abandon)
            self._drained.wait(1)
        if self._csv:
            # Locust writes these files once a second, and not at its end: wait until the last counts are written
            gevent.sleep(2 * CSV_STATS_INTERVAL_SEC)

    def _watch(self) -> None:
        """Judge the generator each period, and warn every ten seconds at most where it is too slow."""
        self._check.finish()
        judgement = self._driver.judge(self._check)
        self._check.start()
        self._periods += 1
        if not judgement.valid and self._periods - self._warned >= _WARN_EVERY:
            self._warned = self._periods
            log.warning("do not trust these numbers: %s", "; ".join(judgement.reasons))

    def _report(self) -> None:
        recorder = self._driver.recorder
        totals = recorder.totals
        log.info("%d good answers, %d errors, %d reconnects", totals.good, totals.errors, totals.reconnects)
        _log_percentiles("response", recorder.latency)
        if isinstance(self._driver, OpenDriver):
            _log_percentiles("service", recorder.service)
            _log_percentiles("lateness", recorder.lateness)
            log.info("%d arrivals, %d dropped", recorder.scheduled, recorder.dropped)


def _driver(kind: Phase, mine: Share, environment: Environment, reactor: Reactor) -> Driver:
    options = environment.parsed_options
    assert options is not None  # noqa: S101 - Locust's command line made it
    url = urlsplit(environment.host or options.host or "")
    usual = {"http": 80, "https": 443}
    if url.scheme not in usual or not url.hostname:
        raise SystemExit("the host must be given as http://name:port or https://name:port")
    request = Request(
        method=options.method,
        path=url.path.rstrip("/") + options.path,
        headers=tuple(_header(line) for line in options.header),
        body=options.body,
        status=options.expect_status,
        length=options.expect_length,
    )
    exchange = Exchange(
        request,
        (TLS if url.scheme == "https" else "") + url.hostname,
        url.port or usual[url.scheme],
        connect_timeout_s=options.connect_timeout,
        read_timeout_s=options.read_timeout,
    )
    now = monotonic_ns()
    recorder = Recorder(Window(now), StatsLine(environment.stats, request.method, request.path))
    connections = mine.dealt(options.connections)
    if kind == "closed":
        return ClosedDriver(exchange, reactor, recorder, connections)
    load = Open(
        connections=connections,
        rate_rps=options.rate,
        arrivals=options.arrivals,
        when_full=options.when_full,
    )
    seed = str(options.seed)
    arrivals = mine.taken(load.law.schedule(options.rate, seed), seed)
    start_ns = now + connections * SPACING_NS
    return OpenDriver(exchange, reactor, recorder, load, shifted(arrivals, start_ns), queue=options.queue)


def _header(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not colon:
        raise SystemExit(f"a header is NAME: VALUE, not {line!r}")
    return name.strip(), value.strip()


def _log_percentiles(name: str, histogram: Histogram) -> None:
    shown = "  ".join(f"p{q:g} {histogram.percentile(q) / 1000:.3f} ms" for q in (50, 90, 99, 99.9))
    log.info("%-8s %s", name, shown)
