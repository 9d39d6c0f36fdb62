"""What github-action-benchmark reads as customBiggerIsBetter and customSmallerIsBetter: a list of figures."""

from __future__ import annotations

import json

from harness import units
from harness.errors import NothingValidError
from harness.judge.metrics import label
from harness.judge.verdicts import PairVerdict
from harness.report.exports.base import Shown


def bigger(shown: Shown) -> str:
    """The ratios of the metrics of which more is better, such as throughput."""
    return _entries(shown, higher_is_better=True)


def smaller(shown: Shown) -> str:
    """The ratios of the metrics of which less is better: latency, CPU, memory."""
    return _entries(shown, higher_is_better=False)


def _entries(shown: Shown, *, higher_is_better: bool) -> str:
    """JSON: a list of `name`, `unit`, `value`, `range`, `extra`; the value is b / a, of two runs after over before.

    Raises `NothingValidError` where there is none: the action refuses an empty list.
    """
    names = shown.names
    unit = "b / a" if len(shown.runs) == 1 else "after / before"
    entries = [
        {"name": f"{label(verdict.metric)}: {names[verdict.pair]}", "unit": unit, "value": verdict.ratio}
        | ({"range": _range(verdict)} if verdict.low is not None else {})
        | {"extra": f"{verdict.verdict}, {units.plural(verdict.blocks, 'block')}"}
        for verdict in shown.resolved()
        if verdict.higher_is_better is higher_is_better
    ]
    if not entries:
        raise NothingValidError(f"{shown.last.path}: no pair has a ratio of such a metric")
    return json.dumps(entries, indent=2, allow_nan=False, ensure_ascii=False) + "\n"


def _range(verdict: PairVerdict) -> str:
    """The 95 % interval: `0.94 to 1.02`."""
    return units.ratio(verdict.ratio, verdict.low, verdict.high).partition("(")[2].rstrip(")")
