"""Overload: more requests than the server can answer, of clients that give up, and then as many as before."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from harness.spec.arrivals import Surge
from harness.spec.loads import Open
from harness.suite.disturbances.base import Episodes, Seconds, as_tuple

Times = Annotated[float, Field(ge=0.01, le=100, allow_inf_nan=False)]
SPARE, SPARE_AT_LEAST = 1.5, 16
"""Connections for each client that waits at once, and beyond: as many as never run out, however the arrivals fall."""
MOST_CONNECTIONS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Overload(Episodes):
    """So many times the capacity of the pair's slower arm, one number an episode; before and after `rate_share` of it.

    A client waits for the deadline, then closes its connection. Each arrival finds a free connection: whoever waits
    waits in the server's queues, not in ours.
    """

    kind: Literal["overload"] = "overload"
    times: Annotated[tuple[Times, ...], Field(min_length=1), BeforeValidator(as_tuple)] = (0.7, 1.0, 1.3, 2.0)
    rate_share: Annotated[float, Field(gt=0, le=10, allow_inf_nan=False)] = 0.7
    during_s: Seconds = 5.0
    after_s: Seconds = 20.0
    late_share: Annotated[float, Field(ge=0, lt=1)] = 0.05
    """More than a hundredth: the server is near its capacity before and after."""

    counted = True

    @property
    def words(self) -> str:
        """What is done, in a few words."""
        return f"{self.strengths[0] / 100:g} to {self.strengths[-1] / 100:g} times the capacity"

    @property
    def situation(self) -> str:
        """What the victim is in."""
        return "under overload"

    @property
    def strengths(self) -> tuple[int, ...]:
        """The offered rate in hundredths of the capacity, rising."""
        return tuple(sorted({round(100 * each) for each in self.times}))

    @property
    def patience_s(self) -> float:
        """The deadline: whoever has waited so long gives up."""
        return self.deadline_ms / 1000

    def offered(self, load: Open, strength: int) -> Open:
        """The surge, over connections enough for all clients that wait at once."""
        factor = strength / 100 / self.rate_share
        peak_rps = (load.rate_rps or 0.0) * max(factor, 1.0)
        connections = SPARE_AT_LEAST + math.ceil(SPARE * peak_rps * self.patience_s)
        if connections > MOST_CONNECTIONS:
            raise ValueError(
                f"{peak_rps:.0f} requests/s of clients that wait for {self.deadline_ms:g} ms need {connections} "
                f"connections, and {MOST_CONNECTIONS} is the most: lower deadline_ms, or choose a dearer request"
            )
        surge = Surge(self.before_s, self.before_s + self.during_s, factor)
        return replace(load, connections=connections, arrivals=str(surge), when_full="drop")
