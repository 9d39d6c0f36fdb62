"""A run in, its report out: summary.csv, summary.md, charts/ and report.html."""

from __future__ import annotations

import os
from pathlib import Path

from harness.errors import StorageError
from harness.report.charts import charts
from harness.report.drawing import draw
from harness.report.figures import Study
from harness.report.markdown import summary
from harness.report.page import report


def build(study: Study, folder: Path) -> Path:
    """Write the report of `study` into `folder`; returns the path of report.html, and raises `StorageError`."""
    try:
        return _written(study, folder)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise StorageError(
            f"the report of {folder} cannot be written: {reason}; its records are as they were. Mend that, then: "
            f"gatebench report {folder}"
        ) from error


def _written(study: Study, folder: Path) -> Path:
    study.frame.to_csv(folder / "summary.csv", index=False)
    (folder / "summary.md").write_text(summary(study), encoding="utf-8")
    page = folder / "report.html"
    page.write_text(report(study, draw(list(charts(study)), folder / "charts")), encoding="utf-8")
    return page
