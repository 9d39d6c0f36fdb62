"""Numbers as people read them: the one place where a value becomes text.

Three significant digits, because no interval here is narrower than that; a thin space between number and unit.
"""

from __future__ import annotations

import math
import re

MISSING = "\u2013"
"""What stands where there is no number: never a zero."""

THIN = "\u202f"
TIMES = "\u00d7"
ROUND = re.compile(r"(\.\d*?)0+(?!\d)")
TENTHS_BELOW = 9.95
MINUTE, HOUR = 60, 3600
KILO, MEGA = 1e3, 1e6
KIB, MIB, GIB = 1024.0, 1024.0**2, 1024.0**3


def number(value: float | None, digits: int = 3) -> str:
    """`value` to `digits` significant digits with thousands separators, never in scientific notation."""
    if value is None or not math.isfinite(value):
        return MISSING
    if value == 0:
        return "0"
    decimals = digits - 1 - math.floor(math.log10(abs(value)))
    rounded = round(value, decimals)
    if rounded != 0:  # 9.996 rounds up to one digit more
        decimals = digits - 1 - math.floor(math.log10(abs(rounded)))
    return f"{rounded:,.{max(decimals, 0)}f}"


def _with(value: float | None, unit: str) -> str:
    text = number(value)
    return text if text == MISSING else f"{text}{THIN}{unit}"


def rps(value: float | None) -> str:
    """Requests a second."""
    text = number(value)
    return text if text == MISSING else f"{text}/s"


def duration_us(value: float | None) -> str:
    """A latency in microseconds, in the unit that it reads best in."""
    if value is None or abs(value) < KILO:
        return _with(value, "µs")
    return _with(value / KILO, "ms") if abs(value) < MEGA else _with(value / MEGA, "s")


def seconds(value: float | None) -> str:
    """A duration in seconds, down to microseconds."""
    return duration_us(None if value is None else value * MEGA)


def clock(value: float) -> str:
    """A length of time that a person waits: 45 s, 8 min 40 s, 1 h 05 min."""
    whole = round(value)
    if whole < MINUTE:
        return f"{whole}{THIN}s"
    if whole < HOUR:
        return f"{whole // MINUTE}{THIN}min {whole % MINUTE:02d}{THIN}s"
    return f"{whole // HOUR}{THIN}h {whole % HOUR // MINUTE:02d}{THIN}min"


def tick(text: str) -> str:
    """A number that is round anyway, without the zeros that say how exact it is: 20.0 ms as 20 ms."""
    return ROUND.sub(lambda match: match[1].rstrip("."), text)


def bytes_(value: float | None) -> str:
    """An amount of memory or data, in powers of 1024."""
    if value is None or abs(value) < KIB:
        return _with(value, "B")
    for unit, size in (("KiB", KIB), ("MiB", MIB)):
        if abs(value) < size * 1024:
            return _with(value / size, unit)
    return _with(value / GIB, "GiB")


def percent(fraction: float | None) -> str:
    """A fraction as a percentage, to a tenth below ten."""
    if fraction is None or not math.isfinite(fraction):
        return MISSING
    value = fraction * 100
    text = f"{value:.1f}".removesuffix(".0") if abs(value) < TENTHS_BELOW else f"{value:.0f}"
    return f"{text}{THIN}%"


def ratio(value: float | None, low: float | None = None, high: float | None = None) -> str:
    """A ratio, with its interval when there is one: `2.13 (1.98 to 2.30)`."""
    if value is None or not math.isfinite(value):
        return MISSING
    decimals = _ratio_decimals(value)
    text = f"{value:,.{decimals}f}"
    if low is None or high is None:
        return text
    return f"{text} ({low:,.{decimals}f} to {high:,.{decimals}f})"


def _ratio_decimals(value: float) -> int:
    """Hundredths around one; further off so many that the interval's ends stay apart."""
    steps = ((10, 1), (0.3, 2), (0.03, 3))
    return next((decimals for least, decimals in steps if abs(value) >= least), 4)


def plural(count: int, noun: str) -> str:
    """`1 worker`, `4 workers`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
