"""How the two arms of a pair differ under the same disturbance: a value a block, over blocks with Student's t.

Goodput and percentiles are compared by the ratio b / a, of which the blocks give logarithms; late shares, which may be
zero, by the difference b - a. Of the two that rest on counts of requests, the standard error is at least that of the
counts (Poisson): where a single request is late in each block, the blocks do not scatter at all.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from harness.judge.statistics import estimate, ratio_of
from harness.record import Episode, Part
from harness.suite import Pair


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast:
    """One metric of the victim's requests during the disturbance, of side b against side a."""

    pair: str
    strength: int
    metric: str
    value: float
    """b / a; of `late_share` b - a."""
    low: float | None
    high: float | None
    """95 % interval; None: a single block has none."""
    p: float | None
    """Of no difference, two-sided, not corrected for there being several; None: of a single block."""
    blocks: int


def _late_share(part: Part) -> float | None:
    return part.late_share if part.arrivals else None


def _logarithm(value: float | None) -> float | None:
    return math.log(value) if value else None


METRICS: dict[str, Callable[[Part], float | None]] = {
    "goodput_rps": lambda part: _logarithm(part.goodput_rps),
    "latency_p50_us": lambda part: _logarithm(part.latency_us.p50 if part.latency_us else None),
    "latency_p99_us": lambda part: _logarithm(part.latency_us.p99 if part.latency_us else None),
    "late_share": _late_share,
}
"""How a part shows each metric: as a logarithm, where sides are compared by their ratio."""
DIFFERENCES = frozenset({"late_share"})
COUNTED = frozenset({"late_share", "goodput_rps"})


def contrasts(pairs: Sequence[Pair], episodes: Sequence[Episode]) -> tuple[Contrast, ...]:
    """Every metric of every pair at every strength that both arms had in a block, from valid episodes alone."""
    valid = {(each.arm, each.strength, each.block): each.during for each in episodes if each.valid and each.during}
    return tuple(
        contrast
        for pair in pairs
        for strength in sorted({strength for arm, strength, _ in valid if arm in {pair.a, pair.b}})
        for contrast in _at(pair, strength, valid)
    )


def _at(pair: Pair, strength: int, valid: dict[tuple[str, int, int], Part]) -> Iterator[Contrast]:
    blocks = sorted(block for arm, at, block in valid if (arm, at) == (pair.a, strength))
    both = [(valid[pair.a, strength, n], valid[pair.b, strength, n]) for n in blocks if (pair.b, strength, n) in valid]
    for metric, read in METRICS.items():
        sides = [(read(a), read(b)) for a, b in both]
        values = [b - a for a, b in sides if a is not None and b is not None]
        if values and len(values) == len(both):
            least = _counting_error(both) if metric in COUNTED else 0.0
            yield _contrast(pair.id, strength, metric, values, least)


def _counting_error(both: Sequence[tuple[Part, Part]]) -> float:
    """Standard error of the share of requests that were late or lost, for the counts alone."""
    bad = sum(part.arrivals - part.in_time for sides in both for part in sides)
    arrivals = sum(a.arrivals for a, _ in both)
    return math.sqrt(bad) / arrivals if arrivals else 0.0


def _contrast(pair: str, strength: int, metric: str, values: Sequence[float], least: float) -> Contrast:
    estimated = estimate(values)
    estimated = replace(estimated, standard_error=max(estimated.standard_error, least))
    back = float if metric in DIFFERENCES else ratio_of
    low, high, p = None, None, None
    if len(values) > 1:
        low, high = map(back, estimated.interval())
        p = min(1.0, 2 * min(estimated.p_below(0), estimated.p_above(0)))
    return Contrast(
        pair=pair,
        strength=strength,
        metric=metric,
        value=back(estimated.mean),
        low=low,
        high=high,
        p=p,
        blocks=len(values),
    )
