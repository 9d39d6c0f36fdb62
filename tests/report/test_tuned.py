"""The report of a tuning."""

from __future__ import annotations

import csv
import re
from dataclasses import replace
from html import unescape
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from harness.errors import RecordError
from harness.judge import compare
from harness.report.charts.best_three import best_three
from harness.report.charts.candidates import candidates
from harness.report.charts.frontier import frontier
from harness.report.charts.search import machines_part, search
from harness.report.figures import Study, study
from harness.report.index import index
from harness.report.style import LIGHT
from harness.report.terminal import terminal
from harness.tune.candidates import Candidate
from harness.tune.interval import Interval
from harness.tune.recommendation import FILE, Recommendation, dump
from tests.report import report_support as support
from tests.report import report_tuning


def written(folder: Path, answer: Recommendation) -> Path:
    """The folder of a tuning with that answer."""
    run = support.written(report_tuning.tune_run(), folder)
    (run / FILE).write_text(dump(answer), encoding="utf-8")
    return run


def text_of(path: Path) -> str:
    """What can be read in a page."""
    html = re.sub(r"<(script|style)\b.*?</\1>", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", html)).split())


def study_of(answer: Recommendation) -> Study:
    """Its run, as the report sees it."""
    run = report_tuning.tune_run()
    return Study(run, compare.within(run), answer)


def test_the_page_opens_with_what_to_deploy(tmp_path: Path) -> None:
    """Workers, the rate that holds, the paragraph, the command line."""
    text = text_of(support.built(written(tmp_path, report_tuning.tuning())))
    headline = "Run flask on gunicorn-gthread with 4 workers of 8 threads; it holds p99 < 100 ms up to 880/s"
    assert headline in text
    assert text.index("it is the smallest") < text.index("Data of this chart")
    assert "python -m gunicorn -k gthread -w 4 --threads 8 targets.flask_app:app" in text
    assert "one core only" in text


def test_a_capacity_that_is_not_settled_only_probably_holds(tmp_path: Path) -> None:
    """In the headline, beside both ends, and over the chart."""
    answer = report_tuning.tuning()
    assert answer.capacity_rps is not None
    unsettled = replace(answer, capacity_rps=replace(answer.capacity_rps, settled=False))
    text = text_of(support.built(written(tmp_path, unsettled)))
    assert "it probably holds p99 < 100 ms up to 880/s" in text
    assert "p99 < 100 ms probably holds the highest rate" in text
    assert "p99 < 100 ms probably does not hold the lowest rate" in text
    assert "p99 < 100 ms probably holds up to 880/s and not at 950/s" in text


def test_the_summary_has_every_candidate_and_both_ends_of_the_bracket(tmp_path: Path) -> None:
    """A row each, and metric."""
    folder = written(tmp_path, report_tuning.tuning())
    support.built(folder)
    with (folder / "summary.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    throughput = [row for row in rows if row["kind"] == "candidate" and row["metric"] == "throughput_rps"]
    assert [row["verdict"] for row in throughput].count("recommended") == 1
    assert len(throughput) == 7
    ends = {row["id"]: float(row["value"]) for row in rows if row["kind"] == "capacity"}
    assert ends == {"low": 880.0, "high": 950.0}
    assert "| 4 | 8 | recommended | 985/s (955/s to 1,010/s) |" in (folder / "summary.md").read_text(encoding="utf-8")


def test_both_charts_conclude_in_their_titles() -> None:
    """The smallest count within the margin, and the bracket."""
    study = study_of(report_tuning.tuning())
    first, second = candidates(study), search(study)
    assert first is not None
    assert (
        first.title.replace("\u202f", " ") == "4 workers: the least within 5 % of the best, 985/s, tied with 2 others"
    )
    assert second is not None
    assert second.title == "p99 < 100 ms holds up to 880/s and not at 950/s"
    assert [row[1] for row in second.rows].count("not held") == 2


def test_without_an_objective_there_is_no_search() -> None:
    """Only candidates."""
    study = study_of(report_tuning.tuning(slo=False))
    assert candidates(study) is not None
    assert search(study) is None


def test_a_tuning_that_found_nothing_says_so(tmp_path: Path) -> None:
    """Every candidate failed; nothing holds."""
    answer = report_tuning.tuning()
    failed = tuple(
        replace(
            row, standing="failed", why="no such module", throughput_rps=None, low_rps=None, high_rps=None, blocks=0
        )
        for row in answer.candidates
    )
    none = replace(answer.capacity_rps, low=None) if answer.capacity_rps else None
    nothing = replace(answer, candidates=failed, recommended=None, ties=(), capacity_rps=none, command=())
    text = text_of(support.built(written(tmp_path, nothing)))
    assert "Nothing to recommend for flask on gunicorn-gthread" in text
    assert "No rate holds p99 < 100 ms" in text


def test_the_terminal_shows_the_candidates(tmp_path: Path) -> None:
    """And the paragraph."""
    folder = written(tmp_path, report_tuning.tuning())
    console = Console(file=StringIO(), width=120)
    terminal(study(folder), console)
    assert isinstance(console.file, StringIO)
    table = console.file.getvalue()
    assert re.search(r"4 +8 +985/s \(955/s to 1,010/s\).* recommended", table)
    assert "it is the smallest" in table


def test_the_index_tells_what_was_recommended(tmp_path: Path) -> None:
    """Instead of verdicts."""
    support.built(written(tmp_path, report_tuning.tuning()))
    assert "recommends 4 workers of 8 threads" in text_of(index(tmp_path))


def test_a_broken_answer_is_named(tmp_path: Path) -> None:
    """By its file."""
    folder = support.written(report_tuning.tune_run(), tmp_path)
    (folder / FILE).write_text("{}")
    with pytest.raises(RecordError, match=FILE):
        support.built(folder)


def test_the_page_of_a_rate_opens_with_what_holds_it(tmp_path: Path) -> None:
    """The settings, the rate and its headroom; the table has every setting that was tried."""
    text = text_of(support.built(written(tmp_path, report_tuning.held())))
    asked = "p99 < 100 ms at 500/s with 30 % headroom"
    assert f"Run flask on gunicorn-gthread with 1 worker of 14 threads; it holds {asked}" in text
    assert f"the cheapest that holds {asked}" in text
    assert "did not come up" in text
    folder = next(tmp_path.glob("*/tune.json")).parent
    assert "| 1 | 14 | recommended | 4 of 4 | 649/s |" in (folder / "summary.md").read_text(encoding="utf-8")


def test_the_frontier_concludes_in_its_title_and_has_every_setting_in_its_table() -> None:
    """Memory against what was answered; a miss is called one."""
    chart = frontier(study_of(report_tuning.held()))
    assert chart is not None
    assert chart.title.startswith("1 worker of 14 threads: the cheapest that holds p99 < 100 ms at 500/s")
    assert [row[2] for row in chart.rows].count("does not hold") == 2
    assert len(chart.rows) == 7
    answer = report_tuning.held()
    assert answer.rate is not None
    missed = replace(answer, recommended=None, rate=replace(answer.rate, nearest=Candidate(1, 14)))
    nothing = frontier(study_of(missed))
    assert nothing is not None
    assert nothing.title.startswith("Nothing that was tried holds p99 < 100 ms at 500/s")
    assert frontier(study_of(report_tuning.tuning())) is None


def test_the_terminal_and_the_index_show_what_holds_a_rate(tmp_path: Path) -> None:
    """A table of what was offered it, and the settings."""
    folder = written(tmp_path, report_tuning.held())
    support.built(folder)
    console = Console(file=StringIO(), width=120)
    terminal(study(folder), console)
    assert isinstance(console.file, StringIO)
    assert re.search(r"1 +14 +4 of 4 +649/s .* recommended", console.file.getvalue())
    assert "recommends 1 worker of 14 threads" in text_of(index(tmp_path))


def test_the_interval_is_shown_with_the_part_that_is_the_machines() -> None:
    """Half of the variance is seven tenths of the width, to either side; the chart hatches and says it."""
    found = Interval(low=800.0, middle=900.0, high=1000.0, machine=0.49, launches=0.3, trials=12)
    low, high = machines_part(found)
    assert low == pytest.approx(900 * (800 / 900) ** 0.7)
    assert high == pytest.approx(900 * (1000 / 900) ** 0.7)
    answer = report_tuning.tuning()
    assert answer.capacity_rps is not None
    chart = search(study_of(replace(answer, capacity_rps=replace(answer.capacity_rps, interval=found))))
    assert chart is not None
    assert "Hatched: what the machine's spells alone make of that, 49\u202f% of the variance" in chart.note
    assert any("the machine's part" in mark.says for marks in chart.draw(LIGHT).marks.values() for mark in marks)
    without = search(study_of(answer))
    assert without is not None
    assert "Hatched" not in without.note


def test_p99_against_the_rate_is_drawn_for_the_best_three() -> None:
    """What is recommended, and the two others that hold most; a row and a mark for each round of each."""
    chart = best_three(study_of(report_tuning.raced()))
    assert chart is not None
    assert chart.title.replace("\u202f", " ") == (
        "4 workers hold about 900/s under p99 < 100 ms, beside 5 workers and 8 workers"
    )
    assert {row[0] for row in chart.rows} == {"4 workers", "5 workers", "8 workers"}
    assert [row[2] for row in chart.rows].count("not held") == 3
    assert len(chart.draw(LIGHT).marks) == len(chart.rows) == 6
    assert best_three(study_of(report_tuning.tuning())) is None


def test_p99_against_the_rate_claims_no_capacity_that_was_not_bracketed() -> None:
    """Where the recommended missed every rate, the title gives no figure."""
    answer = report_tuning.raced()
    missed = tuple(replace(row, held=replace(row.held, held=0)) if row.held else row for row in answer.candidates)
    chart = best_three(study_of(replace(answer, candidates=missed)))
    assert chart is not None
    assert chart.title.startswith("4 workers: p99 by the rate offered")


LAUNCHED = ("a worker", "shared", "of it lost", "first answer")


@pytest.mark.parametrize("answer", [report_tuning.tuning(), report_tuning.held()], ids=["most", "a rate"])
def test_the_tables_say_how_candidates_start_and_what_their_workers_share(
    answer: Recommendation, tmp_path: Path
) -> None:
    """In the terminal, in summary.md and under the chart; in summary.csv with the range of the starts."""
    page = support.built(written(tmp_path, report_tuning.launched(answer)))
    markdown = (page.parent / "summary.md").read_text(encoding="utf-8").replace("\u202f", " ")
    assert f"| {' | '.join(LAUNCHED)} |" in markdown
    assert "| 29.0 MiB | 5.00 MiB | 810 ms (720 ms to 1.30 s) |" in markdown
    text = text_of(page).replace("\u202f", " ")
    assert " ".join(LAUNCHED) in text
    assert "29.0 MiB 5.00 MiB 810 ms 720 ms to 1.30 s" in text
    assert "of it lost: how much less that is after a launch's last slice than before its first load" in text
    console = Console(width=250, record=True, file=StringIO())
    terminal(study(page.parent), console)
    assert "810 ms (720 ms to 1.30 s)" in console.export_text().replace("\u202f", " ")
    with (page.parent / "summary.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["metric"]: row for row in csv.DictReader(file) if row["kind"] == "candidate"}
    first = rows["first_answer_s"]
    assert (first["value"], first["low"], first["high"], first["unit"]) == ("0.81", "0.72", "1.3", "s")
    assert float(rows["shared_lost_bytes"]["value"]) == 5 * 2**20
    assert float(rows["memory_bytes_per_worker"]["value"]) > 0


@pytest.mark.parametrize("answer", [report_tuning.tuning(), report_tuning.held()], ids=["most", "a rate"])
def test_older_answers_have_no_empty_columns_for_that(answer: Recommendation, tmp_path: Path) -> None:
    """Memory a worker follows from what they have."""
    page = support.built(written(tmp_path, answer))
    markdown = (page.parent / "summary.md").read_text(encoding="utf-8")
    assert "| memory | a worker |" in markdown
    assert "first answer" not in markdown
    assert "of it lost" not in markdown
    assert "first_answer_s" not in (page.parent / "summary.csv").read_text(encoding="utf-8")
