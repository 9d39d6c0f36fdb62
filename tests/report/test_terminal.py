"""The summary in a terminal, and the one for a pull request."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from harness.judge import compare
from harness.record import Run, conditions
from harness.report.markdown import summary
from harness.report.terminal import between, terminal
from harness.report.words import text, under
from tests.report import report_support as support
from tests.report.report_pairs import broken_pairs, hostile_pairs, quick_pairs, sweep_pairs


def console(width: int, *, colour: bool = False) -> Console:
    """One whose text can be read again."""
    return Console(file=StringIO(), width=width, force_terminal=colour, color_system="truecolor" if colour else None)


def printed(run: Run, width: int = 140, *, colour: bool = False) -> str:
    """What the terminal shows of a run."""
    on = console(width, colour=colour)
    terminal(support.study_of(run), on)
    assert isinstance(on.file, StringIO)
    return on.file.getvalue()


def test_every_pair_has_its_throughputs_ratio_interval_and_verdict() -> None:
    """In their units."""
    run = support.run()
    study = support.study_of(run)
    table = printed(run)
    for pair in study.pairs:
        for arm in study.sides(pair):
            assert text(study.arm(arm.id, "throughput_rps")) in table
        value = study.pair(pair)
        assert value is not None
        assert text(value) in table
        assert str(value.verdict) in table
    assert "120 of 120 trials valid · servers on 1 core" in table


@pytest.mark.parametrize("width", [60, 80, 100, 120, 140, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    """And the ratio is there in the narrowest."""
    table = printed(support.run(), width)
    assert max(map(len, table.splitlines())) <= width
    assert re.search(r"3\.\d\d", table)


def test_the_table_needs_nothing_that_draws(checkout: Path) -> None:
    """No chart and not matplotlib: a verdict in a terminal is there at once."""
    code = (
        "import sys, harness.report.terminal;"
        "print([name for name in sys.modules if name.startswith(('harness.report.charts', 'matplotlib'))])"
    )
    environment = {**os.environ, "PYTHONPATH": str(checkout)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_there_is_no_colour_where_it_was_not_asked_for() -> None:
    """A pipe gets plain text."""
    assert "\x1b[" not in printed(support.run())
    assert "\x1b[" in printed(support.run(), colour=True)


def test_names_are_no_markup_in_a_terminal() -> None:
    """Nor do they move its cursor."""
    table = printed(support.run(hostile_pairs()), 300)
    assert "[bold]" in table
    assert "\x07" not in table
    assert "\u202e" not in table


def test_terminal_and_summary_say_that_a_run_went_on_under_other_conditions() -> None:
    """What changed, and from which block on."""
    run = support.run()
    first = conditions.first(run.info)
    other = replace(first, environment=first.environment | {"kernel": "9.9"})
    trials = tuple(replace(trial, sitting=int(trial.block > 2)) for trial in run.trials)
    resumed = replace(run, info=replace(run.info, sittings=(first, other)), trials=trials)
    said = "from block 4 on was measured under other conditions: machine: kernel:"
    assert said in printed(resumed, 400)
    assert said in summary(support.study_of(resumed))
    assert said not in printed(run, 400)


def test_what_failed_is_told_in_its_row() -> None:
    """With the reason, and counted below."""
    table = printed(support.run(broken_pairs()))
    assert "no Redis" in " ".join(table.split())
    assert "20 invalid · 20 failed" in table


def test_why_several_pairs_failed_is_told_once() -> None:
    """The sentence of the error, with all its pairs; neither it nor the log's lines again beside it."""
    log = "uvicorn: ended with exit code 3: no module named shop; its log: logs/p1b.log\nTraceback\n  File shop.py"
    pairs = [replace(pair, b=replace(pair.b, error=log)) for pair in quick_pairs()[:2]]
    run = support.run(pairs)
    table = " ".join(printed(run, 300).split())
    assert table.count("no module named shop") == 1
    assert "✕ json, 1 worker; external-data, unpooled, 1 worker, 32 connections: fastapi on uvicorn: uvicorn:" in table
    markdown = summary(support.study_of(run))
    assert markdown.count("no module named shop; its log: logs/p1b.log") == 1
    assert "Traceback" not in table + markdown


def test_each_answer_stands_above_the_table_where_they_are_few() -> None:
    """With its cause; of many the report has them."""
    table = " ".join(printed(support.run(), 300).split())
    assert "• json, 1 worker: fastapi on uvicorn serves" in table
    assert "flask is bound by its 8 worker slots" in table
    assert "•" not in printed(support.run(sweep_pairs()), 300)


def test_a_run_without_any_trial_says_that_it_was_interrupted() -> None:
    """Instead of a figure."""
    table = printed(support.interrupted(support.run(), 0))
    assert "interrupted" in table
    assert "not measured" in " ".join(table.split())


def test_two_runs_are_told_apart_pair_by_pair() -> None:
    """After over before, and what changed around them."""
    slower = quick_pairs()
    slower[2] = replace(slower[2], b=replace(slower[2].b, rps=400))
    before, after = support.run(), support.run(slower, seed=9)
    after = replace(after, info=replace(after.info, versions={**after.info.versions, "httpx": "0.29"}))
    on = console(140)
    between(before, after, compare.between(before, after), on)
    assert isinstance(on.file, StringIO)
    table = on.file.getvalue()
    assert "1 worse" in table
    assert "httpx" in table


def test_the_markdown_summary_has_an_answer_and_a_row_for_every_pair() -> None:
    """Fit for a comment: a list of sentences, one table, the caveats, the versions."""
    run = support.run()
    study = support.study_of(run)
    lines = summary(study).splitlines()
    table = [line for line in lines if line.startswith("|")]
    assert len([line for line in lines if line.startswith("- ")]) == 6
    assert len(table) == 2 + 6
    assert len({line.count("|") for line in table}) == 1
    for pair, row in zip(study.pairs, table[2:], strict=True):
        assert under(study, pair) in row
        assert f"**{text(study.pair(pair))}**" in row
    assert "fastapi 0.165.0" in lines[-1]


def test_an_interpreter_is_named_once_before_the_versions_that_it_has() -> None:
    """Its path is long, and as that of an own app it is not ours."""
    run = support.run()
    versions = {"/srv/shop/python: django": "5.2.19", "/srv/shop/python: asgiref": "3.13.0", "locust": "2.47.0"}
    last = summary(support.study_of(replace(run, info=replace(run.info, versions=versions)))).splitlines()[-1]
    assert last.endswith(" · locust 2.47.0 · /srv/shop/python: asgiref 3.13.0, django 5.2.19</sub>")


def test_names_are_no_markup_in_markdown() -> None:
    """A pipe in a name makes no column."""
    run = support.run(hostile_pairs())
    markdown = summary(support.study_of(run))
    table = [line for line in markdown.splitlines() if line.startswith("|")]
    bare = [re.sub(r"\\.", "", line) for line in table]
    assert len({line.count("|") for line in bare}) == 1
    assert "<script" not in re.sub(r"\\.", "", markdown)
