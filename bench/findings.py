"""The figures of docs/FINDINGS.md: each stands between marks that name its place in a committed run.

A mark is `<!--full p14 throughput_rps-->…<!--/-->`: a suite, the id of a row (or a pattern that fits one row), and a
metric, as they stand in results/reference-SUITE/summary.csv.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

from harness import units

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "FINDINGS.md"
MARK = re.compile(r"<!--(?P<suite>[\w-]+) (?P<id>\S+) (?P<metric>\w+)-->.*?<!--/-->", re.DOTALL)
Row = dict[str, str]
_WRITTEN: dict[str, Callable[[float], str]] = {
    "1/s": units.rps,
    "us": units.duration_us,
    "s": units.seconds,
    "B": units.bytes_,
}


@cache
def rows(suite: str) -> tuple[Row, ...]:
    """The rows of a reference run's summary.csv."""
    with (ROOT / "results" / f"reference-{suite}" / "summary.csv").open(encoding="utf-8", newline="") as file:
        return tuple(csv.DictReader(file))


def figure(suite: str, pattern: str, metric: str) -> str:
    """The value of the row as text, a ratio with its interval; of both phases, the closed one's.

    Raises `ValueError` unless exactly one row fits and has a value.
    """
    fit = [row for row in rows(suite) if row["metric"] == metric and fnmatchcase(row["id"], pattern)]
    if len(fit) > 1:
        fit = [row for row in fit if row["load"] == "closed"]
    if len(fit) != 1 or not fit[0]["value"]:
        raise ValueError(f"{suite} {pattern} {metric}: {len(fit)} rows fit, or it has no value")
    (row,) = fit
    if row["unit"] == "ratio":
        return units.ratio(float(row["value"]), float(row["low"]), float(row["high"]))
    return _WRITTEN.get(row["unit"], units.number)(float(row["value"]))


def splice(text: str) -> str:
    """The page with each figure as it stands in its run."""

    def fresh(mark: re.Match[str]) -> str:
        opening, _, _ = mark[0].partition("-->")
        return f"{opening}-->{figure(mark['suite'], mark['id'], mark['metric'])}<!--/-->"

    return MARK.sub(fresh, text)
