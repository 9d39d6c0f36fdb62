"""Numbers as people read them: the one place where a value becomes text.

Three significant digits, because no interval here is narrower than that; a thin space between number and unit.
"""

from __future__ import annotations

import math

MISSING = "–"
"""What stands where there is no number: never a zero."""

THIN = "\u202f"
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
    if value is None or abs(value) < 1e3:
        return _with(value, "µs")
    return _with(value / 1e3, "ms") if abs(value) < 1e6 else _with(value / 1e6, "s")


def seconds(value: float | None) -> str:
    """A duration in seconds, down to microseconds."""
    return duration_us(None if value is None else value * 1e6)


def clock(value: float) -> str:
    """A length of time that a person waits: 45 s, 8 min 40 s, 1 h 05 min."""
    whole = round(value)
    if whole < 60:  # noqa: PLR2004 - seconds of a minute
        return f"{whole}{THIN}s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:  # noqa: PLR2004 - minutes of an hour
        return f"{minutes}{THIN}min {rest:02d}{THIN}s"
    return f"{minutes // 60}{THIN}h {minutes % 60:02d}{THIN}min"


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
    return f"{value:.1f}{THIN}%" if abs(value) < 9.95 else f"{value:.0f}{THIN}%"  # noqa: PLR2004 - where 10.0 begins


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
