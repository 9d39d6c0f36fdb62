"""When requests are due, fixed in advance: pure schedules, the same for the same seed on every machine."""

from __future__ import annotations

from collections.abc import Iterator
from math import log
from random import Random
from typing import Literal

SECOND_NS = 1_000_000_000


def constant(rate_rps: float) -> Iterator[int]:
    """Nanoseconds from 0 on, evenly spaced; without an end, and without drift."""
    n = 0
    while True:
        yield round(n * SECOND_NS / rate_rps)
        n += 1


def poisson(rate_rps: float, seed: str) -> Iterator[int]:
    """Nanoseconds after 0 of a Poisson process; without an end.

    Gaps are exponential by inversion of `Random.random`, the one source that Python keeps reproducible for ever.
    """
    uniform = Random(seed).random
    scale = SECOND_NS / rate_rps
    at = 0.0
    while True:
        at -= log(1.0 - uniform()) * scale
        yield round(at)


def schedule(kind: Literal["poisson", "constant"], rate_rps: float, seed: str) -> Iterator[int]:
    """The schedule of that kind."""
    return poisson(rate_rps, seed) if kind == "poisson" else constant(rate_rps)


def shifted(schedule: Iterator[int], start_ns: int) -> Iterator[int]:
    """The same, from `start_ns` on."""
    return (at + start_ns for at in schedule)


def scattered(count: int, start_ns: int, end_ns: int, seed: str) -> list[int]:
    """So many moments between the two, each anywhere: in order, nanoseconds.

    For connections to open at. Evenly spaced they would keep step with the server's own pace, and of workers that share
    a listening socket the same few would be free each time: with gaps of 1 ms and answers of 2 ms, one worker of four
    got 1 to 3 % of the connections, and gets 20 to 30 % so.
    """
    uniform = Random(seed).random
    return sorted(start_ns + round(uniform() * (end_ns - start_ns)) for _ in range(count))


def until(schedule: Iterator[int], end_ns: int) -> Iterator[int]:
    """Those before `end_ns`."""
    for at in schedule:
        if at >= end_ns:
            return
        yield at
