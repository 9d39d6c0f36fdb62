"""One phase of a block: a warm-up of each arm, then rounds in which every arm gets its slice of load.

A slice, on the clock: connections open, each at a random moment of one response time R; one more R passes (50 ms at
least), and under closed load every connection has had its first answer; the counted window opens, and closes; load goes
on for another R, so that those under way at the window's end are finished under the same load as those at its start;
then the last answers are awaited, and all connections closed.

The first answers are waited for because a server may be slow to accept: uvicorn takes about one connection each turn of
its loop, while those it has already taken are served. Their requests would be counted by a time in flight that is none
of the steady state's. The wait is bounded; where it runs out, Little's law shows what is wrong with the window.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from functools import partial
from itertools import chain
from typing import Literal, TypeAlias

from harness import spec
from harness.spec import Arm, Event, Slice, Spec
from loadtests.engine import arrivals
from loadtests.engine.closed import Closed
from loadtests.engine.edges import Edge, Edges
from loadtests.engine.exchange import Exchange
from loadtests.engine.load import SPACING_NS, Load
from loadtests.engine.open import Open
from loadtests.engine.outcome import measured
from loadtests.engine.reactor import Reactor
from loadtests.engine.recorder import FOR_EVER_NS, Counts, Display, Recorder, Window
from loadtests.engine.selfcheck import SelfCheck
from loadtests.engine.timer import monotonic_ns

SECOND_NS = 1_000_000_000
_LEAD_NS = 50_000_000
_WARM_UP = -1
_LOOK_EVERY_NS = 10_000_000
_RESPONSES_A_SLICE = 5
_RESPONSES_TO_ACCEPT = 10
_LEAST_TO_ACCEPT_NS = SECOND_NS
_DRAIN_AFTER_STOP_NS = SECOND_NS
_STALL_NS = 10_000_000
_ARRIVALS_A_STALL = 20
"""So many come on average meanwhile: of random arrivals one distance in half a billion is as long."""
Told: TypeAlias = Literal["started", "opened", "closed", "drained"]


class Stopped(Exception):  # noqa: N818 - told from outside, not an error of its own
    """The run was told to end early."""


class Rounds:
    """Runs a spec; what is done so far can be had at any time from `slices` and `totals`."""

    def __init__(self, told: Spec, emit: Callable[[Event], None], shown: Callable[[Arm], Display | None]) -> None:
        self._spec = told
        self._emit = emit
        self._reactor = Reactor()
        self._check = SelfCheck()
        self._shown = [shown(arm) for arm in told.arms]
        self._exchanges = [
            Exchange(
                arm.request,
                arm.host,
                arm.port,
                connect_timeout_s=told.connect_timeout_s,
                read_timeout_s=told.read_timeout_s,
            )
            for arm in told.arms
        ]
        self._responses_s = [arm.response_s for arm in told.arms]
        self._totals = [Counts() for _ in told.arms]
        self._load: Load | None = None
        self._stopped: str | None = None
        self.slices: list[Slice] = []

    def run(self) -> None:
        """Warm-ups and rounds; raises `Stopped`."""
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
    def totals(self) -> tuple[spec.Totals, ...]:
        """All that each arm was sent."""
        return tuple(
            spec.Totals(
                arm=arm.name,
                attempts=total.good + total.errors,
                good=total.good,
                errors=total.errors,
                error_kinds=dict(total.error_kinds),
                connects=total.connects,
                reconnects=total.reconnects,
                response_s=self._response_ns(index) / SECOND_NS,
            )
            for index, (arm, total) in enumerate(zip(self._spec.arms, self._totals, strict=True))
        )

    def close(self) -> None:
        """Give back what it holds."""
        self._check.close()
        self._reactor.close()

    def _warm_up(self, index: int) -> None:
        """An uncounted closed slice; its second half says how long a response takes."""
        arm = self._spec.arms[index]
        start_ns = monotonic_ns() + SPACING_NS
        warm_up_ns = round(self._spec.warmup_s * SECOND_NS)
        latest_ns = start_ns + max(warm_up_ns, round(self._spec.max_slice_s * SECOND_NS))
        recorder = Recorder(Window(start_ns + warm_up_ns // 2), self._shown[index])
        load = Closed(self._exchanges[index], self._reactor, recorder, arm.connections)

        def look() -> None:
            now = monotonic_ns()
            enough = now >= start_ns + warm_up_ns and recorder.answers >= arm.warmup_requests
            if enough or now >= latest_ns:
                load.stop()
            else:
                self._reactor.at(now + _LOOK_EVERY_NS, look)

        self._reactor.at(start_ns, look)
        self._tell("started", index, _WARM_UP, start_ns)
        steady_ns = start_ns + SPACING_NS * arm.connections
        load.start(arrivals.scattered(arm.connections, start_ns, steady_ns, f"{arm.arrivals_seed}/warm-up"))
        self._drive(load, index)
        self._tell("drained", index, _WARM_UP, monotonic_ns())
        if self._responses_s[index] is None and recorder.mean_latency_ns is not None:
            self._responses_s[index] = recorder.mean_latency_ns / SECOND_NS

    def _slice(self, number: int, index: int) -> Slice:
        arm, reactor = self._spec.arms[index], self._reactor
        response_ns = self._response_ns(index)
        start_ns = monotonic_ns() + SPACING_NS
        steady_ns = start_ns + max(SPACING_NS * arm.connections, response_ns)
        lead_ns = max(response_ns, _LEAD_NS)
        latest_ns = steady_ns + max(_RESPONSES_TO_ACCEPT * response_ns, _LEAST_TO_ACCEPT_NS)
        length_ns = self._length_ns(response_ns)
        window = Window(steady_ns + lead_ns, steady_ns + lead_ns + length_ns)
        recorder = Recorder(window, self._shown[index], stall_ns=_stall_ns(arm.rate_rps))
        load = self._load_of(index, number, recorder, steady_ns)
        edges = Edges(load, reactor, self._check, partial(self._tell_edge, index, number), self._spec.stops)

        def settle() -> None:
            now = monotonic_ns()
            if load.settled() or now >= latest_ns:
                opens_ns = max(steady_ns + lead_ns, now + SPACING_NS)
                schedule(Window(opens_ns, opens_ns + length_ns))
            else:
                recorder.window = Window(latest_ns + lead_ns)  # not before then: nothing of now is counted
                reactor.at(now + _LOOK_EVERY_NS, settle)

        def schedule(window: Window) -> None:
            recorder.window = window
            stop_ns = window.end_ns + response_ns
            reactor.at(window.start_ns, edges.open)
            reactor.at(window.end_ns, edges.close)
            reactor.at(stop_ns, load.stop)
            reactor.at(stop_ns + self._exchanges[index].read_timeout_ns, load.abandon)

        if self._spec.kind == "closed":
            reactor.at(steady_ns, settle)
        else:  # its arrivals are laid out already, and open connections as they come
            schedule(recorder.window)
        self._tell("started", index, number, start_ns)
        load.start(arrivals.scattered(arm.connections, start_ns, steady_ns, f"{arm.arrivals_seed}/{number}/open"))
        self._drive(load, index)
        outcome = measured(arm, number, load, self._check, histograms=self._spec.histograms)
        self._tell("drained", index, number, monotonic_ns(), outcome.throughput_rps)
        return outcome

    def _load_of(self, index: int, number: int, recorder: Recorder, steady_ns: int) -> Load:
        arm, told = self._spec.arms[index], self._spec
        if told.kind == "closed":
            return Closed(self._exchanges[index], self._reactor, recorder, arm.connections)
        if arm.rate_rps is None:
            raise ValueError(f"open load on {arm.name} without a rate")
        seed = f"{arm.arrivals_seed}/{number}"
        # the counted arrivals do not depend on how long this arm's start-up takes: the two of a pair replay the same
        before = arrivals.schedule(told.arrivals, arm.rate_rps, f"{seed}/start")
        counted = arrivals.schedule(told.arrivals, arm.rate_rps, seed)
        start_ns = recorder.window.start_ns
        due = chain(arrivals.until(arrivals.shifted(before, steady_ns), start_ns), arrivals.shifted(counted, start_ns))
        return Open(
            self._exchanges[index],
            self._reactor,
            recorder,
            arm.connections,
            due,
            when_full=told.when_full,
            queue=told.queue,
        )

    def _drive(self, load: Load, index: int) -> None:
        """Serve until the last answer is in."""
        self._load = load
        try:
            if self._stopped is None:
                self._reactor.run()
        finally:
            self._load = None
            load.end()
            self._totals[index].add(load.recorder.totals)
        gc.collect()  # of this slice's own; the collector itself is off, and what was there before is frozen
        if self._stopped is not None:
            raise Stopped(self._stopped)

    def _halt(self) -> None:
        if self._load is not None:
            self._load.stop()
            self._reactor.at(monotonic_ns() + _DRAIN_AFTER_STOP_NS, self._load.abandon)

    def _response_ns(self, index: int) -> int:
        response_s = self._responses_s[index]
        return _LEAD_NS if response_s is None else round(min(response_s, self._spec.max_slice_s) * SECOND_NS)

    def _length_ns(self, response_ns: int) -> int:
        length_ns = round(self._spec.slice_s * SECOND_NS)
        if self._spec.kind == "closed":
            length_ns = max(length_ns, _RESPONSES_A_SLICE * response_ns)
        return min(length_ns, round(self._spec.max_slice_s * SECOND_NS))

    def _tell_edge(self, index: int, number: int, event: Edge, at_ns: int) -> None:
        self._tell(event, index, number, at_ns)

    def _tell(self, event: Told, index: int, number: int, at_ns: int, throughput_rps: float | None = None) -> None:
        arm = self._spec.arms[index].name
        try:
            self._emit(Event(event=event, arm=arm, round=number, at_ns=at_ns, throughput_rps=throughput_rps))
        except OSError:
            self.stop("nobody reads the events any more")


def _stall_ns(rate_rps: float | None) -> int:
    """How long nothing must be answered, under random arrivals at that rate, for the server to have stood still."""
    return max(_STALL_NS, round(_ARRIVALS_A_STALL * SECOND_NS / rate_rps)) if rate_rps else FOR_EVER_NS
