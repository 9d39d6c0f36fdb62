"""Neighbours: requests that are held open beside the victim."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from harness.spec.held import How
from harness.suite.disturbances.base import Episodes, as_tuple

Count = Annotated[int, Field(ge=0, le=10_000)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Held(Episodes):
    """So many requests of another scenario, each on a connection of its own, each renewed when it is answered."""

    kind: Literal["held"] = "held"
    request: str
    """Name of the scenario that is held."""
    count: Annotated[tuple[Count, ...], Field(min_length=1), BeforeValidator(as_tuple)] = (0, 1, 2, 4, 8, 16)
    """How many are held, one number an episode; between the most that the victim bears and the fewest that break it
    further numbers are tried, until the two are neighbours."""

    how: How = "whole"
    """How those who hold them send and read."""
    every_s: Annotated[float, Field(ge=0.05, le=60, allow_inf_nan=False)] = 1.0
    """Now and then: how often each of them asks, at moments that are spread evenly."""

    searched = True

    @property
    def holds(self) -> bool:
        """Whether so many are under way at every moment."""
        return self.how != "now-and-then"

    @property
    def asks(self) -> str:
        """The scenario that is held."""
        return self.request

    @property
    def words(self) -> str:
        """What is done, in a few words."""
        return f"{self.strengths[0]} to {self.strengths[-1]} {self.called}"

    @property
    def situation(self) -> str:
        """What the victim is in."""
        return f"beside {self.called}"

    @property
    def called(self) -> str:
        """What is held: `held report`, `held report (slow-headers)`, `report every 1 s`."""
        if not self.holds:
            return f"{self.request} every {self.every_s:g} s"
        return f"held {self.request}" + ("" if self.how == "whole" else f" ({self.how})")

    @property
    def requests(self) -> str:
        """What there are so many of: `held report requests`, `report requests every 1 s`."""
        if not self.holds:
            return f"{self.request} requests every {self.every_s:g} s"
        return f"{self.called} requests"

    @property
    def strengths(self) -> tuple[int, ...]:
        """The counts, rising."""
        return tuple(sorted(set(self.count)))
