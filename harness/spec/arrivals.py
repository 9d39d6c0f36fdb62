"""Arrival laws: when the requests of an open load are due, fixed in advance by the seed.

In a suite, on a command line and in records a law is written as its name, and as `NAME:SIZE` where it has a size. To
add a law: a class here, and its line in `LAWS`.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import repeat
from math import log
from random import Random

SECOND_NS = 1_000_000_000
_SHORTEST_STALL_NS = 10_000_000
_ARRIVALS_A_STALL = 20
"""Random arrivals pause by chance as well: one gap in half a billion is as long as twenty mean gaps."""


class Law(ABC):
    """When requests arrive."""

    @abstractmethod
    def schedule(self, rate_rps: float, seed: str) -> Iterator[int]:
        """Moments in nanoseconds from 0 on, rising, without an end; the same for the same seed on every machine."""

    def stall_ns(self, rate_rps: float) -> int:
        """How many nanoseconds without an answer show, at that rate, that the server stood still."""
        return max(_SHORTEST_STALL_NS, round(_ARRIVALS_A_STALL * SECOND_NS / rate_rps))


class Constant(Law):
    """Evenly spaced, without drift."""

    def schedule(self, rate_rps: float, seed: str) -> Iterator[int]:  # noqa: ARG002 - nothing here is random
        """See `Law`."""
        number = 0
        while True:
            yield round(number * SECOND_NS / rate_rps)
            number += 1


class Poisson(Law):
    """Independent users: exponential gaps."""

    def schedule(self, rate_rps: float, seed: str) -> Iterator[int]:
        """See `Law`. Gaps are drawn by inversion of `Random.random`, the only source that Python promises to keep."""
        uniform = Random(seed).random
        gap_ns = SECOND_NS / rate_rps
        at_ns = 0.0
        while True:
            at_ns -= log(1.0 - uniform()) * gap_ns
            yield round(at_ns)


@dataclass(frozen=True, slots=True)
class Burst(Law):
    """`size` requests at once, at the mean rate that was asked for. The bursts come as Poisson arrivals do.

    A page with many resources does this to a server, and so does a service that calls another many times at once.
    """

    size: int

    def schedule(self, rate_rps: float, seed: str) -> Iterator[int]:
        """See `Law`."""
        for at_ns in Poisson().schedule(rate_rps / self.size, seed):
            yield from repeat(at_ns, self.size)

    def stall_ns(self, rate_rps: float) -> int:
        """See `Law`. Between two bursts there is nothing to answer, so the rate of the bursts counts."""
        return Law.stall_ns(self, rate_rps / self.size)


@dataclass(frozen=True, slots=True)
class _Notation:
    """How a law is written: by its name alone, or with a size behind it."""

    make: type[Law]
    sized: bool = False


LAWS: dict[str, _Notation] = {
    "poisson": _Notation(Poisson),
    "constant": _Notation(Constant),
    "burst": _Notation(Burst, sized=True),
}


def written() -> str:
    """How laws are written, for messages and help."""
    return " or ".join(f"{name}:SIZE" if notation.sized else name for name, notation in LAWS.items())


def law(text: str) -> Law:
    """The law that `text` names; raises `ValueError` where there is none."""
    name, colon, size = text.partition(":")
    notation = LAWS.get(name)
    if (
        notation is None
        or notation.sized != bool(colon)
        or (notation.sized and not re.fullmatch("[1-9][0-9]{0,5}", size))
    ):
        raise ValueError(f"{text!r} is no arrival law: write {written()}")
    return notation.make(int(size)) if notation.sized else notation.make()  # type: ignore[call-arg]  # takes a size


def checked(text: str) -> str:
    """`text`, where it names a law; raises `ValueError` otherwise."""
    law(text)
    return text
