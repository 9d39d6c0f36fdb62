"""A run in, its report out: summary.csv, summary.md, charts/ and report.html."""

from __future__ import annotations

from pathlib import Path

from harness.report.charts import charts
from harness.report.drawing import draw
from harness.report.figures import Study
from harness.report.markdown import summary
from harness.report.page import report


def build(study: Study, folder: Path) -> Path:
    """Write the report of `study` into `folder`; returns the path of report.html."""
    study.frame.to_csv(folder / "summary.csv", index=False)
    (folder / "summary.md").write_text(summary(study), encoding="utf-8")
    page = folder / "report.html"
    page.write_text(report(study, draw(list(charts(study)), folder / "charts")), encoding="utf-8")
    return page
