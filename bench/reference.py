"""Make a run one that README and docs quote: `python bench/reference.py RUN`. Without RUN all are drawn anew.

The records of RUN are copied to results/reference-SUITE/, with paths relative to the checkout, and the report there is
drawn from them. Between marks in README.md go the table and some charts of results/reference-quick/ and the answer of
results/reference-tune/; between marks in docs/FINDINGS.md go figures of any suite. The repository keeps all charts of
the suite `full`, and of another suite those that its documents show; `gatebench report` draws them all, and .gitignore
names those that the repository keeps. What else it draws is what is committed, byte for byte.
"""

import argparse
import html
import re
import shutil
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from bench import findings
from harness import record
from harness.report.build import build
from harness.report.charts import charts
from harness.report.figures import Study, study
from harness.report.markdown import summary
from harness.tune import recommendation
from harness.tune.explain import shell

ROOT = Path(__file__).resolve().parent.parent
QUOTED, TUNED = Path("results/reference-quick"), Path("results/reference-tune")
SHOWN = {
    "quick": ("forest", "throughput-external-data", "factors"),
    "sweep": ("connections-external-data",),
    "tune": ("tune-candidates",),
}
"""Charts that README and docs show, by suite."""
WHOLE = "full"
"""The suite of which all charts are kept."""
RECORDS = (record.INFO, record.TRIALS, recommendation.FILE)


def adopt(run: Path) -> Path:
    """Copy the records of `run` and draw its report there."""
    suite = record.read(run).info.plan.suite
    folder = ROOT / "results" / f"reference-{suite}"
    if run.resolve() != folder:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for name in RECORDS:
            if not (run / name).exists():
                continue
            text = (run / name).read_text(encoding="utf-8")
            (folder / name).write_text(text.replace(f"{ROOT}/", "").replace(str(ROOT), "."), encoding="utf-8")
    build(study(folder), folder)
    if suite != WHOLE:
        prune(folder / "charts", SHOWN.get(suite, ()))
    return folder


def prune(folder: Path, shown: Collection[str]) -> None:
    """Remove the charts that are not `shown`, and the folder when none is left."""
    for picture in folder.iterdir():
        if picture.stem.removesuffix("-dark") not in shown:
            picture.unlink()
    if not any(folder.iterdir()):
        folder.rmdir()


def quotation(folder: Path = QUOTED) -> str:
    """Table and charts of the reference run, as README shows them."""
    opened = study(ROOT / folder)
    info = opened.run.info
    _, _, says = summary(opened).partition("\n\n")
    source = f"`gatebench run {info.plan.suite}` on {info.started:.10}, as it came out ([its folder]({folder})):"
    return "\n\n".join([source, says.strip(), *_pictures(folder, opened)])


def advice(folder: Path = TUNED) -> str:
    """What the reference tuning recommends, as README shows it."""
    opened = study(ROOT / folder)
    tuning = opened.tuned
    if tuning is None:
        raise ValueError(f"{folder} is no tuning")
    source = f"The first of these, as it came out on {opened.run.info.started:.10} ([its folder]({folder})):"
    return "\n\n".join([source, f"> {tuning.explanation}", f"`{shell(tuning.command)}`", *_pictures(folder, opened)])


def _pictures(folder: Path, opened: Study) -> Iterator[str]:
    drawn = {chart.name: chart for chart in charts(opened)}
    for name in SHOWN[opened.run.info.plan.suite]:
        if name in drawn:
            yield (
                f'<picture><source media="(prefers-color-scheme: dark)" srcset="{folder}/charts/{name}-dark.png">'
                f'<img alt="{html.escape(drawn[name].title)}" src="{folder}/charts/{name}.png"></picture>'
            )


def splice(text: str) -> str:
    """The text of README with the quotations between their marks."""
    return _put(_put(text, "reference", quotation), "tune", advice)


def _put(text: str, mark: str, quoted: Callable[[], str]) -> str:
    between = re.compile(f"(?<=<!-- {mark}:begin -->\n).*?(?=<!-- {mark}:end -->)", re.DOTALL)
    return between.sub(lambda _: f"{quoted()}\n", text)


def main() -> None:
    """Adopt the run that the command line names, or all that are there, drawn anew; then quote."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", nargs="?", type=Path, metavar="RUN", help="folder of a finished run")
    run = parser.parse_args().run
    for each in [run] if run is not None else sorted((ROOT / "results").glob("reference-*")):
        print(adopt(each).relative_to(ROOT))
    readme = ROOT / "README.md"
    readme.write_text(splice(readme.read_text(encoding="utf-8")), encoding="utf-8")
    findings.PAGE.write_text(findings.splice(findings.PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
