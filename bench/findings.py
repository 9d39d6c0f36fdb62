"""The figures of docs/FINDINGS.md, which stand between marks that say where in a committed run each comes from.

A mark is `<!--full p14 throughput_rps-->…<!--/-->`: the suite, the row's id (a pattern that fits one row), its metric,
as they are in results/reference-SUITE/summary.csv. With `1/` before the id a ratio is turned round: a over b, so that a
sentence can put the winner first.
"""

from __future__ import annotations

import csv
import re
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

from harness import units
from harness.report.words import form

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "FINDINGS.md"
MARK = re.compile(r"<!--(?P<suite>[\w-]+) (?P<id>\S+) (?P<metric>\w+)-->.*?<!--/-->", re.DOTALL)
NOT_YET = "not measured yet"
"""Stands for the figures of a run that is not there."""
Row = dict[str, str]


@cache
def rows(suite: str) -> tuple[Row, ...]:
    """The tidy summary of a reference run."""
    with (ROOT / "results" / f"reference-{suite}" / "summary.csv").open(encoding="utf-8", newline="") as file:
        return tuple(csv.DictReader(file))


def figure(suite: str, pattern: str, metric: str) -> str:
    """That row's value as text, a ratio with its interval, turned round after `1/`; of the closed phase if both fit.

    Raises `ValueError` unless one row fits.
    """
    identity = pattern.removeprefix("1/")
    fit = [row for row in rows(suite) if row["metric"] == metric and fnmatchcase(row["id"], identity)]
    if len(fit) > 1:
        fit = [row for row in fit if row["load"] == "closed"]
    if len(fit) != 1 or not fit[0]["value"]:
        raise ValueError(f"{suite} {pattern} {metric}: {len(fit)} rows fit, or it has no value")
    (row,) = fit
    if row["unit"] == "ratio":
        ratio, low, high = (float(row[end]) for end in ("value", "low", "high"))
        return units.ratio(1 / ratio, 1 / high, 1 / low) if pattern != identity else units.ratio(ratio, low, high)
    if pattern != identity:
        raise ValueError(f"{suite} {pattern} {metric}: only a ratio can be turned round")
    return form(metric, row["unit"])(float(row["value"]))


def splice(text: str) -> str:
    """The page with each figure as its run has it."""

    def fresh(mark: re.Match[str]) -> str:
        opening, _, _ = mark[0].partition("-->")
        if not (ROOT / "results" / f"reference-{mark['suite']}").is_dir():
            return f"{opening}-->{NOT_YET}<!--/-->"
        return f"{opening}-->{figure(mark['suite'], mark['id'], mark['metric'])}<!--/-->"

    return MARK.sub(fresh, text)
