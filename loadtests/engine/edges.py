"""The two edges of a slice's counted window, and what happens between them.

Each edge is reported when it comes. In between the generator is watched, and the window may end early.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias

from harness.spec import Spec
from loadtests.engine.driver import Driver
from loadtests.engine.reactor import Reactor
from loadtests.engine.selfcheck import PERIOD_NS, SelfCheck
from loadtests.engine.timer import monotonic_ns

Edge: TypeAlias = Literal["opened", "closed"]
_DECIDE_EVERY_NS = 100_000_000
_SECOND_NS = 1_000_000_000


class Edges:
    """The edges of one slice, which ends early by the `stops` and the `calm` of the spec."""

    def __init__(
        self,
        driver: Driver,
        reactor: Reactor,
        check: SelfCheck,
        emit: Callable[[Edge, int], None],
        spec: Spec,
    ) -> None:
        self._driver, self._reactor, self._check, self._emit, self._stops = driver, reactor, check, emit, spec.stops
        self._calm = spec.calm
        self._closed = False

    def open(self) -> None:
        """Report that the window opens, and watch the generator from here on."""
        self._emit("opened", self._driver.recorder.window.start_ns)
        self._check.start()
        self._reactor.every(PERIOD_NS, self._check.sample, over=self._over)
        if self._stops:
            self._reactor.every(_DECIDE_EVERY_NS, self._end_if_lost, over=self._over)

        if self._calm is not None:
            self._reactor.every(_DECIDE_EVERY_NS, self._end_if_calm, over=self._over)

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
            self._cut()

    def _end_if_calm(self) -> None:
        recorder, calm, now = self._driver.recorder, self._calm, monotonic_ns()
        assert calm is not None  # noqa: S101 - only then it is called
        limit_ns = calm.limit_us * 1000
        end_ns = now - limit_ns  # of those due later it cannot be known yet
        start_ns = end_ns - round(calm.for_s * _SECOND_NS)
        if recorder.keeper is None or start_ns < recorder.window.start_ns + round(calm.after_s * _SECOND_NS):
            return
        recorder.fold()
        if recorder.keeper.calm(start_ns, end_ns, limit_ns, calm.share):
            self._cut()

    def _cut(self) -> None:
        self._driver.recorder.cut(monotonic_ns())
        self.close()
        self._driver.stop()
