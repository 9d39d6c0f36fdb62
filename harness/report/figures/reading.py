"""The one place of the report that reads and analyses a run."""

from __future__ import annotations

from pathlib import Path

from harness import record
from harness.judge.compare import within
from harness.report.figures.model import Study
from harness.tune.recommendation import FILE, Recommendation, load


def study(folder: Path) -> Study:
    """The run in `folder`: its records, what they show, and what tune found if it is a tuning.

    Raises `RecordError` when something cannot be read or cannot be true.
    """
    run = record.read(folder)
    return Study(run, within(run), _tuned(folder))


def _tuned(folder: Path) -> Recommendation | None:
    path = folder / FILE
    return load(path.read_bytes(), str(path)) if path.is_file() else None
