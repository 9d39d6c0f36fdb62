"""Verdicts within a run and between runs; pure: records in, values out."""

from harness.judge.compare.blocks import Trials, refuse
from harness.judge.compare.export import as_json
from harness.judge.compare.gate import gate, regressions
from harness.judge.compare.progress import Forecast, Standing
from harness.judge.compare.runs import between
from harness.judge.compare.single import within

__all__ = [
    "Forecast",
    "Standing",
    "Trials",
    "as_json",
    "between",
    "gate",
    "refuse",
    "regressions",
    "within",
]
