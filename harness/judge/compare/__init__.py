"""Verdicts within a run and between runs; pure: records in, values out."""

from harness.judge.compare.blocks import Trials, refuse
from harness.judge.compare.export import as_json
from harness.judge.compare.gate import gate, regressions
from harness.judge.compare.progress import Forecast, enough, forecast, progress
from harness.judge.compare.runs import between
from harness.judge.compare.single import within

__all__ = [
    "Forecast",
    "Trials",
    "as_json",
    "between",
    "enough",
    "forecast",
    "gate",
    "progress",
    "refuse",
    "regressions",
    "within",
]
