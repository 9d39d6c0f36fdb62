"""The edges of a slice's counted window: told as they come, the generator watched between, the end at times early."""

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
    """Of one slice. `stops` are those of `spec.Spec`: the losses past which the load is of no further use."""

    def __init__(
        self,
        driver: Driver,
        reactor: Reactor,
        check: SelfCheck,
        tell: Callable[[Edge, int], None],
        stops: tuple[tuple[int | None, int], ...],
    ) -> None:
        self._driver, self._reactor, self._check, self._tell, self._stops = driver, reactor, check, tell, stops
        self._closed = False

    def open(self) -> None:
        """The window opens."""
        self._tell("opened", self._driver.recorder.window.start_ns)
        self._check.start()
        self._reactor.every(PERIOD_NS, self._check.sample, over=self._over)
        if self._stops:
            self._reactor.every(_DECIDE_EVERY_NS, self._decide, over=self._over)

    def close(self) -> None:
        """The window closes, once: at its end, unless `_decide` was earlier and the next slice runs by now."""
        if not self._closed:
            self._closed = True
            self._tell("closed", self._driver.recorder.window.end_ns)
            self._check.finish()

    def _over(self) -> bool:
        return self._closed or monotonic_ns() >= self._driver.recorder.window.end_ns

    def _decide(self) -> None:
        recorder = self._driver.recorder
        recorder.fold()
        if any(recorder.lost(limit_us) > allowed for limit_us, allowed in self._stops):
            recorder.cut(monotonic_ns())
            self.close()
            self._driver.stop()
