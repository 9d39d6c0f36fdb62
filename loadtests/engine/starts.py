"""The moments at which connections open, and schedules fitted to a slice or dealt out to several generators."""

from __future__ import annotations

import zlib
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from random import Random

_BREATHE_EVERY = 5_000


@dataclass(frozen=True, slots=True)
class Share:
    """Which of several generators this is, of those that drive a load together."""

    rank: int
    of: int

    def taken(self, schedule: Iterator[int], seed: str) -> Iterator[int]:
        """The moments of `schedule` that this generator takes: a hash of the seed and their number decides.

        All generators compute the same schedule. What they take is the whole of it together, each moment once.
        """
        if self.of == 1:
            return schedule
        rank, of = self.rank, self.of
        return (at for number, at in enumerate(schedule) if zlib.crc32(f"{seed}/{number}".encode()) % of == rank)

    def dealt(self, count: int) -> int:
        """How many of `count` connections are this generator's: equal numbers, the first generators one more."""
        return count // self.of + (self.rank < count % self.of)


ALONE = Share(rank=0, of=1)


def shifted(schedule: Iterator[int], start_ns: int) -> Iterator[int]:
    """The moments of `schedule`, which counts from 0, counted from `start_ns`."""
    return (at + start_ns for at in schedule)


def until(schedule: Iterator[int], end_ns: int) -> Iterator[int]:
    """The moments of `schedule` before `end_ns`."""
    for at in schedule:
        if at >= end_ns:
            return
        yield at


def scattered(count: int, start_ns: int, end_ns: int, seed: str) -> list[int]:
    """Random moments at which `count` connections open, between the two given, rising, in nanoseconds.

    Evenly spaced moments would keep step with the server: of workers that share a listening socket, the same few would
    be free each time. With gaps of 1 ms and answers of 2 ms one worker of four got 1 to 3 % of the connections; at
    random moments it gets 20 to 30 %.
    """
    uniform = Random(seed).random
    return sorted(start_ns + round(uniform() * (end_ns - start_ns)) for _ in range(count))


def computed(schedule: Iterator[int], end_ns: int, breathe: Callable[[], None]) -> Iterator[int]:
    """The same moments; those before `end_ns`, and one more, are computed now, so that nothing is to be done later.

    That may take seconds: `breathe` is called every few milliseconds.
    """
    moments = array("q")
    for number, at in enumerate(schedule, start=1):
        moments.append(at)
        if at >= end_ns:
            break
        if number % _BREATHE_EVERY == 0:
            breathe()
    return chain(moments, schedule)
