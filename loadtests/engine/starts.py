"""The moments at which connections open, and schedules fitted to a slice or dealt out to several generators."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from random import Random


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


def taken(schedule: Iterator[int], seed: str, rank: int, of: int) -> Iterator[int]:
    """The moments of `schedule` that the generator `rank` of `of` takes: a hash of the seed and their number decides.

    All generators compute the same schedule. What they take is the whole of it together, each moment once.
    """
    if of == 1:
        return schedule
    return (at for number, at in enumerate(schedule) if zlib.crc32(f"{seed}/{number}".encode()) % of == rank)


def dealt(count: int, rank: int, of: int) -> int:
    """How many of `count` connections the generator `rank` of `of` has: equal numbers, the first ones one more."""
    return count // of + (rank < count % of)
