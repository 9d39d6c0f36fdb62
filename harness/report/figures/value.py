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
FIGURES = ("rate_rps", "value", "low", "high")
"""The fields that hold figures; the other numbers are counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """One number with its interval."""

    kind: str
    """pair (value is b / a), arm, request (of a mix, on an arm), effect, noise (of an A/A pair); of a tuning candidate
    or capacity; of a disturbance episode (an arm at a strength), break or contrast (b against a at a strength)."""
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
    names = [item.name for item in fields(Value)]
    place = names.index("levels")
    before, after = names[:place], names[place + 1 :]
    lines = io.StringIO()
    writer = csv.writer(lines, lineterminator="\n")
    writer.writerow([*before, *factors, *after])
    for value in values:
        levels = [value.levels.get(factor) for factor in factors]
        cells = [*(_cell(value, name) for name in before), *levels, *(_cell(value, name) for name in after)]
        writer.writerow(cells)
    return lines.getvalue()


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


def _cell(value: Value, name: str) -> object:
    """What stands in a field: a figure always as a float, and nothing where there is none."""
    cell = getattr(value, name)
    if name in FIGURES and cell is not None:
        return "" if math.isnan(cell) else float(cell)
    return cell


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
