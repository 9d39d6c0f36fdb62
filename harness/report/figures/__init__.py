"""The one model of a run: every number that any report prints, each once, under a key of its own."""

from harness.report.figures.model import Study
from harness.report.figures.reading import study
from harness.report.figures.value import Value, rows

__all__ = ["Study", "Value", "rows", "study"]
