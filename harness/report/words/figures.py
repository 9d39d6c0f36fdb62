"""Values as text, in their metric's unit."""

from __future__ import annotations

from harness import units
from harness.report.metrics import form
from harness.report.values import Value


def text(value: Value | None) -> str:
    """A value in its metric's unit, without its interval."""
    if value is None or value.value is None:
        return units.MISSING
    return units.ratio(value.value) if value.unit == "ratio" else form(value.metric)(value.value)


def interval(value: Value | None) -> str:
    """A value with its interval, in its metric's unit."""
    if value is None or value.value is None or value.low is None or value.high is None:
        return text(value)
    if value.unit == "ratio":
        return units.ratio(value.value, value.low, value.high)
    return f"{text(value)} ({ends(value)})"


def ends(value: Value | None) -> str:
    """The interval of a value alone; empty where there is none."""
    if value is None or value.low is None or value.high is None:
        return ""
    if value.unit == "ratio":
        return units.ratio(value.value, value.low, value.high).partition("(")[2].rstrip(")")
    shown_as = form(value.metric)
    return f"{shown_as(value.low)} to {shown_as(value.high)}"
