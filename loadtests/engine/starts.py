"""When connections open, and schedules cut to a slice: pure."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random


def shifted(schedule: Iterator[int], start_ns: int) -> Iterator[int]:
    """The same moments, counted from `start_ns` on."""
    return (at + start_ns for at in schedule)


def until(schedule: Iterator[int], end_ns: int) -> Iterator[int]:
    """The moments before `end_ns`."""
    for at in schedule:
        if at >= end_ns:
            return
        yield at


def scattered(count: int, start_ns: int, end_ns: int, seed: str) -> list[int]:
    """So many random moments between the two, rising, in nanoseconds.

    For connections to open at. Evenly spaced they would keep step with the server's own pace, and of workers that share
    a listening socket the same few would be free each time: with gaps of 1 ms and answers of 2 ms, one worker of four
    got 1 to 3 % of the connections, and gets 20 to 30 % at random moments.
    """
    uniform = Random(seed).random
    return sorted(start_ns + round(uniform() * (end_ns - start_ns)) for _ in range(count))
