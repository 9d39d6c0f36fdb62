"""Every number that is printed, as a row of summary.csv."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields

from harness.judge.statistics import estimate, ratio_of
from harness.suite import Level

Figures = tuple[float | None, float | None, float | None]
"""A value, and the ends of its 95 % interval."""
NOTHING: Figures = (None, None, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """One number with its interval."""

    kind: str
    """pair (value is b / a), arm, request (of a mix, on an arm), effect, noise (of an A/A pair); of a tuning candidate
    or capacity; of a disturbance episode (an arm at a strength), break, held (what one costs), deploy, or contrast (b
    against a at a strength)."""
    id: str
    scenario: str = ""
    request: str | None = None
    """The request of a mix that it is about."""
    interface: str | None = None
    target: str | None = None
    server: str | None = None
    levels: dict[str, Level] = field(default_factory=dict)
    """By factor: in summary.csv a column each."""
    connections: int | None = None
    load: str = ""
    rate_rps: float | None = None
    a: str | None = None
    b: str | None = None
    metric: str
    unit: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    blocks: int = 0
    blocks_measured: int = 0
    verdict: str | None = None
    limit: str | None = None
    reasons: str | None = None

    @property
    def key(self) -> str:
        """Unique in the run."""
        return f"{self.kind}/{self.id}/{self.metric}/{self.load}"


def table(values: Iterable[Value], factors: Sequence[str]) -> str:
    """Values as CSV, with a column for each of `factors`; a field is empty where there is nothing."""
    import pandas as pd  # noqa: PLC0415 - half a second, which whoever draws no report need not spend

    names = [item.name for item in fields(Value)]
    place = names.index("levels")
    columns = [*names[:place], *factors, *names[place + 1 :]]
    rows_ = [{name: getattr(each, name) for name in names if name != "levels"} | each.levels for each in values]
    whole = [name for name in ("workers", "threads", "connections", "blocks", "blocks_measured") if name in columns]
    text: str = pd.DataFrame(rows_, columns=columns).astype(dict.fromkeys(whole, "Int64")).to_csv(index=False)
    return text


def rows(text: str) -> list[dict[str, str]]:
    """The rows of a table as `table` writes it, each field as text; raises `ValueError` where it is none."""
    reader = csv.DictReader(io.StringIO(text, newline=""), restval="")
    try:
        read = list(reader)
    except csv.Error as error:
        raise ValueError(f"no table: {error}") from error
    missing = {item.name for item in fields(Value)} - {"levels"} - {*(reader.fieldnames or ())}
    if missing:
        raise ValueError(f"no column {', '.join(sorted(missing))}")
    return read


def average(values: Sequence[float], *, logarithmic: bool = True) -> Figures:
    """Mean over blocks with its t interval, on the log scale if `logarithmic`; a single block has no interval."""
    if not values or (logarithmic and min(values) <= 0):
        return NOTHING
    estimated = estimate([math.log(value) for value in values] if logarithmic else values)
    back = ratio_of if logarithmic else float
    if len(values) == 1:
        return back(estimated.mean), None, None
    low, high = estimated.interval()
    return back(estimated.mean), back(low), back(high)
