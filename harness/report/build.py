"""A run's folder in, its report out: summary.csv, summary.md, charts/ and report.html, from nothing but the folder."""

from __future__ import annotations

from pathlib import Path

from harness import record
from harness.judge.compare import within
from harness.report.charts import charts
from harness.report.drawing import draw
from harness.report.markdown import summary
from harness.report.page import report
from harness.report.study import Study
from harness.report.tuned import tuned


def build(run_path: Path) -> Path:
    """Write the report of a run into its folder; gives the path of report.html."""
    run = record.read(run_path)
    return write(Study(run, within(run), tuned(run_path)), run_path)


def write(study: Study, folder: Path) -> Path:
    """Write the report of `study` into `folder`."""
    study.frame.to_csv(folder / "summary.csv", index=False)
    (folder / "summary.md").write_text(summary(study), encoding="utf-8")
    page = folder / "report.html"
    page.write_text(report(study, draw(list(charts(study)), folder / "charts")), encoding="utf-8")
    return page
