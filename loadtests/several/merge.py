"""Make one slice of those that several generators measured of the same window; nothing is lost, nothing counts twice.

Counts, histograms and requests in flight add up. A stall is a time in which none of them had an answer. Each judges
itself, and all must hold.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from harness.spec import OfRequest, Slice, SliceCheck, SliceShare, Totals
from harness.spec.histogram import Histogram
from loadtests.engine.closed import starved
from loadtests.engine.outcome import Part
from loadtests.several.clocks import Clock

SECOND_NS = 1_000_000_000
Gap = tuple[int, int]
Number = TypeVar("Number", int, float)


@dataclass(frozen=True, slots=True)
class Who:
    """The numbers of the generators of a slice, and how many were planned."""

    numbers: tuple[int, ...]
    of: int


@dataclass(frozen=True, slots=True)
class Portion:
    """What one generator measured of a slice, and its clock."""

    slice: Slice
    part: Part
    clock: Clock


def merged(portions: Sequence[Portion], opens_ns: int, stall_ns: int, who: Who | None = None) -> Slice:
    """The slice whose window opened at `opens_ns` of our clock; no answer for `stall_ns` is a stall.

    `who` are the generators, where these are not all that were planned. Raises `ValueError` when the windows are not
    one.
    """
    slices = [each.slice for each in portions]
    first = slices[0]
    who = who or Who(tuple(range(1, len(portions) + 1)), len(portions))
    for number, each in zip(who.numbers, portions, strict=True):
        _fits(each, first, opens_ns, f"generator {number} of {who.of}")
    good = sum(each.good for each in slices)
    answered = sum(each.requests - each.errors for each in slices)
    stalls = [] if first.stalls is None else list(_stalls(portions, opens_ns, round(first.length_s * 1e9), stall_ns))
    return replace(
        first,
        start_ns=opens_ns,
        requests=sum(each.requests for each in slices),
        good=good,
        errors=sum(each.errors for each in slices),
        error_kinds=_counted(each.error_kinds for each in slices),
        throughput_rps=good / first.length_s,
        half_rps=(sum(each.half_rps[0] for each in slices), sum(each.half_rps[1] for each in slices)),
        in_flight=sum(each.in_flight for each in slices),
        mean_latency_us=sum(each.part.latency_ns for each in portions) / answered / 1000 if answered else None,
        connects=sum(each.connects for each in slices),
        reconnects=sum(each.reconnects for each in slices),
        scheduled=_added(each.scheduled for each in slices),
        done=_added(each.done for each in slices),
        dropped=sum(each.dropped for each in slices),
        offered_rps=_added(each.offered_rps for each in slices),
        stalls=None if first.stalls is None else len(stalls),
        stalled_s=None if first.stalls is None else sum(end - start for start, end in stalls) / SECOND_NS,
        starved=_starved(portions),
        latency=_histogram(each.latency for each in slices),
        service=_histogram(each.service for each in slices),
        lateness=_histogram(each.lateness for each in slices),
        ports=tuple(_ports(slices)),
        by_request=tuple(_by_request(slices)),
        generator=_check(slices, who),
        shares=tuple(_share(number, each) for number, each in zip(who.numbers, portions, strict=True)),
    )


def totals(parts: Sequence[Totals], response_s: float | None) -> Totals:
    """All that several generators sent to one arm."""
    return Totals(
        arm=parts[0].arm,
        attempts=sum(each.attempts for each in parts),
        good=sum(each.good for each in parts),
        errors=sum(each.errors for each in parts),
        error_kinds=_counted(each.error_kinds for each in parts),
        connects=sum(each.connects for each in parts),
        reconnects=sum(each.reconnects for each in parts),
        response_s=response_s,
    )


def _ports(slices: Sequence[Slice]) -> Iterator[tuple[int, int]]:
    """The ports of all, without those that clients of two machines have: a server's port cannot tell them apart."""
    users = Counter(port for each in slices for port in {port for port, _ in each.ports})
    for each in slices:
        yield from (known for known in each.ports if users[known[0]] == 1)


def _by_request(slices: Sequence[Slice]) -> Iterator[OfRequest]:
    """Each request of a mix, over all generators."""
    for parts in zip(*(each.by_request for each in slices), strict=True):
        yield OfRequest(
            name=parts[0].name,
            requests=sum(part.requests for part in parts),
            good=sum(part.good for part in parts),
            errors=sum(part.errors for part in parts),
            latency=_histogram(part.latency for part in parts),
        )


def _fits(portion: Portion, first: Slice, opens_ns: int, name: str) -> None:
    slice_, clock = portion.slice, portion.clock
    if (slice_.arm, slice_.round, slice_.length_s) != (first.arm, first.round, first.length_s):
        raise ValueError(f"{name} measured another slice: {slice_.arm}, round {slice_.round}, {slice_.length_s:g} s")
    if clock.here(slice_.start_ns) != opens_ns:
        late_ms = (clock.here(slice_.start_ns) - opens_ns) / 1e6
        raise ValueError(f"the window of {name} opened {late_ms:+.3f} ms beside the one that was agreed on")


def _stalls(portions: Sequence[Portion], opens_ns: int, length_ns: int, stall_ns: int) -> Iterator[Gap]:
    """The stalls inside the window: times between two answers in which no generator had one.

    Each is part of a gap of every generator, before whose first answer and behind whose last there is a gap as well.
    """
    heard = [each for each in portions if each.part.answered_ns is not None]
    if not heard:
        return
    common = list(_gaps(heard[0]))
    for each in heard[1:]:
        common = list(_common(common, list(_gaps(each))))
    ends = [_answered(each) for each in heard]
    first, last = min(first for first, _ in ends), max(last for _, last in ends)
    for start, end in common:
        inside = opens_ns <= start and end < opens_ns + length_ns
        if inside and first <= start and end <= last and end - start >= stall_ns:
            yield start, end


def _answered(portion: Portion) -> Gap:
    first, last = portion.part.answered_ns or (0, 0)
    return portion.clock.here(first), portion.clock.here(last)


def _gaps(portion: Portion) -> Iterator[Gap]:
    """Its gaps by our clock, with those before its first answer and behind its last."""
    first, last = _answered(portion)
    yield -(1 << 62), first
    for start, end in portion.part.gaps_ns:
        yield portion.clock.here(start), portion.clock.here(end)
    yield last, 1 << 62


def _common(these: Sequence[Gap], those: Sequence[Gap]) -> Iterator[Gap]:
    """What two rows of gaps, each in order and without overlap, have in common."""
    one = other = 0
    while one < len(these) and other < len(those):
        start, end = max(these[one][0], those[other][0]), min(these[one][1], those[other][1])
        if start < end:
            yield start, end
        if these[one][1] < those[other][1]:
            one += 1
        else:
            other += 1


def _starved(portions: Sequence[Portion]) -> int | None:
    if portions[0].slice.starved is None:
        return None
    return starved([answers for each in portions for answers in each.part.by_connection])


def _check(slices: Sequence[Slice], who: Who) -> SliceCheck:
    checks = [each.generator for each in slices]
    reasons = (
        f"generator {number} of {who.of}: {reason}"
        for number, check in zip(who.numbers, checks, strict=True)
        for reason in check.reasons
    )
    return SliceCheck(
        cpu_percent=max(check.cpu_percent for check in checks),
        waiting_fraction=max(check.waiting_fraction for check in checks),
        gc_pause_s=max(check.gc_pause_s for check in checks),
        cpu_s=sum(check.cpu_s for check in checks),
        valid=all(check.valid for check in checks),
        reasons=tuple(reasons),
    )


def _share(number: int, portion: Portion) -> SliceShare:
    slice_, check = portion.slice, portion.slice.generator
    late = None if slice_.lateness is None else Histogram.decode(slice_.lateness).percentile(99)
    return SliceShare(
        generator=number,
        connections=len(portion.part.by_connection),
        requests=slice_.requests,
        cpu_percent=check.cpu_percent,
        waiting_fraction=check.waiting_fraction,
        cpu_s=check.cpu_s,
        lateness_p99_us=late,
        clock_offset_us=portion.clock.offset_ns / 1000,
        clock_bound_us=portion.clock.bound_ns / 1000,
    )


def _counted(kinds: Iterable[dict[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for each in kinds:
        total.update(each)
    return dict(total)


def _added(values: Iterable[Number | None]) -> Number | None:
    """Their sum; None where one is None."""
    known = list(values)
    return None if None in known else sum(value for value in known if value is not None)


def _histogram(texts: Iterable[str | None]) -> str | None:
    known = [text for text in texts if text is not None]
    return Histogram.merged(Histogram.decode(text) for text in known).encode() if known else None
