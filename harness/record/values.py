"""What the figures of the records may be, whatever they are of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field

from harness.spec.histogram import Histogram
from harness.strict import STRICT

ROW = STRICT | ConfigDict(ser_json_inf_nan="constants")
"""A number that is not finite is written as NaN, which no reader takes; as null it would read as not known."""

MOST = 1e15
"""No figure of a trial is higher, in whatever unit: a byte count of a petabyte, thirty years in microseconds."""
NonNegative = Annotated[float, Field(ge=0, le=MOST, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0, le=int(MOST))]
Signed = Annotated[int, Field(ge=-int(MOST), le=int(MOST))]
Share = Annotated[float, Field(ge=0, le=1)]


def _decodable(text: str) -> str:
    """`text`, which is a histogram; raises `ValueError` where it is none, so that no report ends in it."""
    Histogram.decode(text)
    return text


EncodedHistogram = Annotated[str, AfterValidator(_decodable)]
"""HdrHistogram V2 in base64."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Percentiles in microseconds; None where the samples do not reach (a percentile q needs 10 / (1 - q))."""

    __pydantic_config__ = ROW

    p50: NonNegative | None
    p90: NonNegative | None
    p95: NonNegative | None
    p99: NonNegative | None
    p99_9: NonNegative | None
    max: NonNegative | None
    mean: NonNegative | None
