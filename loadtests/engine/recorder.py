"""The stamps of one slice, and what its counted window showed.

While load runs a stamp costs an append to an array; `fold` turns them into counts, a few thousand at a time. So memory
stays constant, and no answer waits for statistics longer than for a fraction of a millisecond.
"""

from __future__ import annotations

from array import array
from collections import Counter
from dataclasses import dataclass, field, fields
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from harness.spec.histogram import Histogram

FOLD_AT = 4096
_SECOND_NS = 1_000_000_000
FOR_EVER_NS = 1 << 62
Stamps = NDArray[np.int64]


class Shown(Protocol):
    """Where load is shown while it runs (`shown.Line`, of Locust's table)."""

    def good(self, response_ns: Stamps) -> None:
        """Good answers, with their response times."""

    def fail(self, kind: str) -> None:
        """A failed request."""

    def drop(self) -> None:
        """A request that is never sent."""

    def flush(self, body_length: int) -> None:
        """Show what came since the last time."""


@dataclass(frozen=True, slots=True)
class Window:
    """What is counted: from `start_ns`, included, to `end_ns`, excluded."""

    start_ns: int
    end_ns: int = FOR_EVER_NS

    @property
    def length_s(self) -> float:
        """Seconds."""
        return (self.end_ns - self.start_ns) / _SECOND_NS

    def halves(self) -> tuple[Window, Window]:
        """The first and the second half."""
        middle_ns = (self.start_ns + self.end_ns) // 2
        return Window(self.start_ns, middle_ns), Window(middle_ns, self.end_ns)

    def holds(self, moments: Stamps) -> NDArray[np.bool_]:
        """Which of them lie inside."""
        inside: NDArray[np.bool_] = (moments >= self.start_ns) & (moments < self.end_ns)
        return inside

    def overlap_ns(self, sent: Stamps, done: Stamps) -> Stamps:
        """How long each request was in flight inside the window."""
        inside: Stamps = np.minimum(done, self.end_ns) - np.maximum(sent, self.start_ns)
        return inside.clip(min=0)


@dataclass(slots=True)
class Totals:
    """All that was sent, the uncounted edges included."""

    good: int = 0
    errors: int = 0
    latency_ns: int = 0
    """Sum over the good answers."""
    connects: int = 0
    reconnects: int = 0
    error_kinds: Counter[str] = field(default_factory=Counter)

    def add(self, other: Totals) -> None:
        """Count these too."""
        for item in fields(self):
            setattr(self, item.name, getattr(self, item.name) + getattr(other, item.name))


class Recorder:
    """Takes stamps in nanoseconds: `intended` (open only: when it should have been sent), `sent`, `done`."""

    def __init__(self, window: Window, shown: Shown | None = None, *, stall_ns: int = FOR_EVER_NS) -> None:
        self.window = window
        self.stall_ns = stall_ns
        """Without a good answer for so long, the server stands still."""
        self._shown = shown
        self._intended, self._sent, self._done, self._due, self._late = (array("q") for _ in range(5))
        # bound once: a good answer costs its load model three calls, and nothing else
        self.intended, self.sent, self.done = self._intended.append, self._sent.append, self._done.append
        self.latency = Histogram()
        """Response time of the window's good answers: done - intended."""
        self.service = Histogram()
        """The same without the wait for a connection: done - sent."""
        self.lateness = Histogram()
        """Dispatched - intended, of every arrival of the window."""
        self.totals = Totals()
        self.error_kinds: Counter[str] = Counter()
        """Of the window."""
        self.connects = 0
        self.reconnects = 0
        self.scheduled = 0
        self.dropped = 0
        self.good = 0
        """Good answers to the window's requests."""
        self.fractions = np.zeros(2)
        """Good answers in either half of the window, each by the fraction of its time in flight there."""
        self.stalls = 0
        """Times that nothing was answered for `stall_ns` inside the window."""
        self._stalled_ns = 0
        self._answered_ns: int | None = None
        self._latency_ns = 0
        self._in_flight_ns = 0

    @property
    def answers(self) -> int:
        """Good answers so far."""
        return self.totals.good + len(self._done)

    @property
    def in_flight(self) -> float:
        """Mean number of requests in flight over the window."""
        return self._in_flight_ns / (self.window.length_s * _SECOND_NS)

    @property
    def stalled_s(self) -> float:
        """Seconds of the window in which the server stood still."""
        return self._stalled_ns / _SECOND_NS

    @property
    def mean_latency_ns(self) -> float | None:
        """Mean response time of the window's good answers."""
        return self._latency_ns / self.good if self.good else None

    def inside(self, at_ns: int) -> bool:
        """Whether this moment is in the window."""
        return self.window.start_ns <= at_ns < self.window.end_ns

    def lost(self, limit_us: int | None) -> int:
        """Of the window's requests so far: failed, never sent, or answered later than the limit."""
        late = 0 if limit_us is None else self.latency.above(limit_us)
        return self.error_kinds.total() + self.dropped + late

    def cut(self, end_ns: int) -> None:
        """End the window early, now; which half an answer was in is then no longer known."""
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
        """An arrival was handed over, queued or dropped."""
        self._due.append(intended_ns)
        self._late.append(dispatched_ns - intended_ns)

    def drop(self, intended_ns: int) -> None:
        """An arrival is never sent."""
        if self.inside(intended_ns):
            self.dropped += 1
        if self._shown is not None:
            self._shown.drop()

    def fail(self, kind: str, intended_ns: int, sent_ns: int, done_ns: int) -> None:
        """A request failed: counted by kind, in no percentile."""
        self.totals.errors += 1
        self.totals.error_kinds[kind] += 1
        if self.inside(intended_ns):
            self.error_kinds[kind] += 1
        overlap_ns = min(done_ns, self.window.end_ns) - max(sent_ns, self.window.start_ns)
        self._in_flight_ns += max(overlap_ns, 0)
        if self._shown is not None:
            self._shown.fail(kind)

    def show(self, body_length: int) -> None:
        """Let Locust's statistics have what is folded."""
        if self._shown is not None:
            self._shown.flush(body_length)

    def fold(self, *, at_least: int = 1) -> None:
        """Turn stamps into counts, if there are so many."""
        if len(self._late) >= at_least:
            due, late = _taken(self._due), _taken(self._late)
            late = late[self.window.holds(due)]
            self.scheduled += len(late)
            self.lateness.record(_microseconds(late))
        if len(self._done) < at_least:
            return
        sent, done = _taken(self._sent), _taken(self._done)
        closed = not self._intended
        intended = sent if closed else _taken(self._intended)
        response = done - intended
        self.totals.good += len(done)
        self.totals.latency_ns += int(response.sum())
        if self._shown is not None:
            self._shown.good(response)

        counted = self.window.holds(intended)
        self.good += int(counted.sum())
        self._latency_ns += int(response[counted].sum())
        self.latency.record(_microseconds(response[counted]))
        if not closed:
            self.service.record(_microseconds((done - sent)[counted]))
        self._look_for_stalls(done)
        duration = np.maximum(done - sent, 1)
        for half, window in enumerate(self.window.halves()):
            overlap = window.overlap_ns(sent, done)
            self._in_flight_ns += int(overlap.sum())
            self.fractions[half] += float((overlap / duration).sum())

    def _look_for_stalls(self, done: Stamps) -> None:
        """Between answers, which are stamped in the order in which they come."""
        before = done[0] if self._answered_ns is None else self._answered_ns
        self._answered_ns = int(done[-1])
        gaps = np.diff(done, prepend=before)
        stalled = (gaps >= self.stall_ns) & (done < self.window.end_ns) & (done - gaps >= self.window.start_ns)
        self.stalls += int(stalled.sum())
        self._stalled_ns += int(gaps[stalled].sum())


def _taken(stamps: array[int]) -> Stamps:
    """The stamps, which the array then no longer holds; it remains the same object."""
    values = np.array(stamps, dtype=np.int64)
    del stamps[:]
    return values


def _microseconds(nanoseconds: Stamps) -> Stamps:
    return (nanoseconds + 500) // 1000
