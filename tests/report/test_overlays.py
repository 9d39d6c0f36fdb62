"""The charts of several runs: what is laid over what, who is left out, and how runs are told apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from typer.testing import CliRunner

from harness.cli import app
from harness.errors import UndecidedError, UsageError
from harness.judge.compare import between
from harness.record import Run
from harness.report import style
from harness.report.charts.base import Chart
from harness.report.comparing import MOST, compare_page
from harness.report.drawing import draw
from harness.report.figures import Study, Value
from harness.report.overlays import Several, overlays
from tests.report import report_support as support
from tests.report.report_pairs import quick_pairs, sweep_pairs, worker_pairs

FASTER = [replace(pair, b=replace(pair.b, rps=pair.b.rps * 1.5)) for pair in quick_pairs()]


@cache
def study(kind: str) -> Study:
    """A run of one of these kinds."""
    runs = {
        "quick": lambda: support.run(name="first"),
        "again": lambda: support.run(seed=5, name="second"),
        "faster": lambda: support.run(FASTER, seed=7, name="third"),
        "closed": lambda: support.run(phases=("closed",), seed=3, name="closed"),
        "moved": lambda: support.run(quick_pairs()[::-1], seed=8, name="moved"),
        "one-worker": lambda: support.run(quick_pairs()[:3], seed=4, name="one-worker"),
        "workers": lambda: support.run(worker_pairs(), phases=("closed",), name="workers"),
        "sweep": lambda: support.run(sweep_pairs(), phases=("closed",), name="sweep"),
        "sweep-again": lambda: support.run(sweep_pairs(), phases=("closed",), seed=6, name="sweep-again"),
    }
    return support.study_of(runs[kind]())


def charts_of(*kinds: str) -> dict[str, Chart]:
    """The charts of such runs by name."""
    return {chart.name: chart for chart in overlays(Several(tuple(map(study, kinds))))}


def values(row: Sequence[object]) -> list[bool]:
    """Which runs have a value in a row."""
    return [isinstance(cell, Value) for cell in row[1:]]


def test_there_is_every_chart_that_two_runs_have_the_data_for() -> None:
    """Ratios, factors, workers and percentiles of two runs of quick; loads of two sweeps."""
    quick = charts_of("quick", "again")
    assert {"ratios", "factors", "workers", "latency-json", "latency-external-data"} <= quick.keys()
    assert not [name for name in quick if name.startswith(("connections", "rates"))]
    assert {"connections-external-data", "rates-external-data"} <= charts_of("sweep", "sweep-again").keys()


def test_a_chart_needs_two_runs_that_have_it() -> None:
    """Of a run with and a run without an open load there is no chart of percentiles; the others stay."""
    charts = charts_of("quick", "closed")
    assert "ratios" in charts
    assert not [name for name in charts if name.startswith("latency")]


def test_a_run_without_a_curve_is_left_out_of_its_chart() -> None:
    """Its column is there and says that it has nothing."""
    chart = charts_of("quick", "closed", "again")["latency-json"]
    assert chart.columns == ("figure", "first", "closed", "second")
    assert {tuple(values(row)) for row in chart.rows} == {(True, False, True)}
    assert "workers" in charts_of("quick", "again", "one-worker")
    assert {values(row)[2] for row in charts_of("quick", "again", "one-worker")["workers"].rows} == {False}
    assert "workers" not in charts_of("quick", "one-worker")


def test_curves_are_matched_by_what_they_are_of_not_by_their_number() -> None:
    """A suite in another order gives the same rows, every one with both values."""
    for name in ("ratios", "workers", "latency-external-data"):
        moved, again = charts_of("quick", "moved")[name], charts_of("quick", "again")[name]
        assert [row[0] for row in moved.rows] == [row[0] for row in again.rows]
        assert all(all(values(row)) for row in moved.rows)


def test_a_title_says_how_many_figures_lie_apart_and_which_the_most() -> None:
    """Of the first run and the last; of equals none."""
    assert charts_of("quick", "again")["ratios"].title == ("Pairs: of 6 figures none differs beyond the 95 % intervals")
    title = charts_of("quick", "again", "faster")["ratios"].title
    assert title.startswith("Pairs: 6 of 6 figures differ beyond their 95 % intervals, the most ")
    assert ", then " in title


def test_every_run_has_a_colour_in_either_theme_and_a_marker() -> None:
    """No two alike, none that a theme has for something else; a page follows its own theme."""
    looks = style.RUNS
    assert len({look.light for look in looks} | {look.dark for look in looks}) == 2 * len(looks)
    assert len({look.marker for look in looks}) == len(looks)
    assert not {look.light for look in looks} & {*style.properties(style.LIGHT).values()}
    charts = charts_of("quick", "again", "faster")
    (drawn,) = draw([charts["workers"]], png=False)
    for number, look in enumerate(looks[:3]):
        assert look.light in drawn.files["workers.svg"].decode()
        assert look.dark in drawn.files["workers-dark.svg"].decode()
        assert f"var(--c-run-{number})" in drawn.svg
    assert not [name for name in drawn.files if name.endswith(".png")]
    for name in ("first", "second", "third"):
        assert f">{name}<" in drawn.svg
        assert f'aria-label="{name}: external-data' in drawn.svg


def test_runs_of_one_name_are_numbered() -> None:
    """So that they can be told apart."""
    assert Several((study("quick"), study("quick"))).names == ("first (1)", "first (2)")


def test_the_page_of_three_runs_has_a_column_for_each(tmp_path: Path) -> None:
    """Verdicts of the last against the first, and a warning where one was measured elsewhere."""
    kinds = ("quick", "again", "faster")
    studies = [study(kind) for kind in kinds]
    middle = studies[1].run
    elsewhere = replace(middle, info=replace(middle.info, environment={**middle.info.environment, "cpu": "Other"}))
    studies[1] = support.study_of(elsewhere)
    page = compare_page(studies, between(studies[0].run, studies[2].run), tmp_path / "page.html")
    html = page.read_text(encoding="utf-8")
    for said in ("6 better", '<th scope="col">run 2</th>', "last / first", "gatebench compare first second third"):
        assert said in html
    assert "Not all runs were measured on one machine (cpu" in html
    assert 'id="latency-json"' in html
    assert "--c-run-2:" in html


def written(names: Sequence[str], results: Path) -> list[str]:
    """Small runs of these names, on the command line."""
    pairs = quick_pairs()[:1]
    for number, name in enumerate(names):
        run: Run = support.run(pairs, phases=("closed",), name=name, seed=number + 1)
        support.written(run, results)
    return [*names, "--results", str(results)]


def test_compare_takes_several_runs(tmp_path: Path) -> None:
    """And writes one page, named after the first and the last."""
    done = CliRunner().invoke(app, ["compare", *written(["one", "two", "three"], tmp_path)])
    assert done.exit_code == 0, done.output
    (page,) = tmp_path.glob("compare-one-three-*.html")
    assert str(page) in done.output
    assert ">two<" in page.read_text(encoding="utf-8")


def test_the_gate_over_several_runs_is_of_the_last_against_the_first(tmp_path: Path) -> None:
    """The one in between, of another machine here, decides nothing; the last of another machine does."""
    runs = written(["one", "two", "three"], tmp_path)
    for name, error in (("two", None), ("three", UndecidedError)):
        info = tmp_path / name / "run.json"
        info.write_text(info.read_text().replace("Intel(R) Xeon(R)", "Other"))
        done = CliRunner().invoke(app, ["compare", *runs, "--fail-on-regression", "50%"])
        assert error is None or isinstance(done.exception, error)
        assert error is not None or done.exit_code == 0


def test_more_runs_than_there_are_colours_are_refused(tmp_path: Path) -> None:
    """Before any is read."""
    done = CliRunner().invoke(app, ["compare", *(["none"] * (MOST + 1)), "--results", str(tmp_path)])
    assert isinstance(done.exception, UsageError)
    assert f"at most {MOST}" in str(done.exception)


@pytest.mark.parametrize("kinds", [("quick", "again"), ("workers", "workers"), ("sweep", "sweep-again")])
def test_every_chart_can_be_drawn(kinds: tuple[str, ...]) -> None:
    """With a mark for each value of its table."""
    for chart in charts_of(*kinds).values():
        with style.styled() as theme:
            drawing = chart.draw(theme)
        marked = sum(len(marks) for marks in drawing.marks.values())
        assert marked == sum(sum(values(row)) for row in chart.rows)
