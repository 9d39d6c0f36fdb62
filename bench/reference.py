"""Make a run one that README and docs quote: `python bench/reference.py RUN`. Without RUN all are drawn anew.

The records of RUN are copied to results/reference-SUITE/, with paths relative to the checkout, and the report there is
drawn from them; a tuning in a pod goes to results/reference-tune-pod/. Between marks in README.md go the table and some
charts of results/reference-quick/ and the answers of the two tunings; between marks in docs/FINDINGS.md go figures of
any suite, and in docs/EXAMPLES.md the worked examples of bench/worked.py. The repository keeps all charts of the suite
`full`, and of another suite those that its documents show; `gatebench report` draws them all, and .gitignore names
those that the repository keeps. What else it draws is what is committed, byte for byte.
"""

import argparse
import html
import re
import shutil
from collections.abc import Callable, Collection, Iterator
from functools import partial
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
IN_POD = "tune-pod"
"""What a tuning in a pod is kept as, so that it does not take the place of the one without."""
HALF_A_CORE = (
    'gatebench tune --target flask --server gunicorn-gthread --scenario external-data --slo "p99<100ms" --cpus 0.5'
)
SHOWN = {
    "quick": ("forest", "throughput-external-data", "factors"),
    "sweep": ("connections-external-data",),
    "tune": ("tune-candidates",),
    IN_POD: ("tune-candidates",),
    "neighbours": ("neighbours-p1",),
    "deploys": ("deploys",),
    "overload": ("overload-p1",),
    "django": ("forest", "throughput-get-products"),
    "pygeoapi": ("forest", "throughput-get-collections-gauges-items-f-json"),
}
"""Charts that README and docs show, by suite."""
EXAMPLES = ROOT / "docs" / "EXAMPLES.md"
WORKED = ("django", "pygeoapi")
"""The suites that docs/EXAMPLES.md quotes; `bench/worked.py --keep` makes their runs."""
WHOLE = "full"
"""The suite of which all charts are kept."""
RECORDS = (record.INFO, record.TRIALS, record.EPISODES, recommendation.FILE)


def adopt(run: Path, root: Path = ROOT, results: Path = ROOT / "results") -> Path:
    """Copy the records of `run` to a folder in `results`, with paths relative to `root`, and draw its report there."""
    suite = kept_as(record.read(run).info)
    folder = results.resolve() / f"reference-{suite}"
    if run.resolve() != folder:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name in RECORDS:
            if not (run / name).exists():
                continue
            text = (run / name).read_text(encoding="utf-8")
            (folder / name).write_text(text.replace(f"{root}/", "").replace(str(root), "."), encoding="utf-8")
    build(study(folder), folder)
    if suite != WHOLE:
        prune(folder / "charts", SHOWN.get(suite, ()))
    return folder


def kept_as(info: record.RunInfo) -> str:
    """The name that a run is kept by: that of its suite, or IN_POD."""
    pods = (arm.cell.pod for group in info.plan.groups for arm in group.arms)
    return IN_POD if info.kind == "tune" and any(pods) else info.plan.suite


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
    suite = opened.run.info.plan.suite
    return _quoted(opened, f"gatebench run {suite}", folder)


def worked(suite: str) -> str:
    """The same of a worked example, as a page in docs/ shows it; where it has not been measured, what measures it."""
    folder = Path("results", f"reference-{suite}")
    if not (ROOT / folder / record.INFO).is_file():
        return (
            f"Not measured yet: `.venv/bin/python bench/worked.py {suite} --keep results` measures it and puts it here."
        )
    return _quoted(study(ROOT / folder), f"gatebench run {suite}.toml", Path("..", folder), "svg")


def _quoted(opened: Study, call: str, folder: Path, kind: str = "png") -> str:
    """What `call` showed, with pictures of that kind; `folder` as the page names it."""
    _, _, says = summary(opened).partition("\n\n")
    source = f"`{call}` on {opened.run.info.started:.10}, as it came out ([its folder]({folder})):"
    return "\n\n".join([source, says.strip(), *_pictures(folder, opened, kind)])


def advice(folder: Path = TUNED, said: str = "The first of these, as it came out") -> str:
    """What the reference tuning recommends, as README shows it."""
    opened = study(ROOT / folder)
    tuning = opened.tuned
    if tuning is None:
        raise ValueError(f"{folder} is no tuning")
    source = f"{said} on {opened.run.info.started:.10} ([its folder]({folder})):"
    return "\n\n".join([source, f"> {tuning.explanation}", f"`{shell(tuning.command)}`", *_pictures(folder, opened)])


def in_pod() -> str:
    """The same of the tuning in half a core; where it has not been measured, what measures it."""
    folder = Path("results", f"reference-{IN_POD}")
    if not (ROOT / folder / record.INFO).is_file():
        return f"Not measured yet: `{HALF_A_CORE}` measures it, and `make reference RUN=results/…` puts it here."
    return advice(folder, "The same in half a core, `--cpus 0.5`, as it came out")


def _pictures(folder: Path, opened: Study, kind: str = "png") -> Iterator[str]:
    drawn = {chart.name: chart for chart in charts(opened)}
    for name in SHOWN[kept_as(opened.run.info)]:
        if name in drawn:
            yield (
                f'<picture><source media="(prefers-color-scheme: dark)" srcset="{folder}/charts/{name}-dark.{kind}">'
                f'<img alt="{html.escape(drawn[name].title)}" src="{folder}/charts/{name}.{kind}"></picture>'
            )


def splice(text: str) -> str:
    """The text of README with the quotations between their marks."""
    for mark, quoted in (("reference", quotation), ("tune", advice), (IN_POD, in_pod)):
        text = _put(text, mark, quoted)
    return text


def splice_examples(text: str) -> str:
    """The text of docs/EXAMPLES.md with each example between its marks."""
    for suite in WORKED:
        text = _put(text, suite, partial(worked, suite))
    return text


def quote() -> None:
    """Write README, FINDINGS and EXAMPLES with what the committed runs show."""
    for page, spliced in ((ROOT / "README.md", splice), (findings.PAGE, findings.splice), (EXAMPLES, splice_examples)):
        page.write_text(spliced(page.read_text(encoding="utf-8")), encoding="utf-8")


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
    quote()


if __name__ == "__main__":
    main()
