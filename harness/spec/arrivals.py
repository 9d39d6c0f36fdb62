"""Arrival laws: when the requests of an open load are due, fixed in advance by the seed.

In a suite, on a command line and in records a law is written as its name, and the numbers that it takes behind it, as
in `burst:10`. To add a law: a class here, and its line in `LAWS`.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
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
class Surge(Law):
    """Independent users, of whom there are `factor` times as many from one moment to another (seconds), then as before.

    What an overload is, and how a server comes out of it. A Poisson process whose rate changes is one of a fixed rate
    on a clock that runs faster meanwhile, so the arrivals before the surge are the same whatever its factor.
    """

    start_s: float
    end_s: float
    factor: float

    def schedule(self, rate_rps: float, seed: str) -> Iterator[int]:
        """See `Law`. The rate is that outside of the surge."""
        start_ns, end_ns = round(self.start_s * SECOND_NS), round(self.end_s * SECOND_NS)
        gained_ns = round((end_ns - start_ns) * (self.factor - 1))
        for at_ns in Poisson().schedule(rate_rps, seed):
            if at_ns < start_ns:
                yield at_ns
            elif at_ns < end_ns + gained_ns:
                yield start_ns + round((at_ns - start_ns) / self.factor)
            else:
                yield at_ns - gained_ns

    def __str__(self) -> str:
        """As it is written."""
        return f"surge:{self.start_s:g}:{self.end_s:g}:{self.factor:.6g}"


@dataclass(frozen=True, slots=True)
class _Notation:
    """How a law is written: by its name, and the numbers that it takes behind it."""

    make: Callable[..., Law]
    numbers: tuple[str, ...] = ()
    """What they are called."""
    kind: type[int | float] = int

    def read(self, texts: list[str]) -> Law:
        """The law with these numbers; raises `ValueError` where they are none, too many or too few."""
        if len(texts) != len(self.numbers) or not all(re.fullmatch(_NUMBER[self.kind], text) for text in texts):
            raise ValueError(f"not {', '.join(self.numbers) or 'by its name alone'}")
        return self.make(*map(self.kind, texts))


_NUMBER = {int: "[1-9][0-9]{0,5}", float: r"[0-9]{1,5}(\.[0-9]{1,9})?"}


def _surge(start_s: float, end_s: float, factor: float) -> Surge:
    if not start_s < end_s or not factor:
        raise ValueError("a surge ends after it starts, and its factor is over 0")
    return Surge(start_s, end_s, factor)


LAWS: dict[str, _Notation] = {
    "poisson": _Notation(Poisson),
    "constant": _Notation(Constant),
    "burst": _Notation(Burst, ("SIZE",)),
    "surge": _Notation(_surge, ("START_S", "END_S", "FACTOR"), float),
}


def written() -> str:
    """How laws are written, for messages and help."""
    return " or ".join(":".join([name, *notation.numbers]) for name, notation in LAWS.items())


def law(text: str) -> Law:
    """The law that `text` names; raises `ValueError` where there is none."""
    name, *numbers = text.split(":")
    try:
        return LAWS[name].read(numbers)
    except (KeyError, ValueError) as error:
        why = f" ({error})" if isinstance(error, ValueError) else ""
        raise ValueError(f"{text!r} is no arrival law: write {written()}{why}") from error


def checked(text: str) -> str:
    """`text`, where it names a law; raises `ValueError` otherwise."""
    law(text)
    return text
