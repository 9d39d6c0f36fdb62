"""Verdicts within a run and between runs; pure: records in, values out."""

from harness.compare.blocks import Trials, refuse
from harness.compare.export import as_json
from harness.compare.gate import regressions
from harness.compare.progress import Forecast, enough, forecast, progress
from harness.compare.runs import between
from harness.compare.single import within

__all__ = [
    "Forecast",
    "Trials",
    "as_json",
    "between",
    "enough",
    "forecast",
    "progress",
    "refuse",
    "regressions",
    "within",
]
