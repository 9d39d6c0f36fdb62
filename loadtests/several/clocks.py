"""How far two monotonic clocks are apart, by the least round trip of many.

Of a round trip it is known when it left and came back by our clock, and when it was there by the other. The other clock
was read in between; so their difference is known to half the round trip, whatever the two ways took.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

ENOUGH = 0.001
"""An error bound that is this share of a slice needs no further round trips."""
REFUSED = 0.01
"""With an error bound beyond this share of a slice the windows of its generators are not one window."""


@dataclass(frozen=True, slots=True)
class Trip:
    """When a question left, what the other clock said to it, and when the answer was back."""

    left_ns: int
    there_ns: int
    back_ns: int


@dataclass(frozen=True, slots=True)
class Clock:
    """A clock beside ours."""

    offset_ns: int
    """It minus ours."""
    bound_ns: int
    """How far the offset may be wrong."""

    def there(self, at_ns: int) -> int:
        """What it says at that moment of ours."""
        return at_ns + self.offset_ns

    def here(self, at_ns: int) -> int:
        """What ours says at that moment of it."""
        return at_ns - self.offset_ns

    def within(self, share: float, length_ns: int) -> bool:
        """Whether its error is at most that share of a length."""
        return self.bound_ns <= share * length_ns


OURS = Clock(offset_ns=0, bound_ns=0)


def clock(trips: Iterable[Trip]) -> Clock:
    """The clock that those round trips show; raises `ValueError` without any.

    An offset that is within its error is taken for none: clocks of two machines that were not started in the same
    millisecond are further apart, so it is one clock.
    """
    best = min(trips, key=lambda trip: trip.back_ns - trip.left_ns)
    bound_ns = (best.back_ns - best.left_ns + 1) // 2
    offset_ns = best.there_ns - (best.left_ns + best.back_ns) // 2
    return Clock(0 if abs(offset_ns) <= bound_ns else offset_ns, bound_ns)
