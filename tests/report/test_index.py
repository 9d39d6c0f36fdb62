"""All runs on one page, and two on another."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape
from pathlib import Path

from harness.judge import compare
from harness.record import Run
from harness.report.comparing import compare_page, page_name
from harness.report.index import index
from tests.report import report_support as support
from tests.report.report_pairs import hostile_pairs, quick_pairs


def text_of(path: Path) -> str:
    """What can be read in a page."""
    html = re.sub(r"<(script|style)\b.*?</\1>", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", html)).split())


def small(name: str, day: int) -> Run:
    """A run of one pair."""
    run = support.run(quick_pairs()[:1], phases=("closed",), name=name)
    return replace(run, info=replace(run.info, started=f"2026-11-{day}T07:00:00Z"))


def test_the_index_has_a_row_for_every_run_newest_first(tmp_path: Path) -> None:
    """With suite, machine, versions and headline."""
    for name, day in (("b-first", 20), ("a-second", 21)):
        support.built(support.written(small(name, day), tmp_path))
    text = text_of(index(tmp_path))
    assert text.index("a-second") < text.index("b-first")
    assert "fastapi on uvicorn serves more in 1 of 1" in text
    assert "Intel(R) Xeon(R) Platinum 8488C" in text
    assert "fastapi 0.165.0" in text


def test_the_index_names_the_sides_where_pairs_have_different_ones(tmp_path: Path) -> None:
    """By interface here, as the headline of the report does; never by a letter."""
    pair = quick_pairs()[0]
    other = replace(pair, b=replace(pair.b, server="granian-asgi"), a=replace(pair.a, server="gunicorn-sync"))
    equals = replace(pair, a=pair.b, null=True)
    support.built(support.written(support.run([pair, other, equals], phases=("closed",)), tmp_path))
    text = text_of(index(tmp_path))
    assert "ASGI serves more in 2 of 2" in text
    assert "side b" not in text.lower()


def test_the_page_of_two_runs_names_who_serves_more_first(tmp_path: Path) -> None:
    """With a ratio above 1, whichever way it changed."""
    pairs = quick_pairs()[:1]
    slower = [replace(pairs[0], b=replace(pairs[0].b, rps=pairs[0].b.rps / 2))]
    before, after = support.run(pairs, phases=("closed",)), support.run(slower, phases=("closed",), name="later")
    page = compare_page(
        tuple(map(support.study_of, (before, after))), compare.between(before, after), tmp_path / "page.html"
    )
    says = r"before, fastapi on uvicorn served [12]\.\d+ times \([\d.]+ to [\d.]+\) what it serves after"
    assert re.search(says, text_of(page))
    assert "1 worse (json, 1 worker, 64 connections)" in text_of(page)


def test_a_run_without_report_or_with_records_of_another_format_is_told_as_such(tmp_path: Path) -> None:
    """The others are shown all the same."""
    support.built(support.written(small("good", 20), tmp_path))
    support.written(support.interrupted(small("bare", 21), 3), tmp_path)
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "run.json").write_text('{"format": 99}')
    text = text_of(index(tmp_path))
    assert "no report yet: gatebench report draws it" in text
    assert "1 pair, 5 blocks, interrupted" in text
    assert "format 99; this gatebench reads formats 1 and 2" in text
    assert "serves more in 1 of 1" in text
    assert str(tmp_path) not in text


def test_an_index_of_nothing_says_how_to_get_a_run(tmp_path: Path) -> None:
    """Instead of an empty table."""
    assert "make bench makes the first" in text_of(index(tmp_path))


def test_the_index_knows_the_pages_of_two_runs(tmp_path: Path) -> None:
    """By their names, in the order before, after."""
    before, after = small("one", 20), small("two", 21)
    for run in (before, after):
        support.written(run, tmp_path)
    out = tmp_path / page_name("one", "two")
    assert compare_page(tuple(map(support.study_of, (before, after))), compare.between(before, after), out) == out
    html = index(tmp_path).read_text(encoding="utf-8")
    assert '{"one two": "compare-one-two.html"}' in html


def test_the_page_of_two_runs_says_what_changed_and_what_did_not(tmp_path: Path) -> None:
    """Pairs, environment, absolute throughput, and the command."""
    pairs = quick_pairs()
    slower = [*pairs[:2], replace(pairs[2], b=replace(pairs[2].b, rps=400)), *pairs[3:]]
    before, after = support.run(pairs), support.run(slower, seed=9, name="later")
    after = replace(after, info=replace(after.info, versions={**after.info.versions, "uvicorn": "0.55.0"}))
    comparison = compare.between(before, after)
    page = compare_page(tuple(map(support.study_of, (before, after))), comparison, tmp_path / "deep" / "page.html")
    text = text_of(page)
    assert "1 worse" in text
    assert "0.54.0" in text
    assert "0.55.0" in text
    assert f"gatebench compare {before.info.run} later" in text
    html = page.read_text(encoding="utf-8")
    for verdict in comparison.pairs:
        if verdict.primary and verdict.ratio is not None:
            assert f'data-value="{verdict.ratio!r}"' in html


def test_the_page_of_two_runs_shows_hostile_names_as_text(tmp_path: Path) -> None:
    """As every page."""
    before = support.run(hostile_pairs())
    after = support.run(hostile_pairs(), seed=8, name="later")
    html = compare_page(
        tuple(map(support.study_of, (before, after))), compare.between(before, after), tmp_path / "page.html"
    ).read_text("utf-8")
    assert html.count("<script") == 1
    assert "<img" not in html
    assert "<script>alert(1)</script>" in text_of(tmp_path / "page.html")


def test_the_page_of_a_comparison_stays_beside_the_runs() -> None:
    """Whatever a run.json says that its run is called."""
    assert page_name("20261126T103403Z-quick", "after") == "compare-20261126T103403Z-quick-after.html"
    assert page_name("../../elsewhere/x", "a/b") == "compare-elsewhere-x-a-b.html"
