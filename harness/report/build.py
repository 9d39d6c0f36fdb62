"""A run's folder in, its report out: summary.csv, summary.md, charts/ and report.html, from nothing but the folder."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from harness import compare, record
from harness.report import style
from harness.report.charts import charts
from harness.report.embed import Embedded, embed
from harness.report.markdown import summary
from harness.report.page import report
from harness.report.study import Study

if TYPE_CHECKING:
    from pathlib import Path

    from harness.report.charts.base import Chart


def build(run_path: Path) -> Path:
    """Write the report of a run into its folder; gives the path of report.html."""
    run = record.read(run_path)
    return write(Study(run, compare.within(run)), run_path)


def write(study: Study, folder: Path) -> Path:
    """Write the report of `study` into `folder`."""
    study.frame.to_csv(folder / "summary.csv", index=False)
    (folder / "summary.md").write_text(summary(study), encoding="utf-8")
    drawn = draw(study, folder / "charts")
    page = folder / "report.html"
    page.write_text(report(study, drawn), encoding="utf-8")
    return page


def draw(study: Study, folder: Path) -> list[tuple[Chart, Embedded]]:
    """Draw every chart into `folder`, in place of what an earlier report left there."""
    folder.mkdir(exist_ok=True)
    for old in (*folder.glob("*.svg"), *folder.glob("*.png")):
        old.unlink()
    done = []
    for chart in charts(study):
        stem = folder / re.sub(r"[^a-zA-Z0-9-]+", "-", chart.name)[:80]
        with style.styled(style.LIGHT) as theme:
            drawing = chart.draw(theme)
            light = style.svg(drawing.figure)
            stem.with_suffix(".png").write_bytes(style.png(drawing.figure))
        stem.with_suffix(".svg").write_text(light, encoding="utf-8")
        stem.with_name(f"{stem.name}-dark.svg").write_text(style.dark(light), encoding="utf-8")
        with style.styled(style.DARK) as theme:
            stem.with_name(f"{stem.name}-dark.png").write_bytes(style.png(chart.draw(theme).figure))
        done.append((chart, embed(chart.name, drawing, light)))
    return done
