"""A run in, its report out: summary.csv, summary.md, charts/ and report.html."""

from __future__ import annotations

from pathlib import Path

from harness.record import durable
from harness.report.charts import charts
from harness.report.drawing import draw, keep
from harness.report.figures import Study
from harness.report.markdown import summary
from harness.report.page import report


def build(study: Study, folder: Path) -> Path:
    """Write the report of `study` into `folder`; returns the path of report.html.

    All of it is made before any of it is written: a report that cannot be drawn leaves the one that was there. Raises
    `StorageError` where it cannot be written.
    """
    drawn = draw(list(charts(study)))
    files = {
        "summary.csv": study.table,
        "summary.md": summary(study),
        "report.html": report(study, drawn),
    }
    with durable.explained(folder, f"gatebench report {folder}"):
        keep(drawn, folder / "charts")
        for name, text in files.items():
            durable.replace(folder / name, text.encode())
    return folder / "report.html"
