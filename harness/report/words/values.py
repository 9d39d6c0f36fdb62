"""Values as text, in their metric's unit."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from harness import units
from harness.judge.metrics import quantile_label
from harness.judge.verdicts import PairVerdict
from harness.report.figures import Value

Form = Callable[[float | None], str]


def _requests(value: float | None) -> str:
    """So many, or the mean of such counts: a whole number has no decimals."""
    return f"{value:,.0f}" if value is not None and value.is_integer() else units.number(value)


FORMS: Mapping[str, Form] = {
    "1/s": units.rps,
    "us": units.duration_us,
    "s": units.seconds,
    "B": units.bytes_,
    "1": units.percent,
    "ratio": units.ratio,
    "requests": _requests,
}
"""How a value is written, by its unit."""
PLAIN = frozenset({"requests_per_cpu_s", "rps_per_gib", "connections_per_request"})
"""Metrics that are written as numbers alone: they are counts for each of something, not rates in time or shares."""


def form(metric: str, unit: str) -> Form:
    """How values of a metric are written."""
    return units.number if metric in PLAIN else FORMS[unit]


def text(value: Value | None) -> str:
    """A value in its metric's unit, without its interval."""
    if value is None or value.value is None:
        return units.MISSING
    return form(value.metric, value.unit)(value.value)


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
    written = form(value.metric, value.unit)
    return f"{written(value.low)} to {written(value.high)}"


def turned(verdict: PairVerdict) -> str:
    """A ratio with the larger side on top, so never below 1: `8.62 times (8.40 to 8.85)`."""
    ratio, low, high = verdict.ratio, verdict.low, verdict.high
    if ratio and ratio < 1:
        ratio, low, high = 1 / ratio, 1 / high if high else None, 1 / low if low else None
    whole = units.ratio(ratio, low, high)
    point, _, interval_ = whole.partition(" ")
    return f"{point} times {interval_}".rstrip()


def times(x: float) -> str:
    """A tick of a ratio axis."""
    return f"{x:.3g}{units.TIMES}"


def percentile(metric: str) -> str:
    """`p99` of the metric latency_p99_us."""
    return quantile_label(metric.removeprefix("saturated_").removeprefix("latency_").removesuffix("_us"))
