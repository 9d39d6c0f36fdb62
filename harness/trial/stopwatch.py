"""Where the time of a block goes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from harness.spec import Event
from harness.suite import Times

NANO = 1e-9
WARM_UP = -1
"""Round of the events of a warm-up."""


class Stopwatch:
    """Adds up seconds by what they went into, until the lap is over; what nothing claims was spent waiting."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._spent_s: dict[str, float] = {}
        self._started_ns = self._opened_ns = self._closed_ns = 0

    @contextmanager
    def on(self, what: str) -> Iterator[None]:
        """Add the time until the end of the block to `what`, one of the fields of `Times`."""
        began = time.monotonic()
        try:
            yield
        finally:
            self._add(what, time.monotonic() - began)

    def heard(self, event: Event) -> None:
        """Add what the generator's event ends: a warm-up, or a slice with its window and the edges around it."""
        if event.event == "started":
            self._started_ns = self._opened_ns = self._closed_ns = event.at_ns
        elif event.event == "opened":
            self._opened_ns = self._closed_ns = event.at_ns
        elif event.event == "closed":
            self._closed_ns = event.at_ns
        elif event.event == "drained":
            whole_s = (event.at_ns - self._started_ns) * NANO
            window_s = (self._closed_ns - self._opened_ns) * NANO
            if event.round == WARM_UP:
                self._add("warm_up", whole_s)
            else:
                self._add("load", window_s)
                self._add("edges", whole_s - window_s)

    def lap(self) -> Times:
        """Where the time went since the last lap; the next one begins now."""
        now = time.monotonic()
        spent = self._spent_s
        waiting_s = max(0.0, now - self._began - sum(spent.values()))
        self._began, self._spent_s = now, {}
        return Times(**{f"{what}_s": spent_s for what, spent_s in spent.items()}, waiting_s=waiting_s)

    def _add(self, what: str, spent_s: float) -> None:
        self._spent_s[what] = self._spent_s.get(what, 0.0) + spent_s
