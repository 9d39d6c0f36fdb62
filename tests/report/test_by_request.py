"""What a report says of each request of a mix."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pytest

from harness.record import RequestRow, Run, Trial
from harness.report.by_request import by_request
from harness.suite import Arm, Expect, Group, Phase, Weighted
from tests.report import report_support as support
from tests.report.report_pairs import quick_pairs

WEIGHTS = {"read <b>": 3, "write": 1}


def mixed(*phases: Phase) -> Run:
    """A run of one pair under a mix, whose two requests have all the answers of a trial by their weights."""
    run = support.run(quick_pairs()[:1], phases=phases)
    mix = tuple(Weighted(name=name, path="/", weight=weight, expect=Expect()) for name, weight in WEIGHTS.items())

    def arm(given: Arm) -> Arm:
        return replace(given, scenario=replace(given.scenario, request=None, expect=None, mix=mix))

    def group(given: Group) -> Group:
        return replace(given, arms=tuple(map(arm, given.arms)))

    plan = replace(run.info.plan, groups=tuple(map(group, run.info.plan.groups)))
    trials = tuple(replace(trial, by_request=tuple(rows(trial))) for trial in run.trials)
    return replace(run, info=replace(run.info, plan=plan), trials=trials)


def rows(trial: Trial) -> list[RequestRow]:
    """The two requests of a trial."""
    counts = {"read <b>": trial.requests - trial.requests // 4, "write": trial.requests // 4}
    return [
        RequestRow(
            name=name,
            weight=weight,
            requests=counts[name],
            errors=0,
            share=weight / 4,
            throughput_rps=(trial.throughput_rps or 0) * weight / 4,
            latency_us=trial.latency_us,
            histogram=trial.histogram,
        )
        for name, weight in WEIGHTS.items()
    ]


def test_the_table_shows_each_request_of_each_arm() -> None:
    """Throughput of the closed load, which adds up to that of the arm; latency of the open one."""
    study = support.study_of(mixed("closed", "open"))
    table = by_request(study, "json")
    assert table is not None
    assert (table.throughput, table.latency) == ("closed", "open")
    assert [(row.name, row.letter) for row in table.rows] == [(name, side) for name in WEIGHTS for side in "ab"]
    share, throughput, p50, p99 = table.rows[0].figures
    whole = study.arm("p1a", "throughput_rps")
    assert share is not None
    assert throughput is not None
    assert whole is not None
    assert (share.value, share.low, share.high) == (0.75, 0.75, 0.75)
    assert throughput.value == pytest.approx((whole.value or 0) * 0.75)
    assert p50 == study.values["request/p1a read <b>/latency_p50_us/open"]
    assert p99 is not None


@pytest.mark.parametrize("phase", ["closed", "open"])
def test_with_one_load_the_table_shows_that(phase: Phase) -> None:
    """Of a closed one the percentiles are those of its queue."""
    table = by_request(support.study_of(mixed(phase)), "json")
    assert table is not None
    assert (table.throughput, table.latency) == (phase, phase)
    assert all(figure is not None for figure in table.rows[0].figures[:3])


def test_a_single_request_has_no_such_table() -> None:
    """Nor has a run that measured nothing."""
    assert by_request(support.study_of(support.run(quick_pairs()[:1])), "json") is None
    assert by_request(support.study_of(replace(mixed("closed"), trials=())), "json") is None


def test_page_and_summary_say_the_same_of_a_request(tmp_path: Path) -> None:
    """And a name is never markup."""
    folder = support.written(mixed("closed", "open"), tmp_path)
    support.built(folder)
    with (folder / "summary.csv").open(encoding="utf-8", newline="") as file:
        found = {"/".join(row[name] for name in ("kind", "id", "metric", "load")): row for row in csv.DictReader(file)}
    row = found["request/p1b write/throughput_rps/closed"]
    assert (row["request"], row["scenario"], row["blocks"]) == ("write", "json", "5")
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert f'data-key="request/p1b write/throughput_rps/closed" data-value="{row["value"]}"' in page
    assert "read &lt;b&gt;" in page
    assert "read <b>" not in page
