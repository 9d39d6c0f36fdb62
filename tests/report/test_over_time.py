"""The ratios of a suite's runs over time: which runs are a series, where a change is marked, and what is said of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.record import Run
from harness.record.conditions import first
from harness.report.figures import rows, study
from harness.report.index import index
from harness.report.over_time import Past, Series, over_time
from tests.report import report_support as support
from tests.report.report_pairs import FakePair, hostile_pairs, quick_pairs
from tests.report.test_index import text_of

PAIR = quick_pairs()[0]


def run_of(day: int, factor: float = 1.0, pairs: Sequence[FakePair] = (PAIR,), **info: Any) -> Run:
    """A run of that day, in which b of the first pair serves `factor` times what it usually does."""
    first = replace(pairs[0], b=replace(pairs[0].b, rps=pairs[0].b.rps * factor))
    run = support.run([first, *pairs[1:]], phases=("closed",), name=f"run-{day}", seed=day)
    return replace(run, info=replace(run.info, **{"started": f"2026-11-{day}T07:00:00Z"} | info))


def past(run: Run) -> Past:
    """As the index reads it: its values as text."""
    return Past(run.info, rows(support.study_of(run).table), f"{run.info.run}/report.html")


def series_of(*runs: Run) -> list[Series]:
    """What the index shows of them."""
    return over_time([past(run) for run in runs])


def machine(run: Run, **changes: Any) -> dict[str, Any]:
    """The environment of a run with changes."""
    return {**run.info.environment, **changes}


def test_runs_of_one_suite_on_one_machine_are_a_series_oldest_first() -> None:
    """With a dot a run, whatever the order in which they are found."""
    (series,) = series_of(run_of(22), run_of(20), run_of(21))
    assert [entry.name for entry in series.entries] == ["run-20", "run-21", "run-22"]
    assert [entry.number for entry in series.entries] == [1, 2, 3]
    (line,) = series.lines
    assert line.pair == "json, 1 worker, 64 connections"
    assert [dot.x for dot in line.dots] == [entry.x for entry in series.entries]
    assert all(dot.low is not None and dot.high is not None and dot.high < dot.y < dot.low for dot in line.dots)
    assert (line.steps, series.changed) == ((), 0)


def test_a_change_is_marked_with_what_else_changed_in_that_run() -> None:
    """A fifth less from the third run on; the margin is drawn around the first run and around that one."""
    new: dict[str, Any] = {"versions": {**run_of(20).info.versions, "fastapi": "0.999"}}
    (series,) = series_of(run_of(20), run_of(21), run_of(22, 0.8, **new), run_of(23, 0.8, **new))
    (line,) = series.lines
    (step,) = line.steps
    assert (step.x, step.way) == (series.entries[2].x, "worse")
    assert step.words.startswith("run 3: 0.")
    assert step.words.endswith("times run 1")
    assert [news for news in step.news if "fastapi" in news] == ["fastapi 0.165.0 → 0.999"]
    assert [bool(entry.news) for entry in series.entries] == [False, False, True, False]
    assert len(line.bands) == 2
    assert series.changed == 1


def test_a_new_commit_is_told_and_code_that_changed_without_one() -> None:
    """Of a new commit its code is not told as well."""
    first_run, later = run_of(20), run_of(21)
    sitting = first(first_run.info)
    known = [
        replace(sitting, commits={"shop": "a" * 40}, code={"shop": "1" * 64, "other": "3" * 64}),
        replace(sitting, commits={"shop": "b" * 40}, code={"shop": "2" * 64, "other": "4" * 64}),
    ]
    runs = [
        replace(run, info=replace(run.info, sittings=(sitting,)))
        for run, sitting in zip((first_run, later), known, strict=True)
    ]
    (series,) = series_of(*runs)
    assert series.entries[1].news == ("shop at aaaaaaaaaa → bbbbbbbbbb", "code of other 3333333333 → 4444444444")


def test_runs_of_other_machines_stand_apart() -> None:
    """Each machine has its series; a machine with a single run has none."""
    here = run_of(20)
    other = machine(here, cpu="Other CPU")
    found = series_of(here, run_of(21, environment=other), run_of(22), run_of(23, 0.5, environment=other))
    assert [[entry.name for entry in series.entries] for series in found] == [
        ["run-20", "run-22"],
        ["run-21", "run-23"],
    ]
    assert "Other CPU" in found[1].machine
    assert found[1].lines[0].steps
    assert not found[0].lines[0].steps
    assert series_of(here, run_of(21, environment=other)) == []


def test_what_is_no_series_is_left_out() -> None:
    """Another suite, a tuning, a run on a shared CPU, and runs without a pair in common."""
    here = run_of(20)
    other_suite = run_of(21)
    other_suite = replace(
        other_suite, info=replace(other_suite.info, plan=replace(other_suite.info.plan, suite="other"))
    )
    shared = {"server": (0,), "generator": (0,), "services": (0,)}
    elsewhere = run_of(22, pairs=(replace(PAIR, workers=2),))
    for odd in (other_suite, run_of(21, kind="tune"), run_of(21, placement=shared), elsewhere):
        assert series_of(here, odd) == []


def test_pairs_are_matched_by_what_they_compare() -> None:
    """Though their numbers differ; a pair of a single run is left out, a run without a pair has no dot there."""
    more = (replace(PAIR, workers=2), PAIR)
    (series,) = series_of(run_of(20), run_of(21, pairs=more), run_of(22, pairs=(PAIR,)))
    assert [(line.pair, len(line.dots)) for line in series.lines] == [("json, 1 worker, 64 connections", 3)]
    (series,) = series_of(run_of(20), run_of(21, pairs=more), run_of(22, pairs=more[:1]))
    assert {line.pair: len(line.dots) for line in series.lines} == {
        "json, 1 worker, 64 connections": 2,
        "json, 2 workers, 64 connections": 2,
    }


def test_the_index_shows_the_series(tmp_path: Path) -> None:
    """From the summaries that reports left; a run that has none yet is left out."""
    for run in (run_of(20), run_of(21), run_of(22, 0.7), run_of(23)):
        folder = support.written(run, tmp_path)
        if run.info.run != "run-23":
            (folder / "summary.csv").write_text(study(folder).table, encoding="utf-8")
    page = index(tmp_path)
    text = text_of(page)
    assert "1 pair of 1 changed by more than" in text
    assert "in 3 runs" in text
    html = page.read_text(encoding="utf-8")
    assert html.count('<g class="mark"') == 3
    assert 'class="step worse"' in html


def test_an_index_of_runs_that_share_nothing_has_no_series(tmp_path: Path) -> None:
    """As that of a single run."""
    support.written(run_of(20), tmp_path)
    assert "Over time" not in text_of(index(tmp_path))


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    """In labels, too."""
    for day in (20, 21):
        run = support.run(hostile_pairs(), name=f"run-{day}", suite="</title>&<b>", seed=day)
        folder = support.written(run, tmp_path)
        (folder / "summary.csv").write_text(study(folder).table, encoding="utf-8")
    html = index(tmp_path).read_text(encoding="utf-8")
    assert "Over time" in html
    assert "<img" not in html
    assert "<b>" not in html.replace("<b>gatebench</b>", "")
