"""The pages in a real browser, opened from disk with the network off."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from harness.judge import compare
from harness.record import Run
from harness.report.comparing import compare_page, page_name
from harness.report.figures import study
from harness.report.index import index
from harness.tune.recommendation import FILE, dump
from tests.report import report_support as support
from tests.report import report_tuning
from tests.report.report_pairs import broken_pairs, hostile_pairs, quick_pairs

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Dialog, Locator, Page

CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed: apt-get install chromium"),
]
SERIOUS = {"serious", "critical"}
DARK_INK, DARK_MUTED = "rgb(232, 236, 242)", "rgb(162, 173, 187)"


WRONGLY_SHOWN = """([name, level]) => {
  const arms = JSON.parse(document.getElementById("arms").textContent);
  const rows = [...document.querySelectorAll("[data-arm]")].map((node) => [node.dataset.arm, !node.hidden, node]);
  const marks = [...document.querySelectorAll(".mark[data-arms]:not([data-arms=''])")].map(
    (node) => [node.dataset.arms, !node.classList.contains("off"), node]);
  const all = [...rows, ...marks];
  return [all.length, all.filter(([arm, shown]) => (arms[arm][name] === level) !== shown).map(([arm]) => arm)];
}"""
"""How many rows and marks of an arm there are, and the arms of those that a filter shows or hides wrongly."""
SORT_EVERYTHING = """() => [...document.querySelectorAll("table.sortable")].map((table) => {
  const before = table.tBodies[0].rows.length;
  for (const button of table.tHead.querySelectorAll("button")) button.click();
  return [before, table.tBodies[0].rows.length, table.querySelectorAll("[aria-sort]").length];
})"""
"""Rows of each table before and after, and how many of its headings say that they sort it."""

LENGTHEN = """([label, fact]) => {
  const [dt, dd] = document.querySelector(".facts div").children;
  dt.textContent = label;
  dd.textContent = fact;
}"""
LINES = """() => {
  const words = document.createRange();
  words.selectNodeContents(document.querySelector(".facts dt"));
  return words.getClientRects().length;
}"""
"""On how many lines the first label of the facts stands."""


@dataclass(frozen=True)
class Site:
    """Results on disk, with what the tests open."""

    results: Path
    quick: Path
    broken: Path
    hostile: Path
    compared: Path
    tuned: Path


@dataclass
class Opened:
    """A page, and what went wrong in it."""

    page: Page
    problems: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    """Everything that it tried to load."""


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Two runs of quick and their comparison, a broken one, one of hostile names, and the index."""
    results = tmp_path_factory.mktemp("results")
    before = support.run()
    slower = quick_pairs()
    slower[2] = replace(slower[2], b=replace(slower[2].b, rps=430))
    after = support.run(slower, seed=9, name="20261125T070000Z-quick")
    broken = support.run(broken_pairs(), name="20261126T070000Z-broken", suite="broken")
    hostile = support.run(hostile_pairs(), name="20261127T070000Z-hostile", suite="</title>&<b>")
    runs = [_on_day(24 + day, run) for day, run in enumerate((before, after, broken, hostile))]
    folders = [support.written(run, results) for run in runs]
    folders.append(support.written(_on_day(28, report_tuning.tune_run()), results / "tune"))
    (folders[-1] / FILE).write_text(dump(report_tuning.tuning()), encoding="utf-8")
    for folder in folders:
        seen = study(folder)
        (folder / "report.html").write_text(support.paged(seen), encoding="utf-8")
        (folder / "summary.csv").write_text(seen.table, encoding="utf-8")
    compared = results / page_name(before.info.run, after.info.run)
    compare_page(tuple(map(support.study_of, (before, after))), compare.between(before, after), compared)
    index(results)
    return Site(results, folders[0], folders[2], folders[3], compared, folders[4])


def _on_day(day: int, run: Run) -> Run:
    return replace(run, info=replace(run.info, started=f"2026-11-{day}T07:00:00Z"))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium; gone with this module, because a live Playwright keeps an event loop running."""
    from playwright.sync_api import sync_playwright

    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield opened
        opened.close()


@pytest.fixture
def opened(browser: Browser) -> Iterator[Opened]:
    """An empty page of a browser that is offline; at the end nothing may have gone wrong in it."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, offline=True, color_scheme="light")
    watched = Opened(context.new_page())
    watched.page.on("console", lambda line: watched.problems.extend([line.text] if line.type == "error" else []))
    watched.page.on("pageerror", lambda error: watched.problems.append(str(error)))
    watched.page.on("dialog", lambda dialog: _refuse(watched, dialog))
    watched.page.on("request", lambda request: watched.asked.append(request.url))
    yield watched
    context.close()
    assert watched.problems == []
    assert all(url.startswith(("file:", "data:")) for url in watched.asked)


def _refuse(watched: Opened, dialog: Dialog) -> None:
    watched.problems.append(f"dialog: {dialog.message}")
    dialog.dismiss()


def address(path: Path) -> str:
    """Of a file on disk."""
    return path.as_uri()


def shown(locator: Locator) -> list[str]:
    """The texts of the elements that are visible."""
    return [element.inner_text() for element in locator.all() if element.is_visible()]


def rows(page: Page) -> list[str]:
    """The pairs that the forest shows, by scenario and condition."""
    return [" ".join(text.split()) for text in shown(page.locator("table.forest tbody th"))]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["quick", "broken", "hostile", "tuned", "index", "compare"])
def test_axe_finds_nothing_serious(site: Site, opened: Opened, name: str, scheme: Any) -> None:
    """Contrast, names, roles, order; in the dark only the contrast, since all else is the same.

    The charts of `broken` and `hostile` are those of `quick` and most of their pages: they are looked at there. A
    picture of each page is kept where one is asked for.
    """
    from axe_playwright_python.sync_playwright import Axe

    path = {
        "index": site.results / "index.html",
        "compare": site.compared,
        "quick": site.quick / "report.html",
        "broken": site.broken / "report.html",
        "hostile": site.hostile / "report.html",
        "tuned": site.tuned / "report.html",
    }[name]
    opened.page.emulate_media(color_scheme=scheme)
    opened.page.goto(address(path))
    for closed in opened.page.locator("details").all():
        closed.evaluate("node => { node.open = true }")
    rules = {"runOnly": ["color-contrast"]} if scheme == "dark" else None
    where = {"exclude": [["svg.drawing"]]} if name in {"broken", "hostile"} else None
    violations = Axe().run(opened.page, context=where, options=rules).response["violations"]
    serious = [
        f"{violation['id']}: {violation['help']}: {node['target']} {node.get('failureSummary', '')}"
        for violation in violations
        if violation["impact"] in SERIOUS
        for node in violation["nodes"][:3]
    ]
    assert serious == []
    if pictures := os.environ.get("GATEBENCH_SCREENSHOTS"):
        opened.page.screenshot(path=Path(pictures) / f"{name}-{scheme}.png", full_page=True)


@pytest.mark.parametrize(
    ("name", "level", "left"),
    [
        ("scenario", "external-data", 3),
        ("interface", "wsgi", 6),
        ("server", "uvicorn", 6),
        ("workers", "4", 1),
        ("pooling", "pool", 2),
        ("cache", "redis", 1),
        ("client", "httpx", 5),
    ],
)
def test_each_filter_leaves_what_it_names(site: Site, opened: Opened, name: str, level: str, left: int) -> None:
    """Pairs, sections, rows of the charts' tables; the count says how many; the address keeps the choice."""
    page = opened.page
    page.goto(address(site.quick / "report.html"))
    assert len(rows(page)) == 6
    page.select_option(f"#filters select[name={name}]", level)
    assert len(rows(page)) == left
    assert page.locator("#count").inner_text() == f"{left} of 6 pairs"
    checked, wrong = page.evaluate(WRONGLY_SHOWN, [name, level])
    assert checked > 200
    assert wrong == []
    page.goto(page.url)
    assert len(rows(page)) == left
    page.click("#filters button[type=reset]")
    page.wait_for_function("document.getElementById('count').textContent === '6 of 6 pairs'")
    assert len(rows(page)) == 6
    assert "?" not in page.url


def test_filters_narrow_together(site: Site, opened: Opened) -> None:
    """What is left has every chosen level, and a section without a pair is gone."""
    page = opened.page
    page.goto(address(site.quick / "report.html") + "?scenario=external-data&workers=1&pooling=pool")
    assert rows(page) == ["external-data pooled, 1 worker, 32 connections"]
    assert page.locator("#scenario-external-data").is_visible()
    assert not page.locator("#scenario-json").is_visible()


def test_a_column_sorts_by_its_exact_values(site: Site, opened: Opened) -> None:
    """Up, then down; what has no value stays last; the heading says which."""
    page = opened.page
    page.goto(address(site.broken / "report.html"))
    head = page.locator("table.forest thead th", has_text="b / a")
    for direction in ("ascending", "descending"):
        head.locator("button").click()
        assert head.get_attribute("aria-sort") == direction
        cells = page.locator("table.forest tbody tr td:nth-child(3)").all()
        values = [cell.get_attribute("data-sort") or "" for cell in cells]
        known = [float(value) for value in values if value]
        assert known == sorted(known, reverse=direction == "descending")
        assert len(known) == 3
        assert not any(values[3:])
    page.locator("table.forest thead button", has_text="pair").click()
    names = rows(page)
    assert names == sorted(names)


def test_every_table_sorts(site: Site, opened: Opened) -> None:
    """No heading of any table throws, and none loses a row."""
    page = opened.page
    page.goto(address(site.quick / "report.html"))
    tables = page.evaluate(SORT_EVERYTHING)
    assert len(tables) > 15
    assert all(before == after and sorting == 1 for before, after, sorting in tables)


def test_pointing_at_a_number_or_a_mark_shows_what_it_is_exactly(site: Site, opened: Opened) -> None:
    """The value to seven digits and its interval; leaving hides it."""
    page = opened.page
    page.goto(address(site.quick / "report.html"))
    tip = page.locator("#tip")
    number = page.locator("table.forest .exact").first
    number.hover()
    value = float(number.get_attribute("data-value") or 0)
    assert f"exactly {value:.7g}" in tip.inner_text()
    assert re.search(r"95 % interval \S+ to \S+, 5 blocks", tip.inner_text())
    page.mouse.move(2, 2)
    assert not tip.is_visible()
    mark = page.locator("#throughput-json .mark").first
    mark.hover()
    assert (mark.get_attribute("aria-label") or "?") in tip.inner_text()
    assert "exactly" in tip.inner_text()
    track = page.locator(".track[data-tip]").first
    track.hover()
    assert (track.get_attribute("data-tip") or "?") in tip.inner_text()


def test_a_chart_is_one_stop_and_arrows_go_through_its_marks(site: Site, opened: Opened) -> None:
    """By keyboard alone; what is focused is announced; Escape hides it."""
    page = opened.page
    page.goto(address(site.quick / "report.html"))
    page.locator("#factors .scroll").first.focus()
    labels = []
    for _ in range(3):
        page.keyboard.press("ArrowRight")
        labels.append(page.evaluate("document.activeElement.getAttribute('aria-label')"))
        assert labels[-1] in page.locator("#tip").inner_text()
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == labels[1]
    assert len(set(labels)) == 3
    page.keyboard.press("Escape")
    assert not page.locator("#tip").is_visible()


def test_links_lead_to_what_they_name(site: Site, opened: Opened) -> None:
    """Every anchor of the page exists; one to something filtered away brings it back."""
    page = opened.page
    page.goto(address(site.quick / "report.html"))
    targets = page.evaluate("[...document.querySelectorAll('a[href^=\"#\"]')].map((a) => a.getAttribute('href'))")
    assert len(targets) > 30
    assert [target for target in targets if page.locator(f"[id='{target[1:]}']").count() != 1] == []
    page.goto(address(site.quick / "report.html") + "?scenario=json#throughput-external-data")
    figure = page.locator("#throughput-external-data")
    assert figure.is_visible()
    page.wait_for_function(
        "Math.abs(document.getElementById('throughput-external-data').getBoundingClientRect().top) < innerHeight"
    )
    assert len(rows(page)) == 6


def test_the_theme_is_the_systems_until_one_is_chosen(site: Site, opened: Opened) -> None:
    """A choice is kept; charts follow it."""
    page = opened.page
    page.goto(address(site.quick / "report.html"))

    def colours() -> tuple[str, str]:
        text = page.evaluate("getComputedStyle(document.body).color")
        return str(text), str(page.evaluate("getComputedStyle(document.querySelector('.drawing text')).fill"))

    light, dark = colours(), (DARK_INK, DARK_MUTED)
    page.emulate_media(color_scheme="dark")
    assert colours() == dark != light
    page.click("#theme")
    assert page.locator("#theme").inner_text() == "Theme: light"
    assert colours() == light
    page.emulate_media(color_scheme="light")
    page.click("#theme")
    assert colours() == dark
    page.reload()
    assert page.locator("#theme").inner_text() == "Theme: dark"
    assert colours() == dark
    page.click("#theme")
    assert colours() == light


def test_hostile_names_run_nothing(site: Site, opened: Opened) -> None:
    """They are text in the page, in its title and in the index; right-to-left ones turn nothing around."""
    page = opened.page
    page.goto(address(site.hostile / "report.html"))
    assert page.title().startswith("</title>&<b>: ")
    body = page.locator("main").inner_text()
    for name in ("<script>alert(1)</script>", '"><img src=x onerror=alert(2)>', "{{ 7 * 7 }} %s %(x)d [bold]"):
        assert name in body
    assert page.locator("main img, main script").count() == 0
    for select in page.locator("#filters select").all():
        for value in select.evaluate("node => [...node.options].map((option) => option.value)"):
            select.select_option(value)
        select.select_option("")
    widest = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert widest <= 0, "two hundred characters must not widen the page"
    page.goto(address(site.results / "index.html"))
    assert "</title>&<b>" in page.locator("main").inner_text()


def test_the_index_is_newest_first_and_runs_can_be_picked(site: Site, opened: Opened) -> None:
    """Two picks show the command, older first, and their page where there is one; a third joins them."""
    page = opened.page
    page.goto(address(site.results / "index.html"))
    picks = page.locator("input[name=pick]")
    names = [pick.get_attribute("value") for pick in picks.all()]
    assert names == sorted((str(name) for name in names), reverse=True)
    command, link = page.locator("#compare pre"), page.locator("#compare a")
    assert not command.is_visible()
    picks.nth(3).check()
    picks.nth(2).check()
    assert command.inner_text() == "gatebench compare 20261124T070000Z-quick 20261125T070000Z-quick"
    link.click()
    page.wait_for_url("**/compare-*.html")
    assert "1 worse" in page.locator("h1").inner_text()
    page.go_back()
    page.wait_for_url("**/index.html")
    for place in (1, 2, 3):
        page.locator("input[name=pick]").nth(place).uncheck()
    for place in (3, 1):
        page.locator("input[name=pick]").nth(place).check()
    assert "20261124T070000Z-quick 20261126T070000Z-broken" in command.inner_text()
    assert not link.is_visible()
    page.locator("input[name=pick]").nth(2).check()
    days = ("20261124T070000Z-quick", "20261125T070000Z-quick", "20261126T070000Z-broken")
    assert command.inner_text() == f"gatebench compare {' '.join(days)}"
    page.locator("th a", has_text="broken").click()
    page.wait_for_url("**/report.html")


def test_arrows_go_through_the_ratios_over_time(site: Site, opened: Opened) -> None:
    """Two runs of one suite are a series; each dot says what it is."""
    page = opened.page
    page.goto(address(site.results / "index.html"))
    chart = page.locator(".scroll:has(svg)")
    assert chart.count() == 1
    chart.focus()
    page.keyboard.press("ArrowRight")
    assert "run 1 (" in page.locator("#tip").inner_text()
    page.keyboard.press("ArrowRight")
    assert "run 2 (" in page.locator("#tip").inner_text()


def test_a_narrow_screen_needs_no_sideways_scrolling(site: Site, opened: Opened) -> None:
    """Wide tables and charts scroll within themselves."""
    page = opened.page
    page.set_viewport_size({"width": 380, "height": 800})
    for path in (site.quick / "report.html", site.results / "index.html", site.compared):
        page.goto(address(path))
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def test_a_long_fact_leaves_its_label_whole(site: Site, opened: Opened) -> None:
    """It wraps beside the label, which stays on one line; a label that fits nowhere is broken, and widens nothing."""
    page = opened.page
    page.goto(address(site.quick / "report.html"))
    page.evaluate(LENGTHEN, ["disturbances", "load of others: python (pid 4711) 97 % of a CPU, " * 4])
    assert page.evaluate(LINES) == 1
    page.evaluate(LENGTHEN, ["x" * 200, "y" * 200])
    assert page.evaluate(LINES) > 1
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def test_on_paper_every_table_is_open_and_light(site: Site, opened: Opened) -> None:
    """And what only works on a screen is not there."""
    page = opened.page
    page.emulate_media(color_scheme="dark")
    page.goto(address(site.quick / "report.html"))
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print", color_scheme="dark")
    assert page.locator("details:not([open])").count() == 0
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 254)"
    assert not page.locator("#filters").is_visible()
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("details[open]").count() == 0
    assert len(page.pdf()) > 50_000
