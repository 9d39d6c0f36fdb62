"""One phase of a block: a warm-up of each arm, then rounds in which every arm gets its slice of load."""

from __future__ import annotations

from collections.abc import Callable

from harness.spec import DrivenArm, Event, Slice, Spec, Totals
from loadtests.engine.driver import SPACING_NS
from loadtests.engine.generator import SECOND_NS, Generator
from loadtests.engine.recorder import Display
from loadtests.engine.timer import monotonic_ns


class Rounds:
    """Runs a spec with one generator; `slices` and `totals` hold at any time what was measured so far."""

    def __init__(self, spec: Spec, emit: Callable[[Event], None], shown: Callable[[DrivenArm], Display | None]) -> None:
        self._spec = spec
        self._generator = Generator(spec, emit, shown)
        self._responses_s = [arm.response_s for arm in spec.arms]
        self.slices: list[Slice] = []

    def run(self) -> None:
        """Run the warm-ups, then the rounds; raises `Stopped`."""
        if self._spec.warmup_s > 0:
            for index in range(len(self._spec.arms)):
                warm = self._generator.warm_up(index, monotonic_ns() + SPACING_NS)
                if self._responses_s[index] is None and warm.good:
                    self._responses_s[index] = warm.latency_ns / warm.good / SECOND_NS
        for number, order in enumerate(self._spec.rounds):
            for index in order:
                prepared = self._generator.prepare(number, index, self._responses_s[index])
                measured, _ = self._generator.slice(prepared, monotonic_ns() + SPACING_NS)
                self.slices.append(measured)

    def stop(self, reason: str) -> None:
        """End early: send no more, await what is under way for a second. Safe from any greenlet."""
        self._generator.stop(reason)

    @property
    def totals(self) -> tuple[Totals, ...]:
        """All that was sent to each arm, uncounted parts included."""
        return tuple(self._generator.totals(index, response_s) for index, response_s in enumerate(self._responses_s))

    def close(self) -> None:
        """Close the files that it holds."""
        self._generator.close()
