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
"""Of random arrivals one gap in half a billion is as long as twenty of them take on average."""


class Law(ABC):
    """When requests arrive."""

    @abstractmethod
    def schedule(self, rate_rps: float, seed: str) -> Iterator[int]:
        """Moments in nanoseconds from 0 on, rising, without an end; the same for the same seed on every machine."""

    def stall_ns(self, rate_rps: float) -> int:
        """How long nothing must be answered at that rate to say that the server stood still, in nanoseconds."""
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
        """See `Law`. By inversion of `Random.random`, the one source that Python keeps reproducible for ever."""
        uniform = Random(seed).random
        gap_ns = SECOND_NS / rate_rps
        at_ns = 0.0
        while True:
            at_ns -= log(1.0 - uniform()) * gap_ns
            yield round(at_ns)


@dataclass(frozen=True, slots=True)
class Burst(Law):
    """`size` requests at once, bursts as independent of one another as Poisson arrivals; the mean rate is as asked.

    What a fan-out or a page with many resources does to a server.
    """

    size: int

    def schedule(self, rate_rps: float, seed: str) -> Iterator[int]:
        """See `Law`."""
        for at_ns in Poisson().schedule(rate_rps / self.size, seed):
            yield from repeat(at_ns, self.size)

    def stall_ns(self, rate_rps: float) -> int:
        """See `Law`. Between two bursts there is nothing to answer: it goes by the rate of bursts."""
        return Law.stall_ns(self, rate_rps / self.size)


@dataclass(frozen=True, slots=True)
class _Kind:
    """How a law is made from what is written behind its name."""

    make: type[Law]
    sized: bool = False


LAWS: dict[str, _Kind] = {"poisson": _Kind(Poisson), "constant": _Kind(Constant), "burst": _Kind(Burst, sized=True)}


def written() -> str:
    """How laws are written, for messages and help."""
    return " or ".join(f"{name}:SIZE" if kind.sized else name for name, kind in LAWS.items())


def law(text: str) -> Law:
    """The law that is written so; raises `ValueError` where there is none."""
    name, colon, size = text.partition(":")
    kind = LAWS.get(name)
    if kind is None or kind.sized != bool(colon) or (kind.sized and not re.fullmatch("[1-9][0-9]{0,5}", size)):
        raise ValueError(f"{text!r} is no arrival law: write {written()}")
    return kind.make(int(size)) if kind.sized else kind.make()  # type: ignore[call-arg]  # a sized one takes its size


def checked(text: str) -> str:
    """`text`, if it is a law; raises `ValueError` otherwise."""
    law(text)
    return text
