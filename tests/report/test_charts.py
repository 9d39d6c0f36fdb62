"""The charts: what they conclude, what they draw, how they look in either theme."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree as ET

import matplotlib as mpl
import pytest
from matplotlib import font_manager

from harness.record import Run
from harness.report import style, words
from harness.report.charts import charts
from harness.report.charts.base import Chart, apart
from harness.report.charts.factors import contrasts
from harness.report.drawing import inline
from harness.report.figures import Study, Value
from harness.report.figures.axis import limits_of, log_ticks
from harness.report.slugs import slugs
from harness.spec.machines import Machine
from tests.report import report_support as support
from tests.report.report_pairs import broken_pairs, hostile_pairs, quick_pairs, sweep_pairs, worker_pairs

TEN, ELEVEN = Machine(host="10.0.0.10", user="bench"), Machine(host="eleven")


@cache
def study_of(name: str) -> Study:
    """A run of one of the kinds there are, compared."""
    kinds: dict[str, Callable[[], Run]] = {
        "quick": support.run,
        "broken": lambda: support.run(broken_pairs()),
        "workers": lambda: support.run(worker_pairs(), suite="workers", phases=("closed",)),
        "sweep": lambda: support.run(sweep_pairs(), suite="sweep", phases=("closed",)),
        "elsewhere": lambda: support.driven(support.run(quick_pairs()[:1]), TEN, ELEVEN),
        "several": lambda: support.driven(support.run(quick_pairs()[:1], phases=("closed",))),
        "hostile": lambda: support.run(hostile_pairs()),
    }
    run = kinds[name]()
    return support.study_of(run)


@cache
def charts_of(name: str) -> dict[str, Chart]:
    """The charts of such a run, by name."""
    return {chart.name: chart for chart in charts(study_of(name))}


def drawn(chart: Chart) -> tuple[str, str]:
    """As a file, and as it goes into the page."""
    with style.styled() as theme:
        drawing = chart.draw(theme)
        text = style.svg(drawing.figure)
    return text, str(inline("it", drawing, text))


KINDS = {
    "quick": (
        *("forest", "factors", "workers", "efficiency", "workers-share"),
        *("throughput-external-data", "latency-external-data", "cpu-external-data", "series-external-data"),
    ),
    "several": ("generators",),
    "elsewhere": ("generators",),
    "sweep": ("connections-external-data", "rates-external-data"),
}
EVERY = [(kind, name) for kind, names in KINDS.items() for name in names]
"""Each chart there is, with a kind of run that has it."""


def test_a_run_has_every_chart_that_it_has_the_data_for() -> None:
    """And no other."""
    for kind, name in EVERY:
        assert name in charts_of(kind)
    assert not [name for name in charts_of("quick") if name.startswith(("connections", "rates"))]
    assert "generators" not in charts_of("quick")
    assert not [name for name in charts_of("workers") if name.startswith("latency")]


@pytest.mark.parametrize(
    ("kind", "name", "title"),
    [
        ("quick", "forest", r"fastapi on uvicorn serves more in 3 of 6, flask on gunicorn-gthread in 2, \w+ in 1"),
        (
            "quick",
            "factors",
            r"Throughput changes with a connection pool \(wsgi 1\.\d+.?, asgi 13\.\d.?\), a redis cache",
        ),
        ("quick", "workers", r"Up to 4 workers on 1 server core bring flask 2\.\d+ times .*, fastapi 1\.0\d times"),
        ("quick", "workers-share", r"The busiest of 4 workers takes at most 31 % where 25 % would be even"),
        (
            "quick",
            "efficiency",
            r"With a CPU second flask on gunicorn-gthread does more in \d of 6, fastapi .*; with a GiB",
        ),
        ("quick", "throughput-json", r"json: fastapi on uvicorn serves [34]\.\d+ times \(\S+ to \S+\) what flask"),
        ("quick", "cpu-json", r"json: fastapi on uvicorn spends less CPU on a request: flask .* takes 3\.\d+ times \("),
        ("quick", "latency-external-data", r"external-data: at equal rates, flask .* answers sooner in 3 of 3"),
        ("quick", "series-json", r"json: blocks differ by \d\.\d % \(SD\), the ratios within them by \d\.\d % at most"),
        ("several", "generators", r"2 generators shared the load: the busiest used at most 70 % of a core$"),
        (
            "elsewhere",
            "generators",
            r"2 generators on 2 machines .* 70 % .*; arrivals left at most 500 µs late \(p99\)",
        ),
        ("sweep", "rates-external-data", r"external-data: flask holds 300/s \(.*\), fastapi holds 350/s at least"),
        (
            "sweep",
            "connections-external-data",
            r"flask needs \d+ connections for its best \(\d+/s\); fastapi needs 256 connections",
        ),
    ],
)
def test_a_title_is_the_conclusion_that_the_data_give(kind: str, name: str, title: str) -> None:
    """Not the name of an axis."""
    assert re.search(title, charts_of(kind)[name].title.replace("\u202f", " "))


@pytest.mark.parametrize(("kind", "name"), EVERY)
def test_a_chart_has_a_table_with_the_values_that_its_marks_tell(kind: str, name: str) -> None:
    """Of what it shows: every marked value of an arm or pair is in a row."""
    chart = charts_of(kind)[name]
    assert all(len(row) == len(chart.columns) for row in chart.rows)
    assert not chart.arms or len(chart.arms) == len(chart.rows)
    with style.styled() as theme:
        marks = [mark for group in chart.draw(theme).marks.values() for mark in group]
    assert marks
    listed = {cell.key for row in chart.rows for cell in row if isinstance(cell, Value)}
    assert {mark.value.key for mark in marks if mark.value is not None} <= listed


@pytest.mark.parametrize(("kind", "name"), EVERY)
def test_a_chart_is_well_formed_and_its_marks_answer(kind: str, name: str) -> None:
    """On the page each mark has a name; no id of one chart can meet that of another; no title is drawn twice."""
    chart = charts_of(kind)[name]
    text, embedded = drawn(chart)
    ET.fromstring(text)  # noqa: S314 - our own file
    ET.fromstring(embedded)  # noqa: S314 - our own file
    with style.styled() as theme:
        count = sum(map(len, chart.draw(theme).marks.values()))
    assert embedded.count('class="mark"') == count
    assert embedded.count("aria-label=") == count
    assert all(identity.startswith("it-") for identity in re.findall(r' id="([^"]+)"', embedded))
    assert "#c2560a" not in embedded
    assert "var(--c-" in embedded


@pytest.mark.parametrize(("kind", "name"), EVERY)
def test_dark_and_light_differ_in_colour_alone(kind: str, name: str) -> None:
    """No light colour is left in the dark file."""
    text, _ = drawn(charts_of(kind)[name])
    dark = style.dark(text)
    light_only = set(style.properties(style.LIGHT).values()) - set(style.properties(style.DARK).values())
    assert not [colour for colour in light_only if colour in dark]
    assert re.sub("#[0-9a-f]{6}", "", dark) == re.sub("#[0-9a-f]{6}", "", text)


def test_every_colour_has_one_role_and_can_be_read() -> None:
    """Text stands out from the paper as WCAG AA asks, in both themes; the sides as far as colour-blind eyes need."""
    for theme in (style.LIGHT, style.DARK):
        colours = list(style.properties(theme).values())
        assert len(set(colours)) == len(colours)
        for colour in (theme.ink, theme.muted, theme.a, theme.b, theme.neutral):
            assert contrast(colour, theme.paper) >= 4.5
    # deuteranopes and protanopes see blue against yellow: the sides differ in exactly that
    for a, b in ((style.LIGHT.a, style.LIGHT.b), (style.DARK.a, style.DARK.b)):
        assert channel(a, 2) - channel(a, 0) < -0.5 < 0.3 < channel(b, 2) - channel(b, 0)


def channel(colour: str, number: int) -> float:
    """Red, green or blue of a colour, 0 to 1."""
    return int(colour[1 + 2 * number : 3 + 2 * number], 16) / 255


def contrast(text: str, paper: str) -> float:
    """WCAG 2.2: contrast ratio of two colours."""

    def luminance(colour: str) -> float:
        linear = [
            c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (channel(colour, i) for i in range(3))
        ]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(text), luminance(paper)))
    return (high + 0.05) / (low + 0.05)


def test_a_drawing_is_the_same_every_time() -> None:
    """Reports are compared byte by byte."""
    chart = charts_of("quick")["forest"]
    assert drawn(chart) == drawn(chart)


def test_the_settings_and_the_fonts_of_a_machine_decide_nothing() -> None:
    """A font that comes with matplotlib draws, and a matplotlibrc changes no chart."""
    chart = charts_of("quick")["forest"]
    before = drawn(chart)
    with mpl.rc_context({"lines.markersize": 30, "font.family": "serif", "savefig.bbox": "tight", "axes.xmargin": 0.4}):
        assert drawn(chart) == before
    with style.styled():
        face = Path(font_manager.findfont(font_manager.FontProperties()))
    assert face.is_relative_to(mpl.get_data_path())
    assert "font-family: 'DejaVu Sans', sans-serif" in before[0]


@pytest.mark.parametrize(("kind", "name"), EVERY)
def test_title_and_note_fit_into_a_chart(kind: str, name: str) -> None:
    """In the font that draws them."""
    with style.styled() as theme:
        figure = charts_of(kind)[name].draw(theme).figure
        ends = [text.get_window_extent().x1 / figure.bbox.x1 for text in figure.texts]
    assert 0 < max(ends) <= 1


def test_generators_are_told_with_their_machines_clocks_and_shares() -> None:
    """Of each figure the worst, and a dot for each trial that had it."""
    chart = charts_of("elsewhere")["generators"]
    assert [tuple(str(cell).replace("\u202f", " ") for cell in row) for row in chart.rows] == [
        ("generator 1 on bench@10.0.0.10", "67 %", "40 %", "40 %", "1 %", "250 µs", "the same", "0 µs"),
        ("generator 2 on eleven", "33 %", "70 %", "70 %", "1 %", "500 µs", "-2.50 s off", "120 µs"),
    ]
    trials = study_of("elsewhere").run.trials
    opened = sum(trial.phase == "open" for trial in trials)
    with style.styled() as theme:
        says = [mark.says for group in chart.draw(theme).marks.values() for mark in group]
    assert len(says) == 2 * (len(trials) + opened)
    assert len([words for words in says if words.endswith("500\u202fµs")]) == opened
    text, _ = drawn(chart)
    assert "clock -2.50\u202fs off, to 120\u202fµs" in text


def test_names_are_text_in_a_drawing() -> None:
    """A dollar is no formula, a tag no element."""
    for chart in charts_of("hostile").values():
        text, _ = drawn(chart)
        tree = ET.fromstring(text)  # noqa: S314 - our own file
        assert {element.tag.rpartition("}")[2] for element in tree.iter()} <= {
            "svg", "defs", "style", "g", "path", "text", "tspan", "use", "clipPath", "rect",
        }  # fmt: skip


def test_what_was_not_held_is_a_cross_and_no_latency() -> None:
    """A rate that the side could not hold has no response time."""
    chart = charts_of("sweep")["rates-external-data"]
    lost = [row for row in chart.rows if str(row[-1]).startswith("no: ")]
    assert len(lost) == 1
    assert lost[0][2:4] == ("not resolved", "not resolved")
    with style.styled() as theme:
        says = [mark.says for group in chart.draw(theme).marks.values() for mark in group]
    assert len([text for text in says if "under 99 %" in text]) == 1


def test_the_fewest_workers_within_the_margin_are_ringed() -> None:
    """Of equals the smallest: a computing target needs one."""
    rows = charts_of("workers")["workers"].rows
    tied = [(row[0], str(row[2]).partition(" ")[0], row[1], row[4]) for row in rows]
    assert ("json", "flask", "1 worker", "yes") in tied
    assert ("external-data", "flask", "pooled, 4 workers", "yes") in tied
    assert ("external-data", "flask", "pooled, 2 workers", "no") in tied


def test_effects_of_both_interfaces_and_their_difference_share_a_row() -> None:
    """However their contexts differ in what is each side's own."""
    study = study_of("quick")
    effects = [effect for effect in study.comparison.effects if effect.metric == "throughput_rps"]
    rows = contrasts(effects, study.factors)
    assert [(row.factor.name, row.change) for row in rows] == [
        ("pooling", "none → pool"), ("cache", "none → redis"), ("workers", "1 → 4"),
    ]  # fmt: skip
    for row in rows:
        assert set(row.inside) == {"wsgi", "asgi"}
        assert row.difference is not None
        assert row.difference.ratio == pytest.approx(row.inside["asgi"].ratio / row.inside["wsgi"].ratio, rel=0.05)


@pytest.mark.parametrize(
    ("low", "high"), [(0.1, 10), (0.9, 1.1), (0.99, 1.001), (1e-6, 1e6), (2.1, 2.9), (20_000, 400_000), (1, 1.5)]
)
def test_an_axis_has_some_round_ticks_and_not_too_many(low: float, high: float) -> None:
    """Between its limits."""
    ticks = log_ticks(low, high)
    assert 1 <= len(ticks) <= 7
    assert all(low <= tick <= high * (1 + 1e-12) for tick in ticks)


def test_the_axis_of_the_forest_holds_every_interval_and_room_beside_one() -> None:
    """Also when all pairs lie on one side."""
    study = study_of("quick")
    verdicts = [verdict for pair in study.pairs if (verdict := study.verdict(pair))]
    low, high = limits_of(verdicts)
    assert all(low < (verdict.low or 1) <= (verdict.high or 1) < high for verdict in verdicts)
    assert limits_of([])[0] < 1 < limits_of([])[1]


def test_many_decades_have_no_more_ticks_than_were_asked_for() -> None:
    """Every second of five, where three are wanted."""
    assert log_ticks(3, 3e5, 3) == [10, 1000, 100_000]


@pytest.mark.parametrize("memory_mib", [14, 60, 160, 2000])
def test_the_labels_of_an_axis_stand_apart(memory_mib: float) -> None:
    """However far apart its values lie, the labels that are drawn do not touch, and there is one at least."""
    json, *_ = quick_pairs()
    pair = replace(json, a=replace(json.a, memory_mib=memory_mib), b=replace(json.b, memory_mib=46))
    chart = {chart.name: chart for chart in charts(support.study_of(support.run([pair])))}["efficiency"]
    with style.styled() as theme:
        figure = chart.draw(theme).figure
        figure.draw_without_rendering()
        for axes in figure.axes:
            low, high = axes.get_xlim()
            ticks = [tick.label1 for tick in axes.xaxis.get_major_ticks() if low <= tick.get_loc() <= high]
            assert ticks
            boxes = sorted((label.get_window_extent() for label in ticks), key=lambda box: box.x0)
            assert all(left.x1 + 3 <= right.x0 for left, right in pairwise(boxes)), [
                label.get_text() for label in ticks
            ]


def test_labels_are_moved_apart_and_keep_their_order() -> None:
    """By no more than they must."""
    moved = apart([1.0, 1.0, 1.05, 3.0], 0.5)
    assert moved[3] == 3.0
    assert moved[2] - moved[0] >= 0.99
    assert apart([0.0, 1.0], 0.5) == [0.0, 1.0]


def test_names_become_file_names_no_two_alike() -> None:
    """Whatever they hold."""
    names = ["a b", "a-b", "A B!", "../../etc", "", "x" * 300, "x" * 299 + "y"]
    by_name = slugs(names)
    assert list(by_name) == names
    assert len(set(by_name.values())) == len(names)
    assert all(re.fullmatch(r"[a-z0-9-]{1,64}", slug) for slug in by_name.values())


def test_a_long_name_is_cut_in_a_title() -> None:
    """The section's heading has it in full."""
    long = next(name for name in study_of("hostile").scenarios if len(name) == 200)
    title = charts_of("hostile")[f"throughput-{long}"].title
    assert title.startswith(f"{long[:40]}")
    assert long not in title
    assert words.title(long) in title


def test_a_run_of_one_pair_with_one_side_only_is_drawn() -> None:
    """A mark without a point is in no drawing, and missed by none."""
    good = quick_pairs()[0]
    lone = [replace(good, b=replace(good.b, error="python lacks no-such-package"))]
    run = support.run(lone, blocks=1)
    drawings = list(charts(support.study_of(run)))
    assert drawings
    for chart in drawings:
        drawing = chart.draw(style.LIGHT)
        assert inline("stem", drawing, style.svg(drawing.figure)).startswith("<svg")


def test_cpu_that_is_not_known_is_no_bar_of_the_generator_alone() -> None:
    """As of a server that runs already: it says so in words."""
    whole = support.run(quick_pairs()[:1], phases=("closed",))
    group = whole.info.plan.groups[0]
    unseen = tuple(
        replace(
            trial,
            cpu_s_per_request=None,
            slices=tuple(replace(row, cpu_s=None, outside_fraction=None) for row in trial.slices),
        )
        if trial.arm == group.arms[0].id
        else trial
        for trial in whole.trials
    )
    made = {chart.name: chart for chart in charts(support.study_of(replace(whole, trials=unseen)))}
    assert drawn(made[f"cpu-{group.scenario}"])[0].count("not known") == 1
