"""Bencher Metric Format: a benchmark a pair, a measure a metric (bencher.dev/docs/reference/bencher-metric-format)."""

from __future__ import annotations

import json

from harness.judge.verdicts import PairVerdict
from harness.report.exports.base import Shown


def bmf(shown: Shown) -> str:
    """JSON: name of the pair -> measure -> `value`, `lower_value`, `upper_value`.

    The measure `METRIC_ratio` is b / a with its 95 % interval, of two runs after over before. It is what can be
    followed from machine to machine. Beside it stands, of one run, what b reached, under the metric's own name and in
    its unit. Raises `NothingValidError` where no pair has a ratio.
    """
    benchmarks: dict[str, dict[str, dict[str, float]]] = {}
    names = shown.names
    for verdict in shown.resolved():
        measures = benchmarks.setdefault(names[verdict.pair], {})
        measures[f"{verdict.metric}_ratio"] = _ratio(verdict)
        if verdict.b_value is not None:
            measures[verdict.metric] = {"value": verdict.b_value}
    return json.dumps(benchmarks, indent=2, allow_nan=False, ensure_ascii=False) + "\n"


def _ratio(verdict: PairVerdict) -> dict[str, float]:
    ends = {"value": verdict.ratio, "lower_value": verdict.low, "upper_value": verdict.high}
    return {name: end for name, end in ends.items() if end is not None}
