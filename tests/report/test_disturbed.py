"""Runs with deploys and overloads in every report: sentences, charts, table of values."""

from __future__ import annotations

import dataclasses
from functools import cache
from typing import Any

import pytest

from harness.judge.compare import within
from harness.record import Deployed, Episode
from harness.report import style, words
from harness.report.charts import charts
from harness.report.charts.base import Chart
from harness.report.figures import Study
from harness.report.page import report
from harness.suite import Arm, Deploy, Overload
from tests import factories
from tests.episode_support import episode, group, part

RELOAD = Deploy(how="reload", times=2)
OVERLOAD = Overload(times=(0.7, 1, 2), deadline_ms=500)


def study_of(disturbance: Deploy | Overload, *episodes: Episode) -> Study:
    """As a report sees it."""
    both = dataclasses.replace(group(), disturbance=disturbance, neighbour=None)
    whole = factories.simulated_run(factories.plan(both, blocks=3, suite="own"))
    run = dataclasses.replace(whole, episodes=episodes)
    return Study(run, within(run))


def deployed(arm: Arm, number: int, block: int, lost: int = 0, **changes: Any) -> Episode:
    """A reload that lost so many requests."""
    given = {
        "during": part(late=5 if lost else 0, **({"reset": lost} if lost else {})),
        "deployed": Deployed(renewed=True, workers=2, new_from_s=0.6, old_until_s=1.0 + 0.1 * block),
        "memory_most_bytes": 200 << 20,
        "server_begun": 300,
        "server_finished": 300 - lost,
        "good": 300 - lost,
        "held_least": None,
        "begun_most": None,
    }
    return episode(arm, number, late=5 if lost else 0, block=block, disturbance=RELOAD, **given | changes)


@cache
def deploys() -> Study:
    """Flask loses none of six; FastAPI three at each of six."""
    a, b = group().arms
    each = [(number, block) for block in range(3) for number in (1, 2)]
    return study_of(
        RELOAD,
        *(deployed(a, number, block) for number, block in each),
        *(deployed(b, number, block, lost=3) for number, block in each),
    )


def overloaded(arm: Arm, strength: int, goodput_rps: float, block: int, **changes: Any) -> Episode:
    """An overload of so many hundredths that left that goodput."""
    during = dataclasses.replace(part(arrivals=strength * 2, late=5), goodput_rps=goodput_rps)
    given = {"during": during, "held_least": None, "begun_most": None, "good": 150, "server_finished": 200}
    return episode(arm, strength, late=5, block=block, disturbance=OVERLOAD, **given | changes)


@cache
def overload() -> Study:
    """Flask works for those that have left, and is not well again; FastAPI keeps what it can do."""
    a, b = group().arms
    return study_of(
        OVERLOAD,
        *(
            overloaded(a, strength, rps + block, block, **({"well_s": None} if strength == 200 else {}))
            for strength, rps in ((70, 70.0), (100, 90.0), (200, 10.0))
            for block in range(3)
        ),
        *(
            overloaded(b, strength, rps + block, block, server_finished=151)
            for strength, rps in ((70, 70.0), (100, 95.0), (200, 94.0))
            for block in range(3)
        ),
    )


def chart(study: Study, name: str) -> Chart:
    """The chart of that name."""
    return next(chart for chart in charts(study) if chart.name == name)


def test_a_full_accept_queue_is_told_of_an_overload() -> None:
    """Where connections were seen to wait in it."""
    a, b = group().arms
    full = {"accept_queue_most": 100, "accept_overflows": 7}
    said = words.told(study_of(OVERLOAD, overloaded(a, 200, 10.0, 0, **full), overloaded(b, 200, 10.0, 0)), "p1")
    assert said.count("its accept queue was full") == 1
    assert "(its accept queue was full: 7 connections turned away)" in said


def test_deploys_are_told_in_a_sentence() -> None:
    """None lost is an upper end, not a zero; what was lost has its kind."""
    assert words.headline(deploys()) == (
        "fastapi on uvicorn loses 3 requests at the server's own reload; at the server's own reload flask on "
        "gunicorn-gthread loses none"
    )
    said = words.told(deploys(), "p1")
    assert "flask on gunicorn-gthread loses no request in 6 times (at most 0.61 each time), and none is late" in said
    assert "fastapi on uvicorn loses 3 requests each time (6 times: 18 closed under the request)" in said
    assert "changed after 1.10" in said
    assert words.under(deploys(), "p1") == "1 worker, at a reload"


def test_the_values_of_deploys_are_in_the_table() -> None:
    """With the exact interval of a count, and means over blocks."""
    values = deploys().values
    lost = values["deploy/p1b/lost/open"]
    assert (lost.value, lost.low, lost.high) == pytest.approx((3.0, 1.778, 4.741), abs=1e-3)
    assert values["deploy/p1a/lost/open"].low == 0
    assert values["deploy/p1a/changed_s/open"].value == pytest.approx(1.1)
    assert values["deploy/p1a/deploy_memory_bytes/open"].unit == "B"
    assert not deploys().breaks, "a deploy has no break"


def test_overloads_are_told_in_a_sentence() -> None:
    """What is left of the best, whether it comes out of it, and for whom it worked."""
    said = words.headline(overload())
    assert "at 2 times the capacity flask on gunicorn-gthread keeps 12" in said
    assert "of its best in time and is not well again (25" in said
    assert "of its work was for clients that had left)" in said
    assert "fastapi on uvicorn keeps 99" in said


@pytest.mark.parametrize(
    ("study", "name", "row"),
    [
        (deploys, "deploys", ("the server's own reload", "fastapi on uvicorn", "6")),
        (deploys, "episode-p1", ("flask on gunicorn-gthread", "before")),
        (overload, "overload-p1", ("flask on gunicorn-gthread", "2", "200/s")),
        (overload, "episode-p1", ("fastapi on uvicorn", "after")),
    ],
)
@pytest.mark.parametrize("theme", [style.LIGHT, style.DARK])
def test_their_charts_are_drawn_in_either_theme(
    study: Any, name: str, row: tuple[str, ...], theme: style.Theme
) -> None:
    """With marks that answer, and a table."""
    drawn = chart(study(), name)
    assert row in [cells[: len(row)] for cells in drawn.rows]
    with style.styled(theme):
        drawing = drawn.draw(theme)
        assert "<svg" in style.svg(drawing.figure)
    assert drawing.marks


def test_the_page_has_them() -> None:
    """In the section of disturbances."""
    assert 'id="disturbed"' in report(deploys(), [])
    assert "at 2 times the capacity flask" in report(overload(), [])
    assert not [made for made in charts(deploys()) if made.name.startswith(("neighbours", "overload"))]
