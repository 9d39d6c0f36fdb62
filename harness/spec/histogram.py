"""Latencies as counts in buckets of microseconds: constant in memory, and two histograms add up to one.

The buckets are those of an HdrHistogram with three significant digits. Every value below 2,048 us has a bucket of its
own; above, each power of two has 1,024 buckets. So a bucket is never wider than 1/1,024 (0.1 %) of its values.

The text form is HdrHistogram's V2 (zigzag LEB128 with runs of zeros, zlib, base64), which HDR tools of every language
read. Source of the form and of the rank of a percentile: HdrHistogram, `encodeIntoCompressedByteBuffer` and
`getValueAtPercentile` of `AbstractHistogram`.
"""

from __future__ import annotations

import base64
import binascii
import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

HIGHEST_US = 3_600_000_000
"""One hour; longer latencies count as one hour."""

_SIGNIFICANT_DIGITS = 3
_HALF_BITS = 10
_EXACT_BITS = _HALF_BITS + 1
_SIZE = (HIGHEST_US.bit_length() - _EXACT_BITS + 2) << _HALF_BITS
_PAYLOAD_COOKIE = 0x1C849303 | 0x10
_COMPRESSED_COOKIE = 0x1C849304 | 0x10
_COMPRESSED_HEADER = struct.Struct(">II")
_PAYLOAD_HEADER = struct.Struct(">IIIIQQd")
_WORD_BITS = 7
_LONGEST_WORD = 9
# no histogram is longer: decompressing stops there, so that a hostile text cannot fill the memory
_MAX_PAYLOAD = _PAYLOAD_HEADER.size + _SIZE * _LONGEST_WORD


class Histogram:
    """Counts of values in microseconds."""

    __slots__ = ("counts",)

    def __init__(self) -> None:
        self.counts: NDArray[np.int64] = np.zeros(_SIZE, dtype=np.int64)

    def record(self, values_us: ArrayLike) -> None:
        """Count integer values in microseconds; below 0 they count as 0, over an hour as an hour."""
        self.counts += np.bincount(_buckets_of(values_us), minlength=_SIZE)

    def record_few(self, values_us: ArrayLike) -> None:
        """The same as `record`, cheaper where there are hundreds of values and not thousands."""
        np.add.at(self.counts, _buckets_of(values_us), 1)

    def merge(self, other: Histogram) -> None:
        """Add the counts of `other`."""
        self.counts += other.counts

    @classmethod
    def merged(cls, histograms: Iterable[Histogram]) -> Self:
        """The sum of `histograms`."""
        total = cls()
        for histogram in histograms:
            total.merge(histogram)
        return total

    @property
    def count(self) -> int:
        """How many values were recorded."""
        return int(self.counts.sum())

    def buckets(self) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """The middle of each bucket that is not empty, in microseconds and rising, and the count of each."""
        indices = self.counts.nonzero()[0]
        low, high = _edges(indices)
        return (low + high) / 2, self.counts[indices]

    def above(self, limit: int) -> int:
        """How many values are over `limit` microseconds, to the width of a bucket."""
        middles, counts = self.buckets()
        return int(counts[middles > limit].sum())

    @property
    def mean(self) -> float:
        """Mean in microseconds, each value as the middle of its bucket; 0 without any."""
        values, counts = self.buckets()
        return float(np.average(values, weights=counts)) if counts.size else 0.0

    @property
    def max(self) -> float:
        """The highest value in microseconds, to the width of a bucket; 0 without any."""
        indices = self.counts.nonzero()[0]
        return float(_edges(indices[-1:])[1][0]) if indices.size else 0.0

    def percentile(self, q: float) -> float:
        """The value in microseconds that `q` percent of the values do not exceed; 0 without any.

        It is right to the width of a bucket. The rank is HdrHistogram's: q / 100 x count, rounded half up, 1 at least.
        Raises `ValueError` unless q is 0 to 100.
        """
        return self.percentiles([q])[0]

    def percentiles(self, qs: Sequence[float]) -> list[float]:
        """The percentiles `qs`, as `percentile` has them; many take hardly longer than one."""
        for q in qs:
            if not 0 <= q <= 100:  # noqa: PLR2004 - what a percentile is
                raise ValueError(f"a percentile is between 0 and 100, not {q}")
        cumulative = self.counts.cumsum()
        count = int(cumulative[-1])
        if not count:
            return [0.0] * len(qs)
        ranks = [max(int(q / 100 * count + 0.5), 1) for q in qs]
        low, high = _edges(np.searchsorted(cumulative, ranks))
        return [float(high[i] if q else low[i]) for i, q in enumerate(qs)]

    def encode(self) -> str:
        """The histogram as HdrHistogram V2: compressed, in base64."""
        body = b"".join(_words(self.counts))
        header = _PAYLOAD_HEADER.pack(_PAYLOAD_COOKIE, len(body), 0, _SIGNIFICANT_DIGITS, 1, HIGHEST_US, 1.0)
        packed = zlib.compress(header + body)
        return base64.b64encode(_COMPRESSED_HEADER.pack(_COMPRESSED_COOKIE, len(packed)) + packed).decode()

    @classmethod
    def decode(cls, text: str | bytes) -> Self:
        """The histogram that `encode`, or an HDR tool with three digits from 1 us up, wrote; else `ValueError`."""
        try:
            packed = base64.b64decode(text, validate=True)
            cookie, length = _COMPRESSED_HEADER.unpack_from(packed)
            inflater = zlib.decompressobj()
            payload = inflater.decompress(packed[_COMPRESSED_HEADER.size :], _MAX_PAYLOAD)
            inner, size, offset, digits, lowest, _, _ = _PAYLOAD_HEADER.unpack_from(payload)
        except (binascii.Error, struct.error, zlib.error) as error:
            raise ValueError(f"not an HdrHistogram V2 in base64: {error}") from error
        body = payload[_PAYLOAD_HEADER.size :]
        if cookie != _COMPRESSED_COOKIE or inner != _PAYLOAD_COOKIE:
            raise ValueError(f"not an HdrHistogram V2: cookies {cookie:#x} and {inner:#x}")
        if length != len(packed) - _COMPRESSED_HEADER.size or size != len(body) or not inflater.eof:
            raise ValueError("the HdrHistogram is cut off")
        if (digits, lowest, offset) != (_SIGNIFICANT_DIGITS, 1, 0):
            raise ValueError(f"an HdrHistogram of {digits} digits from {lowest} up, not of three from 1")
        histogram = cls()
        places, counts = _placed(_numbers(body))
        if places.size and places[-1] >= _SIZE:
            raise ValueError("the HdrHistogram counts values of over an hour")
        histogram.counts[places] = counts
        return histogram


def _buckets_of(values_us: ArrayLike) -> NDArray[np.int64]:
    """The index of the bucket of each value."""
    values = np.clip(np.asarray(values_us, dtype=np.int64), 0, HIGHEST_US)
    # the exponent that frexp gives is the bit length, exactly, since float64 holds every integer below 2**53
    shift = np.maximum(np.frexp(values.astype(np.float64))[1] - _EXACT_BITS, 0)
    buckets: NDArray[np.int64] = (shift << _HALF_BITS) + (values >> shift)
    return buckets


def _edges(indices: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The lowest and the highest value of each bucket, in microseconds."""
    shift = np.maximum((indices >> _HALF_BITS) - 1, 0)
    low = (indices - (shift << _HALF_BITS)) << shift
    return low, low + (1 << shift) - 1


def _words(counts: NDArray[np.int64]) -> Iterator[bytes]:
    """Each count up to the last that is not 0, in zigzag LEB128; a run of n zeros is the number -n."""
    after = 0
    for index in counts.nonzero()[0].tolist():
        if index > after:
            yield _word((index - after) * 2 - 1)
        yield _word(int(counts[index]) * 2)
        after = index + 1


def _word(zigzag: int) -> bytes:
    """LEB128 as V2 has it: seven bits a byte, the lowest first, and a ninth byte of eight bits."""
    word = bytearray()
    while zigzag >> _WORD_BITS and len(word) < _LONGEST_WORD - 1:
        word.append(zigzag & 0x7F | 0x80)
        zigzag >>= _WORD_BITS
    word.append(zigzag)
    return bytes(word)


def _numbers(body: bytes) -> NDArray[np.int64]:
    """The numbers whose words `body` holds; raises `ValueError` when the last is cut off, or one is over 2**62."""
    octets = np.frombuffer(body, dtype=np.uint8)
    lasts = (octets < 0x80).nonzero()[0]  # noqa: PLR2004 - the bit that says more follows
    if octets.size and (not lasts.size or lasts[-1] != octets.size - 1):
        raise ValueError("the HdrHistogram is cut off")
    lengths = np.diff(lasts, prepend=-1)
    if lengths.size and lengths.max() > _LONGEST_WORD:
        raise ValueError("the HdrHistogram has a count that no load reaches")
    if not lasts.size:
        return lasts
    firsts = lasts - lengths + 1
    shifts = _WORD_BITS * (np.arange(octets.size) - firsts.repeat(lengths))
    zigzag = np.add.reduceat((octets & 0x7F).astype(np.int64) << shifts, firsts)
    return (zigzag >> 1) ^ -(zigzag & 1)


def _placed(numbers: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The buckets that `numbers` count, rising, and their counts; a number below 0 is a run of so many empty ones."""
    steps = np.where(numbers < 0, np.minimum(-numbers, _SIZE), 1)  # no run is longer, and no sum overflows
    counting = numbers >= 0
    return (steps.cumsum() - steps)[counting], numbers[counting]
