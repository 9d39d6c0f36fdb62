"""One phase of a block: a warm-up of each arm, then rounds in which every arm gets its slice of load.

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
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from functools import partial
from typing import Literal, TypeAlias

from harness.spec import DrivenArm, Event, Slice, Spec, Totals
from harness.spec.loads import Open
from loadtests.engine.asked import asked
from loadtests.engine.closed import ClosedDriver
from loadtests.engine.driver import SPACING_NS, Driver
from loadtests.engine.edges import Edge, Edges
from loadtests.engine.fates import Keeper
from loadtests.engine.open import OpenDriver, arrivals_of_a_slice
from loadtests.engine.outcome import measured
from loadtests.engine.reactor import Reactor
from loadtests.engine.recorder import FOR_EVER_NS, Counts, Display, Window
from loadtests.engine.selfcheck import SelfCheck
from loadtests.engine.starts import scattered
from loadtests.engine.timer import monotonic_ns

SECOND_NS = 1_000_000_000
_LEAD_NS = 50_000_000
_WARM_UP = -1
_LOOK_EVERY_NS = 10_000_000
_RESPONSES_TO_ACCEPT = 10
_LEAST_TO_ACCEPT_NS = SECOND_NS
_DRAIN_AFTER_STOP_NS = SECOND_NS
EventName: TypeAlias = Literal["started", "opened", "closed", "drained"]


class Stopped(Exception):  # noqa: N818 - somebody asked for it, nothing failed
    """The run ends early because `Rounds.stop` was called."""


class Rounds:
    """Runs a spec; `slices` and `totals` hold at any time what was measured so far."""

    def __init__(self, spec: Spec, emit: Callable[[Event], None], shown: Callable[[DrivenArm], Display | None]) -> None:
        self._spec = spec
        self._emit = emit
        self._reactor = Reactor()
        self._check = SelfCheck(spec.limits)
        self._shown = [shown(arm) for arm in spec.arms]
        self._asked = [
            asked(arm, connect_timeout_s=spec.connect_timeout_s, read_timeout_s=spec.read_timeout_s)
            for arm in spec.arms
        ]
        self._responses_s = [arm.response_s for arm in spec.arms]
        self._totals = [Counts() for _ in spec.arms]
        self._driver: Driver | None = None
        self._stopped: str | None = None
        self.slices: list[Slice] = []

    def run(self) -> None:
        """Run the warm-ups, then the rounds; raises `Stopped`."""
        if self._spec.warmup_s > 0:
            for index in range(len(self._spec.arms)):
                self._warm_up(index)
        for number, order in enumerate(self._spec.rounds):
            for index in order:
                self.slices.append(self._slice(number, index))

    def stop(self, reason: str) -> None:
        """End early: send no more, await what is under way for a second. Safe from any greenlet."""
        self._stopped = self._stopped or reason
        self._reactor.at(monotonic_ns(), self._halt)

    @property
    def totals(self) -> tuple[Totals, ...]:
        """All that was sent to each arm, uncounted parts included."""
        return tuple(
            Totals(
                arm=arm.name,
                attempts=total.good + total.errors,
                good=total.good,
                errors=total.errors,
                error_kinds=dict(total.error_kinds),
                connects=total.connects,
                reconnects=total.reconnects,
                response_s=self._responses_s[index],
            )
            for index, (arm, total) in enumerate(zip(self._spec.arms, self._totals, strict=True))
        )

    def close(self) -> None:
        """Close the files that it holds."""
        self._check.close()
        self._reactor.close()

    def _warm_up(self, index: int) -> None:
        """Run an uncounted closed slice; its second half gives the response time."""
        arm = self._spec.arms[index]
        start_ns = monotonic_ns() + SPACING_NS
        warm_up_ns = round(self._spec.warmup_s * SECOND_NS)
        latest_ns = start_ns + max(warm_up_ns, round(self._spec.patience_s * SECOND_NS))
        window, seed = Window(start_ns + warm_up_ns // 2), f"{arm.arrivals_seed}/warm-up"
        recorder, connect = self._asked[index].recording(window, self._shown[index], seed)
        driver = ClosedDriver(self._asked[index].exchange, self._reactor, recorder, arm.load.connections, connect)

        def look() -> None:
            now = monotonic_ns()
            enough = now >= start_ns + warm_up_ns and recorder.answers >= arm.warmup_requests
            if enough or now >= latest_ns:
                driver.stop()
            else:
                self._reactor.at(now + _LOOK_EVERY_NS, look)

        self._reactor.at(start_ns, look)
        self._emit_event("started", index, _WARM_UP, start_ns)
        steady_ns = start_ns + SPACING_NS * arm.load.connections
        driver.start(scattered(arm.load.connections, start_ns, steady_ns, seed))
        self._drive(driver, index)
        self._emit_event("drained", index, _WARM_UP, monotonic_ns())
        if self._responses_s[index] is None and recorder.mean_latency_ns is not None:
            self._responses_s[index] = recorder.mean_latency_ns / SECOND_NS

    def _slice(self, number: int, index: int) -> Slice:
        arm, reactor = self._spec.arms[index], self._reactor
        connections = arm.load.connections
        response_ns = self._response_ns(index)
        start_ns = monotonic_ns() + SPACING_NS
        steady_ns = start_ns + max(SPACING_NS * connections, response_ns)
        lead_ns = max(response_ns, _LEAD_NS, round(self._spec.lead_s * SECOND_NS))
        latest_ns = steady_ns + max(_RESPONSES_TO_ACCEPT * response_ns, _LEAST_TO_ACCEPT_NS)
        length_ns = round(arm.load.length_s(self._spec.slice_s, response_ns / SECOND_NS) * SECOND_NS)
        window = Window(steady_ns + lead_ns, steady_ns + lead_ns + length_ns)
        driver = self._driver_of(index, number, window, steady_ns)
        recorder = driver.recorder
        edges = Edges(driver, reactor, self._check, partial(self._emit_edge, index, number), self._spec)

        def settle() -> None:
            now = monotonic_ns()
            if driver.all_answered_once() or now >= latest_ns:
                opens_ns = max(steady_ns + lead_ns, now + SPACING_NS)
                schedule(Window(opens_ns, opens_ns + length_ns))
            else:
                recorder.window = Window(
                    latest_ns + lead_ns
                )  # the window cannot open earlier: nothing is counted until then
                reactor.at(now + _LOOK_EVERY_NS, settle)

        def schedule(window: Window) -> None:
            recorder.window = window
            stop_ns = window.end_ns + response_ns
            reactor.at(window.start_ns, edges.open)
            reactor.at(window.end_ns, edges.close)
            reactor.at(stop_ns, driver.stop)
            reactor.at(stop_ns + self._asked[index].exchange.read_timeout_ns, driver.abandon)

        if driver.awaits_first_answers:
            reactor.at(steady_ns, settle)
        else:  # the moments of its arrivals are fixed already, so the window is too
            schedule(window)
        self._emit_event("started", index, number, start_ns)
        driver.start(scattered(connections, start_ns, steady_ns, f"{arm.arrivals_seed}/{number}/open"))
        self._drive(driver, index)
        outcome = measured(arm, number, driver, self._check, histograms=self._spec.histograms)
        self._emit_event("drained", index, number, monotonic_ns(), outcome.throughput_rps)
        return outcome

    def _driver_of(self, index: int, number: int, window: Window, steady_ns: int) -> Driver:
        arm, asked_, shown = self._spec.arms[index], self._asked[index], self._shown[index]
        seed = f"{arm.arrivals_seed}/{number}"
        if not isinstance(arm.load, Open):
            recorder, connect = asked_.recording(window, shown, seed)
            return ClosedDriver(asked_.exchange, self._reactor, recorder, arm.load.connections, connect)
        arrivals = arrivals_of_a_slice(arm.load, seed, steady_ns, window.start_ns)
        stall_ns = arm.load.law.stall_ns(arm.load.rate_rps) if arm.load.rate_rps else FOR_EVER_NS
        recorder, connect = asked_.recording(window, shown, seed, stall_ns=stall_ns)
        recorder.keeper = Keeper() if self._spec.fates else None
        queue = self._spec.queue
        return OpenDriver(asked_.exchange, self._reactor, recorder, arm.load, arrivals, queue=queue, connect=connect)

    def _drive(self, driver: Driver, index: int) -> None:
        """Let the reactor run until the last answer is in."""
        self._driver = driver
        try:
            if self._stopped is None:
                self._reactor.run()
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
            self._reactor.at(monotonic_ns() + _DRAIN_AFTER_STOP_NS, self._driver.abandon)

    def _response_ns(self, index: int) -> int:
        response_s = self._responses_s[index]
        return _LEAD_NS if response_s is None else round(min(response_s, self._spec.patience_s) * SECOND_NS)

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
