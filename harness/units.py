"""Numbers as people read them: the only place where a value becomes text.

A number has three significant digits, because no interval here is narrow enough for a fourth. A narrow space that does
not break stands between number and unit.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

MISSING = "\u2013"
"""Stands in the place of a number that is not known; a zero would be a number."""

THIN = "\u202f"
TIMES = "\u00d7"
ROUND = re.compile(r"(\.\d*?)0+(?!\d)")
TENTHS_BELOW = 9.95
MINUTE, HOUR = 60, 3600
KILO, MEGA = 1e3, 1e6
KIB, MIB, GIB = 1024.0, 1024.0**2, 1024.0**3


def number(value: float | None, digits: int = 3) -> str:
    """`value` with `digits` significant digits and thousands separators, never in scientific notation."""
    if value is None or not math.isfinite(value):
        return MISSING
    if value == 0:
        return "0"
    decimals = digits - 1 - math.floor(math.log10(abs(value)))
    rounded = round(value, decimals)
    if rounded != 0:  # 9.996 becomes 10.00, which has a digit too many
        decimals = digits - 1 - math.floor(math.log10(abs(rounded)))
    return f"{rounded:,.{max(decimals, 0)}f}"


def _with_unit(value: float | None, unit: str) -> str:
    text = number(value)
    return text if text == MISSING else f"{text}{THIN}{unit}"


def rps(value: float | None) -> str:
    """A rate in requests a second."""
    text = number(value)
    return text if text == MISSING else f"{text}/s"


def duration_us(value: float | None) -> str:
    """A latency, given in microseconds, in the unit that it reads best in."""
    if value is None or abs(value) < KILO:
        return _with_unit(value, "µs")
    return _with_unit(value / KILO, "ms") if abs(value) < MEGA else _with_unit(value / MEGA, "s")


def seconds(value: float | None) -> str:
    """A duration, given in seconds, in the unit that it reads best in, down to microseconds."""
    return duration_us(None if value is None else value * MEGA)


def clock(value: float) -> str:
    """A time that a person waits, given in seconds: 45 s, 8 min 40 s, 1 h 05 min."""
    whole = round(value)
    if whole < MINUTE:
        return f"{whole}{THIN}s"
    if whole < HOUR:
        return f"{whole // MINUTE}{THIN}min {whole % MINUTE:02d}{THIN}s"
    return f"{whole // HOUR}{THIN}h {whole % HOUR // MINUTE:02d}{THIN}min"


def clocks(seconds_by_name: Mapping[str, float]) -> str:
    """Times that a person waits, by what they go into: `load 4 min 07 s, warm-up 38 s`; what takes none is left out."""
    return ", ".join(f"{name} {clock(spent_s)}" for name, spent_s in seconds_by_name.items() if round(spent_s))


def tick(text: str) -> str:
    """The text of a round number, as at a chart's axis, without zeros after the point: 20 ms for 20.0 ms."""
    return ROUND.sub(lambda match: match[1].rstrip("."), text)


def bytes_(value: float | None) -> str:
    """An amount of memory or data, given in bytes, in units of powers of 1024."""
    if value is None or abs(value) < KIB:
        return _with_unit(value, "B")
    for unit, size in (("KiB", KIB), ("MiB", MIB)):
        if abs(value) < size * 1024:
            return _with_unit(value / size, unit)
    return _with_unit(value / GIB, "GiB")


def percent(fraction: float | None) -> str:
    """A fraction as a percentage: whole, or with one decimal below 10 %."""
    if fraction is None or not math.isfinite(fraction):
        return MISSING
    value = fraction * 100
    text = f"{value:.1f}".removesuffix(".0") if abs(value) < TENTHS_BELOW else f"{value:.0f}"
    return f"{text}{THIN}%"


def ratio(value: float | None, low: float | None = None, high: float | None = None) -> str:
    """A ratio, with its interval if both ends are given: `2.13 (1.98 to 2.30)`."""
    if value is None or not math.isfinite(value):
        return MISSING
    decimals = _ratio_decimals(value)
    text = f"{value:,.{decimals}f}"
    if low is None or high is None:
        return text
    return f"{text} ({low:,.{decimals}f} to {high:,.{decimals}f})"


def _ratio_decimals(value: float) -> int:
    """Decimals of a ratio: two around 1, fewer above 10, more for small ones, so that an interval's ends differ."""
    steps = ((10, 1), (0.3, 2), (0.03, 3))
    return next((decimals for least, decimals in steps if abs(value) >= least), 4)


def plural(count: int, noun: str) -> str:
    """`1 worker`, `4 workers`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
