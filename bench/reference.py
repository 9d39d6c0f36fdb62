"""Make a run one that README and docs quote: `python bench/reference.py RUN`; without RUN they are quoted anew.

The records are copied to results/reference-SUITE/, with paths relative to the checkout, and everything else there is
drawn from them; the table and some charts of results/reference-quick/ go between the marks in README, the figures of
any suite between those in docs/FINDINGS.md.
"""

import argparse
import html
import re
import shutil
from pathlib import Path

from bench import findings
from harness import compare, record
from harness.report import build
from harness.report.charts import charts
from harness.report.markdown import summary
from harness.report.study import Study

ROOT = Path(__file__).resolve().parent.parent
QUOTED = Path("results/reference-quick")
SHOWN = ("forest", "throughput-external-data", "factors")
"""Charts that README shows."""
BEGIN, END = "<!-- reference:begin -->", "<!-- reference:end -->"


def adopt(run: Path) -> Path:
    """Copy the records of `run` and draw its report there."""
    folder = ROOT / "results" / f"reference-{record.read(run).info.plan.suite}"
    if run.resolve() != folder:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for name in (record.INFO, record.TRIALS):
            text = (run / name).read_text(encoding="utf-8")
            (folder / name).write_text(text.replace(f"{ROOT}/", "").replace(str(ROOT), "."), encoding="utf-8")
    build(folder)
    return folder


def quotation(folder: Path = QUOTED) -> str:
    """Table and charts of the reference run, as README shows them."""
    run = record.read(ROOT / folder)
    study = Study(run, compare.within(run))
    _, _, answer = summary(study).partition("\n\n")
    drawn = {chart.name: chart for chart in charts(study)}
    pictures = [
        f'<picture><source media="(prefers-color-scheme: dark)" srcset="{folder}/charts/{name}-dark.png">'
        f'<img alt="{html.escape(drawn[name].title)}" src="{folder}/charts/{name}.png"></picture>'
        for name in SHOWN
        if name in drawn
    ]
    says = f"`gatebench run {run.info.plan.suite}` on {run.info.started:.10}, as it came out ([its folder]({folder})):"
    return "\n\n".join([says, answer.strip(), *pictures])


def splice(text: str) -> str:
    """README with the quotation between its marks."""
    between = re.compile(f"(?<={BEGIN}\n).*?(?={END})", re.DOTALL)
    return between.sub(lambda _: f"{quotation()}\n", text)


def main() -> None:
    """Adopt the run that is named, then quote."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", nargs="?", type=Path, metavar="RUN", help="folder of a finished run")
    run = parser.parse_args().run
    if run is not None:
        print(adopt(run).relative_to(ROOT))
    readme = ROOT / "README.md"
    readme.write_text(splice(readme.read_text(encoding="utf-8")), encoding="utf-8")
    findings.PAGE.write_text(findings.splice(findings.PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
