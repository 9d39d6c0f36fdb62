"""A generator: the only one of a phase or one of several, it drives warm-ups and slices at the moments it is told.

A slice, in the order of time, where R is one response time:

1. The connections open, each at a random moment of the first R.
2. One more R passes, 50 ms at least. Under closed load every connection must have had its first answer by then.
3. The counted window opens, and closes.
4. Load goes on for another R. So requests that are under way when the window closes are finished under the same load
   as those that were under way when it opened.
5. The last answers are awaited, and all connections are closed.

Step 2 waits for the first answers because a server may be slow to accept. uvicorn takes about one connection each turn
of its loop, and serves those it has taken meanwhile; a request on a connection that it has not taken yet would be
counted with a wait that no later request has. The wait is bounded. Where it ends too early, Little's law does not hold
for the slice, and the trial is invalid.

Several generators share the connections and the arrivals of each slice (`starts.Share`); their windows are one window.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal, TypeAlias

import gevent

from harness.spec import DrivenArm, Event, Slice, Spec, Totals
from harness.spec.loads import Open
from loadtests.engine.asked import asked
from loadtests.engine.closed import ClosedDriver
from loadtests.engine.driver import SPACING_NS, Connect, Driver
from loadtests.engine.edges import Edge, Edges
from loadtests.engine.fates import Keeper
from loadtests.engine.open import OpenDriver, arrivals_of_a_slice
from loadtests.engine.outcome import Part, measured, part
from loadtests.engine.reactor import Reactor
from loadtests.engine.recorder import FOR_EVER_NS, Counts, Display, Recorder, Window
from loadtests.engine.selfcheck import SelfCheck
from loadtests.engine.starts import ALONE, Share, computed, scattered, shifted
from loadtests.engine.timer import monotonic_ns

SECOND_NS = 1_000_000_000
WARM_UP = -1
_LEAD_NS = 50_000_000
_LOOK_EVERY_NS = 10_000_000
_RESPONSES_TO_ACCEPT = 10
_LEAST_TO_ACCEPT_NS = SECOND_NS
_DRAIN_AFTER_STOP_NS = SECOND_NS
_NOT_YET = Window(FOR_EVER_NS, FOR_EVER_NS)
EventName: TypeAlias = Literal["started", "opened", "closed", "drained"]
OpenAt: TypeAlias = Callable[[int], None]
"""Lets the counted window open at that moment."""
Gate: TypeAlias = Callable[[int, OpenAt], None]
"""Gets the earliest moment at which a window may open whose connections have all had an answer, and opens it."""


class EndedEarly(Exception):  # noqa: N818 - whoever drives it has said why
    """The phase ends early, for a reason that is known."""


class Stopped(EndedEarly):
    """Somebody asked for it."""


@dataclass(frozen=True, slots=True)
class Timeline:
    """When what of a slice happens, in nanoseconds from its start; all generators compute the same."""

    steady_ns: int
    """The last connection is begun."""
    opens_ns: int
    """The earliest opening of the window; under open load the opening."""
    latest_ns: int
    """First answers are awaited no longer."""
    length_ns: int
    """Of the window."""
    after_ns: int
    """How long load goes on behind it."""


def timeline(spec: Spec, arm: DrivenArm, response_s: float | None) -> Timeline:
    """The timeline of a slice of `arm`, whose answers take `response_s`."""
    response_ns = _LEAD_NS if response_s is None else round(min(response_s, spec.patience_s) * SECOND_NS)
    steady_ns = max(SPACING_NS * arm.load.connections, response_ns, round(spec.opening_s * SECOND_NS))
    return Timeline(
        steady_ns=steady_ns,
        opens_ns=steady_ns + max(response_ns, _LEAD_NS, round(spec.lead_s * SECOND_NS)),
        latest_ns=steady_ns + max(_RESPONSES_TO_ACCEPT * response_ns, _LEAST_TO_ACCEPT_NS),
        length_ns=round(arm.load.length_s(spec.slice_s, response_ns / SECOND_NS) * SECOND_NS),
        after_ns=response_ns,
    )


def at_once(earliest_ns: int, open_at: OpenAt) -> None:
    """The gate of a generator that is alone: the window opens as soon as it may."""
    open_at(max(earliest_ns, monotonic_ns() + SPACING_NS))


@dataclass(frozen=True, slots=True)
class Prepared:
    """A slice that waits for the moment of its start."""

    index: int
    """Of the arm."""
    number: int
    """Of the round."""
    share: Share
    times: Timeline
    arrivals: Callable[[int], Iterator[int]] | None
    """Open: the moments of a slice that starts then."""


@dataclass(frozen=True, slots=True)
class WarmedUp:
    """What the second half of a warm-up showed."""

    good: int
    latency_ns: int
    """Sum of the response times."""


class Generator:
    """Drives the arms of a spec, one at a time."""

    def __init__(
        self,
        spec: Spec,
        emit: Callable[[Event], None],
        shown: Callable[[DrivenArm], Display | None],
        gate: Gate = at_once,
    ) -> None:
        self._spec = spec
        self._emit = emit
        self._gate = gate
        self.reactor = Reactor()
        self._check = SelfCheck(spec.limits)
        self._shown = [shown(arm) for arm in spec.arms]
        self._asked = [
            asked(arm, connect_timeout_s=spec.connect_timeout_s, read_timeout_s=spec.read_timeout_s)
            for arm in spec.arms
        ]
        self._totals = [Counts() for _ in spec.arms]
        self._driver: Driver | None = None
        self._stopped: str | None = None

    def stop(self, reason: str) -> None:
        """End early: send no more, await what is under way for a second. Safe from any greenlet."""
        self._stopped = self._stopped or reason
        self.reactor.at(monotonic_ns(), self._halt)

    def totals(self, index: int, response_s: float | None) -> Totals:
        """All that was sent to an arm, uncounted parts included; `response_s` is that of its warm-up."""
        total = self._totals[index]
        return Totals(
            arm=self._spec.arms[index].name,
            attempts=total.good + total.errors,
            good=total.good,
            errors=total.errors,
            error_kinds=dict(total.error_kinds),
            connects=total.connects,
            reconnects=total.reconnects,
            response_s=response_s,
        )

    def close(self) -> None:
        """Close the files that it holds."""
        self._check.close()
        self.reactor.close()

    def warm_up(self, index: int, start_ns: int, share: Share = ALONE) -> WarmedUp:
        """Run an uncounted closed slice from `start_ns` on; its second half gives the response time.

        Raises `Stopped`.
        """
        arm = self._spec.arms[index]
        warm_up_ns = round(self._spec.warmup_s * SECOND_NS)
        latest_ns = start_ns + max(warm_up_ns, round(self._spec.patience_s * SECOND_NS))
        connections, enough = share.dealt(arm.load.connections), share.dealt(arm.warmup_requests)
        recorder, connect = self._recording(index, Window(start_ns + warm_up_ns // 2), "warm-up", share)
        driver = ClosedDriver(self._asked[index].exchange, self.reactor, recorder, connections, connect)

        def look() -> None:
            now = monotonic_ns()
            if (now >= start_ns + warm_up_ns and recorder.answers >= enough) or now >= latest_ns:
                driver.stop()
            else:
                self.reactor.at(now + _LOOK_EVERY_NS, look)

        self.reactor.at(start_ns, look)
        self._emit_event("started", index, WARM_UP, start_ns)
        self._begin(driver, arm, "/warm-up", share, (start_ns, start_ns + SPACING_NS * arm.load.connections))
        self._drive(driver, index)
        self._emit_event("drained", index, WARM_UP, monotonic_ns())
        return WarmedUp(recorder.good, recorder.latency_ns)

    def prepare(self, number: int, index: int, response_s: float | None, share: Share = ALONE) -> Prepared:
        """A slice of an arm whose answers take `response_s`; with several generators its arrivals are computed now."""
        arm = self._spec.arms[index]
        times = timeline(self._spec, arm, response_s)
        if not isinstance(arm.load, Open):
            return Prepared(index, number, share, times, None)
        seed = f"{arm.arrivals_seed}/{number}"
        arrivals = partial(arrivals_of_a_slice, arm.load, seed, times.steady_ns, times.opens_ns, share)
        if share.of > 1:  # each goes through the whole schedule for its share, which takes longer than a gap may be
            end_ns = times.opens_ns + times.length_ns + times.after_ns
            arrivals = partial(shifted, computed(arrivals(0), end_ns, gevent.idle))
        return Prepared(index, number, share, times, arrivals)

    def slice(self, prepared: Prepared, start_ns: int) -> tuple[Slice, Part]:
        """Drive a slice from `start_ns` on; raises `Stopped`."""
        index, number, times = prepared.index, prepared.number, prepared.times
        arm, reactor = self._spec.arms[index], self.reactor
        driver = self._driver_of(prepared, start_ns)
        recorder = driver.recorder
        edges = Edges(driver, reactor, self._check, partial(self._emit_edge, index, number), self._spec)

        def settle() -> None:
            now = monotonic_ns()
            if driver.all_answered_once() or now >= start_ns + times.latest_ns:
                self._gate(start_ns + times.opens_ns, open_at)
            else:
                reactor.at(now + _LOOK_EVERY_NS, settle)

        def open_at(opens_ns: int) -> None:
            recorder.window = Window(opens_ns, opens_ns + times.length_ns)
            stop_ns = recorder.window.end_ns + times.after_ns
            reactor.at(recorder.window.start_ns, edges.open)
            reactor.at(recorder.window.end_ns, edges.close)
            reactor.at(stop_ns, driver.stop)
            reactor.at(stop_ns + self._asked[index].exchange.read_timeout_ns, driver.abandon)

        if driver.awaits_first_answers:
            reactor.at(start_ns + times.steady_ns, settle)
        else:  # the moments of its arrivals are fixed already, so the window is too
            open_at(start_ns + times.opens_ns)
        self._emit_event("started", index, number, start_ns)
        begins = (start_ns, start_ns + times.steady_ns)
        self._begin(driver, arm, f"/{number}/open", prepared.share, begins)
        self._drive(driver, index)
        outcome = measured(arm, number, driver, self._check, histograms=self._spec.histograms)
        self._emit_event("drained", index, number, monotonic_ns(), outcome.throughput_rps)
        return outcome, part(driver)

    def _driver_of(self, prepared: Prepared, start_ns: int) -> Driver:
        """The driver of a slice. Under closed load its window opens later than anything yet, until it is fixed."""
        index = prepared.index
        arm, exchange, share = self._spec.arms[index], self._asked[index].exchange, prepared.share
        connections = share.dealt(arm.load.connections)
        rate_rps = arm.load.rate_rps if isinstance(arm.load, Open) else None
        stall_ns = arm.load.law.stall_ns(rate_rps) if isinstance(arm.load, Open) and rate_rps else FOR_EVER_NS
        recorder, connect = self._recording(index, _NOT_YET, str(prepared.number), share, stall_ns)
        if not isinstance(arm.load, Open) or prepared.arrivals is None:
            return ClosedDriver(exchange, self.reactor, recorder, connections, connect)
        recorder.keeper = Keeper() if self._spec.fates else None
        load, arrivals = replace(arm.load, connections=connections), prepared.arrivals(start_ns)
        queue = share.dealt(self._spec.queue)
        return OpenDriver(exchange, self.reactor, recorder, load, arrivals, queue=queue, connect=connect)

    def _recording(
        self, index: int, window: Window, what: str, share: Share, stall_ns: int = FOR_EVER_NS
    ) -> tuple[Recorder, Connect]:
        """A recorder for that piece of the phase, and how its connections are made: several generators mix apart."""
        seed = f"{self._spec.arms[index].arrivals_seed}/{what}" + (f"/{share.rank}" if share.of > 1 else "")
        return self._asked[index].recording(window, self._shown[index], seed, stall_ns=stall_ns)

    def _begin(self, driver: Driver, arm: DrivenArm, what: str, share: Share, span_ns: tuple[int, int]) -> None:
        """Let the connections of this generator open, at those of all the moments that are its own."""
        moments = scattered(arm.load.connections, *span_ns, f"{arm.arrivals_seed}{what}")
        driver.start(moments[share.rank :: share.of])

    def _drive(self, driver: Driver, index: int) -> None:
        """Let the reactor run until the last answer is in."""
        self._driver = driver
        try:
            if self._stopped is None:
                self.reactor.run()
        finally:
            self._driver = None
            driver.end()
            self._totals[index].add(driver.recorder.totals)
        gc.collect()  # what this slice left: automatic collection is off, and objects from before the run are frozen
        if self._stopped is not None:
            raise Stopped(self._stopped)

    def _halt(self) -> None:
        if self._driver is not None:
            self._driver.stop()
            self.reactor.at(monotonic_ns() + _DRAIN_AFTER_STOP_NS, self._driver.abandon)

    def _emit_edge(self, index: int, number: int, event: Edge, at_ns: int) -> None:
        self._emit_event(event, index, number, at_ns)

    def _emit_event(
        self, event: EventName, index: int, number: int, at_ns: int, throughput_rps: float | None = None
    ) -> None:
        arm = self._spec.arms[index].name
        try:
            self._emit(Event(event=event, arm=arm, round=number, at_ns=at_ns, throughput_rps=throughput_rps))
        except OSError:
            self.stop("nobody reads the events any more")
