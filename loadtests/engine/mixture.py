"""A mix: several requests in one random order, and what each of them came to.

Which request a connection sends is decided before the slice: it costs an index at the time. The order is drawn from
the arm's seed, so the two arms of a pair replay one sequence. It is dealt like cards, from a deck that has each request
as often as its weight says and is shuffled anew each time; a request goes through its variants in the same way. So any
piece of the sequence has nearly the shares of the whole.

A single request needs none of this: `Connection` and `Recorder` are then what they are, without a decision more.
"""

from __future__ import annotations

import math
import zlib
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import cycle, islice
from random import Random

import numpy as np
from numpy.typing import NDArray

from harness.spec import Mix, OfRequest
from harness.spec.histogram import Histogram
from loadtests.engine.driver import Connect
from loadtests.engine.exchange import Backends, Exchange, resolve
from loadtests.engine.reactor import Reactor
from loadtests.engine.recorder import FOR_EVER_NS, Display, Recorder, Stamps, Window, microseconds, taken
from loadtests.engine.wire import Connection, Owner

LEAST_DRAWN, MOST_DRAWN = 10_000, 100_000
"""Length of the sequence, which then begins again: the least, and the most where it takes more to show all variants."""


class Mixture:
    """What the connections of one arm share: an exchange for each variant of each request, and the order of them."""

    def __init__(
        self,
        mix: Mix,
        host: str,
        port: int,
        seed: str,
        *,
        connect_timeout_s: float,
        read_timeout_s: float,
        backends: Backends | None = None,
    ) -> None:
        at = resolve(host, port)
        self.names = tuple(request.name for request in mix.requests)
        self.exchanges = [
            Exchange(
                variant,
                host,
                port,
                connect_timeout_s=connect_timeout_s,
                read_timeout_s=read_timeout_s,
                at=at,
                backends=backends,
            )
            for request in mix.requests
            for variant in request.variants
        ]
        variants = [len(request.variants) for request in mix.requests]
        self.request_of = np.repeat(np.arange(len(variants)), variants)
        """For each exchange the number of its request."""
        self.order = drawn([request.weight for request in mix.requests], variants, seed)
        """Numbers of exchanges."""

    @property
    def exchange(self) -> Exchange:
        """One of its exchanges, for what all of them have in common: the address and the time-outs."""
        return self.exchanges[0]

    @property
    def body_length(self) -> int:
        """Bytes in the body of a good answer, in the mean over the sequence."""
        lengths = [exchange.body_length for exchange in self.exchanges]
        return sum(lengths[number] for number in self.order) // len(self.order)

    def recording(
        self, window: Window, display: Display | None, seed: str, *, stall_ns: int = FOR_EVER_NS
    ) -> tuple[Recorder, Connect]:
        """The recorder of a slice, and how its connections are made; `seed` says where in the order they begin."""
        if self.exchange.backends is not None:
            self.exchange.backends.begin(seed)
        recorder = MixRecorder(self, window, display, stall_ns=stall_ns)
        start = zlib.crc32(seed.encode()) % len(self.order)
        order = islice(cycle(self.order), start, None)

        def connect(_: Exchange, reactor: Reactor, owner: Owner) -> Connection:
            return MixedConnection(self, order, recorder, reactor, owner)

        return recorder, connect


class MixRecorder(Recorder):
    """A recorder that also counts each request by itself; it gets a fourth stamp, the number of the exchange."""

    def __init__(self, mixture: Mixture, window: Window, display: Display | None, *, stall_ns: int) -> None:
        super().__init__(window, display, stall_ns=stall_ns)
        self._mixture = mixture
        self._numbers = array("q")
        self.number = self._numbers.append
        self._parts = [_Part() for _ in mixture.names]

    def failed(self, number: int, intended_ns: int) -> None:
        """A request of this exchange failed."""
        if self.inside(intended_ns):
            self._parts[self._mixture.request_of[number]].errors += 1

    def show(self, body_length: int) -> None:  # noqa: ARG002 - that of one exchange says nothing of a mix
        """Show what is folded."""
        super().show(self._mixture.body_length)

    def by_request(self, *, histograms: bool) -> tuple[OfRequest, ...]:
        """What each request came to."""
        return tuple(
            OfRequest(
                name=name,
                requests=part.latency.count + part.errors,
                good=part.fraction,
                errors=part.errors,
                latency=part.latency.encode() if histograms else None,
            )
            for name, part in zip(self._mixture.names, self._parts, strict=True)
        )

    def _split(self, sent: Stamps, done: Stamps, response: Stamps, counted: NDArray[np.bool_]) -> None:
        """Count the answers of a fold by request."""
        requests = self._mixture.request_of[taken(self._numbers)]
        fractions = self.window.overlap_ns(sent, done) / np.maximum(done - sent, 1)
        latency_us = microseconds(response)
        for number, part in enumerate(self._parts):
            mine = requests == number
            part.fraction += float(fractions[mine].sum())
            part.latency.record_few(latency_us[mine & counted])


@dataclass(slots=True)
class _Part:
    """What the window showed of one request."""

    errors: int = 0
    fraction: float = 0.0
    """Good answers, each by the fraction of its time in flight that lies inside the window."""
    latency: Histogram = field(default_factory=Histogram)


class MixedConnection(Connection):
    """A connection that sends the next request of the order, whichever that is, and notes which one was answered."""

    __slots__ = ("_exchanges", "_number", "_order", "_recorder", "_told")

    def __init__(
        self, mixture: Mixture, order: Iterator[int], recorder: MixRecorder, reactor: Reactor, owner: Owner
    ) -> None:
        super().__init__(mixture.exchange, reactor, self)
        self._told = owner
        self._recorder = recorder
        self._exchanges = mixture.exchanges
        self._order = order
        self._number = 0  # of the exchange under way

    def begin(self) -> None:
        """Send the next request."""
        self._number = next(self._order)
        self._exchange = self._exchanges[self._number]
        self._answer.expect(self._exchange.expected)
        super().begin()

    def opening(self, sent_ns: int, *, again: bool) -> None:
        """Tell the owner (`wire.Owner`)."""
        self._told.opening(sent_ns, again=again)

    def answered(self, connection: Connection, sent_ns: int, kind: str | None, done_ns: int) -> None:
        """Note the request, then tell the owner (`wire.Owner`)."""
        if kind is None:
            self._recorder.number(self._number)
        else:
            self._recorder.failed(self._number, self.intended or sent_ns)
        self._told.answered(connection, sent_ns, kind, done_ns)


def drawn(weights: Sequence[int], variants: Sequence[int], seed: str) -> list[int]:
    """A sequence of exchanges: each request in proportion to its weight, its variants in turn.

    The exchanges are numbered through all variants of all requests.
    """
    random = Random(seed)
    divisor = math.gcd(*weights)
    deck = [request for request, weight in enumerate(weights) for _ in range(weight // divisor)]
    first = [sum(variants[:request]) for request in range(len(variants))]
    turns = [_shuffled(range(start, start + count), random) for start, count in zip(first, variants, strict=True)]
    # so many decks show every variant once
    decks = max(math.ceil(count * divisor / weight) for weight, count in zip(weights, variants, strict=True))
    length = min(max(LEAST_DRAWN, decks * len(deck)), MOST_DRAWN)
    requests = _shuffled(deck, random)
    return [next(turns[next(requests)]) for _ in range(math.ceil(length / len(deck)) * len(deck))]


def _shuffled(cards: Sequence[int], random: Random) -> Iterator[int]:
    """The cards in a random order, over and over, in another order each time."""
    deck = list(cards)
    while True:
        random.shuffle(deck)
        yield from deck
