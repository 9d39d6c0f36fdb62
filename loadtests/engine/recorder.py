"""The time stamps of one slice, and the counts that its window comes to.

While load runs, a stamp costs an append to an array; `fold` turns stamps into counts, a few thousand at a time. So
memory stays constant, and statistics hold up an answer for no more than a fraction of a millisecond.
"""

from __future__ import annotations

from array import array
from collections import Counter
from dataclasses import dataclass, field, fields
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from harness.spec import OfRequest
from harness.spec.histogram import Histogram
from loadtests.engine.fates import Keeper
from loadtests.engine.timer import monotonic_ns

FOLD_AT = 4096
"""Stamps that are worth a fold."""
_SECOND_NS = 1_000_000_000
FOR_EVER_NS = 1 << 62
Stamps = NDArray[np.int64]
"""Nanoseconds: moments of CLOCK_MONOTONIC, or times between them."""


class Display(Protocol):
    """Where load is shown while it runs (`locust_stats.StatsLine`, a line of Locust's table)."""

    def good(self, response_ns: Stamps) -> None:
        """Take the response times of good answers."""

    def fail(self, kind: str) -> None:
        """Take a failed request, by the kind of its error."""

    def drop(self) -> None:
        """Take a request that is never sent."""

    def flush(self, body_length: int) -> None:
        """Show what was taken since the last time; `body_length`: bytes in the body of a good answer."""


@dataclass(frozen=True, slots=True)
class Window:
    """The counted part of a slice: from `start_ns`, which is in it, to `end_ns`, which is not."""

    start_ns: int
    end_ns: int = FOR_EVER_NS

    @property
    def length_s(self) -> float:
        """Its length in seconds."""
        return (self.end_ns - self.start_ns) / _SECOND_NS

    def halves(self) -> tuple[Window, Window]:
        """Its first and its second half."""
        middle_ns = (self.start_ns + self.end_ns) // 2
        return Window(self.start_ns, middle_ns), Window(middle_ns, self.end_ns)

    def holds(self, moments: Stamps) -> NDArray[np.bool_]:
        """For each moment, whether it lies inside."""
        inside: NDArray[np.bool_] = (moments >= self.start_ns) & (moments < self.end_ns)
        return inside

    def overlap_ns(self, sent: Stamps, done: Stamps) -> Stamps:
        """How long each request was in flight inside the window."""
        inside: Stamps = np.minimum(done, self.end_ns) - np.maximum(sent, self.start_ns)
        return inside.clip(min=0)


@dataclass(slots=True)
class Counts:
    """Counts of requests and connections, of one slice or of several."""

    good: int = 0
    errors: int = 0
    latency_ns: int = 0
    """Sum of the response times of the good answers."""
    connects: int = 0
    reconnects: int = 0
    error_kinds: Counter[str] = field(default_factory=Counter)

    def add(self, more: Counts) -> None:
        """Add the counts of `more` to these."""
        for count in fields(self):
            setattr(self, count.name, getattr(self, count.name) + getattr(more, count.name))


class Recorder:
    """Takes three stamps of each good answer: `intended` (open load only: when it was to be sent), `sent`, `done`."""

    def __init__(
        self,
        window: Window,
        display: Display | None = None,
        *,
        stall_ns: int = FOR_EVER_NS,
        keeper: Keeper | None = None,
    ) -> None:
        self.window = window
        self.keeper = keeper
        """Keeps what becomes of each arrival, where that is asked for."""
        self.stall_ns = stall_ns
        """A time without a good answer that is at least so long is a stall of the server."""
        self.gaps: list[tuple[int, int]] = []
        """All times that are so long and lie between two good answers of the slice, from and to."""
        self._display = display
        self._intended, self._sent, self._done, self._due, self._late = (array("q") for _ in range(5))
        # bound once, so that a good answer costs its load two or three calls and nothing else
        self.intended, self.sent, self.done = self._intended.append, self._sent.append, self._done.append
        self.latency = Histogram()
        """Response time of the window's good answers: done - intended."""
        self.service = Histogram()
        """The same without the wait for a connection: done - sent. Open load only."""
        self.lateness = Histogram()
        """Dispatched - intended, of every arrival of the window. Open load only."""
        self.totals = Counts()
        """Of the whole slice, the parts before and after its window included; all others are of the window alone."""
        self.error_kinds: Counter[str] = Counter()
        self.connects = 0
        self.reconnects = 0
        self.scheduled = 0
        self.dropped = 0
        self.good = 0
        """Good answers to the window's requests."""
        self.fractions = np.zeros(2)
        """Good answers in each half of the window, every answer by the fraction of its time in flight there."""
        self.stalls = 0
        """Times without an answer for `stall_ns` or longer that lie inside the window."""
        self._stalled_ns = 0
        self.answered_ns: tuple[int, int] | None = None
        """The moments of the first and of the last good answer of the whole slice, as far as they are folded."""
        self.latency_ns = 0
        """Sum of the response times of the window's good answers."""
        self._in_flight_ns = 0

    @property
    def answers(self) -> int:
        """Good answers so far, over the whole slice."""
        return self.totals.good + len(self._done)

    @property
    def in_flight(self) -> float:
        """Mean number of requests in flight over the window."""
        return self._in_flight_ns / (self.window.length_s * _SECOND_NS)

    @property
    def stalled_s(self) -> float:
        """Seconds of the window that were stalls."""
        return self._stalled_ns / _SECOND_NS

    @property
    def mean_latency_ns(self) -> float | None:
        """Mean response time of the window's good answers; None without any."""
        return self.latency_ns / self.good if self.good else None

    def inside(self, at_ns: int) -> bool:
        """Whether the moment lies in the window."""
        return self.window.start_ns <= at_ns < self.window.end_ns

    def lost(self, limit_us: int | None) -> int:
        """The window's requests so far that failed, were never sent, or took longer than the limit (None: no limit)."""
        late = 0 if limit_us is None else self.latency.above(limit_us)
        return self.error_kinds.total() + self.dropped + late

    def cut(self, end_ns: int) -> None:
        """End the window early, at this moment; both halves then get the mean of the fractions counted so far."""
        self.fold()
        self.window = Window(self.window.start_ns, end_ns)
        self.fractions[:] = self.fractions.mean()

    def connect(self, sent_ns: int, *, again: bool) -> None:
        """A TCP connection is opened for the request begun at `sent_ns`."""
        self.totals.connects += 1
        self.totals.reconnects += again
        if self.inside(sent_ns):
            self.connects += 1
            self.reconnects += again

    def due(self, intended_ns: int, dispatched_ns: int) -> None:
        """An arrival was dispatched: to a connection, into the queue, or nowhere."""
        self._due.append(intended_ns)
        self._late.append(dispatched_ns - intended_ns)

    def drop(self, intended_ns: int) -> None:
        """An arrival is never sent."""
        if self.inside(intended_ns):
            self.dropped += 1
        if self.keeper is not None:
            self.keeper.lost("dropped", intended_ns, monotonic_ns())
        if self._display is not None:
            self._display.drop()

    def fail(self, kind: str, intended_ns: int, sent_ns: int, done_ns: int) -> None:
        """A request failed: counted by kind, in no percentile."""
        self.totals.errors += 1
        self.totals.error_kinds[kind] += 1
        if self.inside(intended_ns):
            self.error_kinds[kind] += 1
        if self.keeper is not None:
            self.keeper.lost(kind, intended_ns, done_ns)
        overlap_ns = min(done_ns, self.window.end_ns) - max(sent_ns, self.window.start_ns)
        self._in_flight_ns += max(overlap_ns, 0)
        if self._display is not None:
            self._display.fail(kind)

    def show(self, body_length: int) -> None:
        """Show what is folded."""
        if self._display is not None:
            self._display.flush(body_length)

    def fold(self, *, at_least: int = 1) -> None:
        """Turn stamps into counts, when there are at least so many."""
        if len(self._late) >= at_least:
            due, late = taken(self._due), taken(self._late)
            if self.keeper is not None:
                self.keeper.due(due)
            late = late[self.window.holds(due)]
            self.scheduled += len(late)
            self.lateness.record(microseconds(late))
        if len(self._done) < at_least:
            return
        sent, done = taken(self._sent), taken(self._done)
        closed = not self._intended
        intended = sent if closed else taken(self._intended)
        response = done - intended
        if self.keeper is not None:
            self.keeper.good(intended, done)
        self.totals.good += len(done)
        self.totals.latency_ns += int(response.sum())
        if self._display is not None:
            self._display.good(response)

        counted = self.window.holds(intended)
        self.good += int(counted.sum())
        self.latency_ns += int(response[counted].sum())
        self.latency.record(microseconds(response[counted]))
        if not closed:
            self.service.record(microseconds((done - sent)[counted]))
        self._look_for_stalls(done)
        self._split(sent, done, response, counted)
        duration = np.maximum(done - sent, 1)
        for half, window in enumerate(self.window.halves()):
            overlap = window.overlap_ns(sent, done)
            self._in_flight_ns += int(overlap.sum())
            self.fractions[half] += float((overlap / duration).sum())

    def by_request(self, *, histograms: bool) -> tuple[OfRequest, ...]:  # noqa: ARG002 - see there
        """What each request of a mix came to (`mixture.MixRecorder`); nothing where there is a single request."""
        return ()

    def _split(self, sent: Stamps, done: Stamps, response: Stamps, counted: NDArray[np.bool_]) -> None:
        """Count a fold by request (`mixture.MixRecorder`)."""

    def _look_for_stalls(self, done: Stamps) -> None:
        """Count the long times between answers, whose stamps stand in the order in which they came."""
        first, before = self.answered_ns or (int(done[0]), int(done[0]))
        self.answered_ns = first, int(done[-1])
        gaps = np.diff(done, prepend=before)
        long = gaps >= self.stall_ns
        stalled = long & (done < self.window.end_ns) & (done - gaps >= self.window.start_ns)
        self.stalls += int(stalled.sum())
        self._stalled_ns += int(gaps[stalled].sum())
        self.gaps += zip((done - gaps)[long].tolist(), done[long].tolist(), strict=True)


def taken(stamps: array[int]) -> Stamps:
    """The stamps, taken out of the array, which stays the same object: its `append` is bound elsewhere."""
    values = np.array(stamps, dtype=np.int64)
    del stamps[:]
    return values


def microseconds(nanoseconds: Stamps) -> Stamps:
    """The same in microseconds, rounded."""
    return (nanoseconds + 500) // 1000
