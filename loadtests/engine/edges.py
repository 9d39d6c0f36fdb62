"""The two edges of a slice's counted window, and what happens between them.

Each edge is reported when it comes. In between the generator is watched, and the window may end early.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias

from loadtests.engine.driver import Driver
from loadtests.engine.reactor import Reactor
from loadtests.engine.selfcheck import PERIOD_NS, SelfCheck
from loadtests.engine.timer import monotonic_ns

Edge: TypeAlias = Literal["opened", "closed"]
_DECIDE_EVERY_NS = 100_000_000


class Edges:
    """The edges of one slice. `stops` are those of `harness.spec.Spec`: with more losses the slice ends early."""

    def __init__(
        self,
        driver: Driver,
        reactor: Reactor,
        check: SelfCheck,
        emit: Callable[[Edge, int], None],
        stops: tuple[tuple[int | None, int], ...],
    ) -> None:
        self._driver, self._reactor, self._check, self._emit, self._stops = driver, reactor, check, emit, stops
        self._closed = False

    def open(self) -> None:
        """Report that the window opens, and watch the generator from here on."""
        self._emit("opened", self._driver.recorder.window.start_ns)
        self._check.start()
        self._reactor.every(PERIOD_NS, self._check.sample, over=self._over)
        if self._stops:
            self._reactor.every(_DECIDE_EVERY_NS, self._end_if_lost, over=self._over)

    def close(self) -> None:
        """Report that the window closes. Only the first call counts: the window may have ended early."""
        if not self._closed:
            self._closed = True
            self._emit("closed", self._driver.recorder.window.end_ns)
            self._check.finish()

    def _over(self) -> bool:
        return self._closed or monotonic_ns() >= self._driver.recorder.window.end_ns

    def _end_if_lost(self) -> None:
        recorder = self._driver.recorder
        recorder.fold()
        if any(recorder.lost(limit_us) > allowed for limit_us, allowed in self._stops):
            recorder.cut(monotonic_ns())
            self.close()
            self._driver.stop()
