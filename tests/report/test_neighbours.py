"""A run with held neighbours in every report: sentences, charts, page, table of values."""

from __future__ import annotations

import dataclasses
import io
from functools import cache
from typing import Any

import pytest
from rich.console import Console

from harness.judge.compare import within
from harness.judge.episodes import BlockBreak, Break
from harness.record import Episode, Run
from harness.report import style, words
from harness.report.charts import charts
from harness.report.charts.base import Chart
from harness.report.figures import Study
from harness.report.markdown import summary
from harness.report.page import report
from harness.report.terminal import terminal
from tests import factories
from tests.episode_support import HELD, episode, group, part, searched

STRENGTHS = (0, 1, 2, 4, 6, 7, 8, 16)


def run(*episodes: Episode, blocks: int = 3) -> Run:
    """Flask against FastAPI, whose closed loads are the same."""
    whole = factories.simulated_run(factories.plan(group(), blocks=blocks, suite="neighbours"))
    return dataclasses.replace(whole, episodes=episodes)


def study_of(whole: Run) -> Study:
    """As a report sees it."""
    return Study(whole, within(whole))


@cache
def usual() -> Study:
    """Flask breaks at 8, in one block at 7; FastAPI bears all. One episode may not be used."""
    a, b = group().arms
    episodes = [
        each
        for block, broken in enumerate((8, 7, 8))
        for each in (*searched(a, broken, block, STRENGTHS), *searched(b, None, block))
    ]
    unfit = episode(b, 32, valid=False, reasons=("other processes used 50 % of the CPUs: stop them",))
    return study_of(run(*episodes, unfit))


def chart(study: Study, name: str) -> Chart:
    """The chart of that name."""
    return next(chart for chart in charts(study) if chart.name == name)


def test_the_headline_says_where_each_side_breaks_and_what_ran_out() -> None:
    """With the range over the blocks."""
    said = words.headline(usual())
    assert "flask on gunicorn-gthread breaks at 8 (all 8 threads are taken), 7 to 8 over 3 blocks" in said
    assert "fastapi on uvicorn bears 16, the most that was tried" in said
    assert words.under(usual(), "p1") == "1 worker, beside held report"


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (
            {"computed_s": 0.2},
            "each computes for 200\N{NARROW NO-BREAK SPACE}ms, and the others wait for the interpreter",
        ),
        ({"turned_away": 1}, "the accept queue is full: 1 connection turned away"),
        ({}, "the slots that are left do not carry the rate"),
    ],
)
def test_what_ran_out_is_told_with_what_shows_it(found: dict[str, Any], said: str) -> None:
    """Of a server with eight threads that broke at three."""
    block = BlockBreak(block=0, bore=2, broke=3)
    whole = Break(arm="p1a", at=3, low=3, high=3, most=16, blocks=(block,), **found)
    assert words.taken_words(group().arms[0], whole) == said


@pytest.mark.parametrize(
    ("blocks", "said"),
    [
        ((8, 8), "breaks at 8 (all 8 threads are taken), in each of 2 blocks"),
        ((8,), "breaks at 8 (all 8 threads are taken);"),
        ((3, 3), "breaks at 3 (the slots that are left do not carry the rate), in each of 2 blocks"),
        ((8, 8, None), "breaks at 8 (all 8 threads are taken), 8 to more than 16 over 3 blocks"),
        ((8, None, None), "bears 16 in most blocks"),
        ((None, None), "bears 16, the most that was tried"),
    ],
)
def test_each_kind_of_break_has_its_sentence(blocks: tuple[int | None, ...], said: str) -> None:
    """Whatever the blocks show."""
    a, b = group().arms
    tried = (0, 2, 3, 4, 7, 8, 16)
    found = [each for block, broken in enumerate(blocks) for each in searched(a, broken, block, tried)]
    assert said in words.told(study_of(run(*found, *searched(b, None))), "p1")


def test_an_arm_without_a_valid_episode_says_so() -> None:
    """It is not called unbroken."""
    a, b = group().arms
    study = study_of(run(episode(a, 1, valid=False, reasons=("x",)), *searched(b, None)))
    assert "flask on gunicorn-gthread has no valid episode" in words.told(study, "p1")
    assert "No episode is valid." not in report(study, [])
    assert "No episode is valid." in report(study_of(run(episode(a, 1, valid=False, reasons=("x",)))), [])
    assert [made.name for made in charts(study) if made.name.startswith(("neighbours", "episode"))]


def test_the_chart_of_neighbours_has_a_row_for_each_arm_and_strength() -> None:
    """Its values are those of summary.csv."""
    study = usual()
    drawn = chart(study, "neighbours-p1")
    assert [row[:2] for row in drawn.rows[:3]] == [("flask on gunicorn-gthread", str(number)) for number in (0, 1, 2)]
    assert len(drawn.rows) == len(STRENGTHS) + len(HELD.strengths)
    shares = {row[1]: str(study.values[f"episode/p1a/{row[1]}/late_share/open"].value) for row in drawn.rows[:8]}
    assert float(shares["8"]) == 1.0
    assert float(shares["7"]) == pytest.approx(1 / 3)
    assert study.values["break/p1a/held/open"].value == 8
    assert study.values["break/p1a/held/open"].limit == "threads"
    assert study.values["break/p1b/held/open"].value is None
    assert {"break", "episode"} <= {value.kind for value in study.values.values()}


@pytest.mark.parametrize("name", ["neighbours-p1", "episode-p1"])
@pytest.mark.parametrize("theme", [style.LIGHT, style.DARK])
def test_the_charts_are_drawn_in_either_theme(name: str, theme: style.Theme) -> None:
    """With marks that answer."""
    with style.styled(theme):
        drawing = chart(usual(), name).draw(theme)
        assert "<svg" in style.svg(drawing.figure)
    assert drawing.marks


def test_the_timeline_is_of_the_weakest_that_broke_one_side() -> None:
    """The same strength on both, and its title says what became of the requests."""
    drawn = chart(usual(), "episode-p1")
    assert "beside 8 held report requests" in drawn.title
    assert "100" in drawn.title
    assert [row[1] for row in drawn.rows] == ["before", "during", "after"] * 2


def test_where_all_requests_are_lost_there_is_no_percentile_and_a_chart_all_the_same() -> None:
    """A server that refuses every request answers none."""
    a, b = group().arms
    lost = dataclasses.replace(part(arrivals=50, reset=50), latency_us=None, histogram=None)
    study = study_of(run(episode(a, 0), episode(a, 1, during=lost), *searched(b, None)))
    drawn = chart(study, "neighbours-p1")
    with style.styled(style.LIGHT):
        assert drawn.draw(style.LIGHT).marks
    assert drawn.rows[1][2] == "\u2013"


def test_page_markdown_and_terminal_say_it_and_what_may_not_be_used() -> None:
    """In the same words."""
    page = report(usual(), [])
    console = Console(width=400, record=True, file=io.StringIO())
    terminal(usual(), console)
    printed = console.export_text()
    for text in (page, summary(usual()), printed):
        assert "breaks at 8 (all 8 threads are taken)" in text
    assert "An episode is an open load" in page
    assert "1 of 43 episodes may not be used" in page
    assert "42 of 43 episodes valid" in printed


def test_a_run_without_disturbances_says_nothing_of_neighbours() -> None:
    """Neither section, nor chart, nor count."""
    plain = study_of(factories.simulated_run())
    page = report(plain, [])
    assert 'id="disturbed"' not in page
    assert "episode" not in page.lower()
    assert words.disturbed(plain) == []


def test_what_a_held_request_costs_is_the_most_against_none() -> None:
    """In memory while it is held, and in CPU beyond what the victim takes; a value a block, with its interval."""
    a, _ = group().arms
    rows = [
        episode(
            a, strength, block=block, memory_most_bytes=(100 << 20) + strength * (50_000 + 100 * block), cpu_s=cpu_s
        )
        for block in range(3)
        for strength, cpu_s in ((0, 0.7), (16, 1.18))
    ]
    values = study_of(run(*rows)).values
    memory, cpu = values["held/p1a/16/memory_a_held/open"], values["held/p1a/16/cpu_a_held/open"]
    assert memory.value == pytest.approx(50_100)
    assert memory.low is not None
    assert memory.low < 50_100
    assert cpu.value == pytest.approx((1.18 - 0.7) / 2.0 / 16)
