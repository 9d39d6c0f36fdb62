"""Runs in the formats of other tools, held against what their schemas and readers demand."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from harness.errors import NothingValidError
from harness.judge.compare import between, gate, within
from harness.judge.demands import Demands
from harness.judge.validity import judge
from harness.record import Run, Trial
from harness.report.exports import FORMATS, Shown
from harness.suite import Thresholds
from tests import factories
from tests.report import report_support as support
from tests.report.report_pairs import hostile_pairs, quick_pairs

RESULTS = {"failure", "error", "skipped"}


def shown(*runs: Run, **asked: Any) -> Shown:
    """What `gatebench export` shows of these runs."""
    comparison = within(runs[0]) if len(runs) == 1 else between(*runs)
    demands = Demands(**{"threshold": 0.05} | asked)
    return Shown(runs=runs, comparison=comparison, gate=gate(comparison, runs, demands))


def changed(run: Run, change: Callable[[Trial], Trial]) -> Run:
    """The run with each of its trials changed."""
    return replace(run, trials=tuple(map(change, run.trials)))


def stolen(trial: Trial) -> Trial:
    """The hypervisor took a tenth of the CPU."""
    taken = replace(trial, slices=tuple(replace(row, steal_fraction=0.1) for row in trial.slices))
    return replace(taken, valid=False, reasons=judge(taken, Thresholds()))


def not_started(trial: Trial) -> Trial:
    """The candidate did not start."""
    if trial.arm != "p1b":
        return trial
    names = ("trial", "arm", "pair", "group", "block", "phase", "cell", "load", "started")
    return Trial(error="ended with 1: ImportError", fault="arm", **{name: getattr(trial, name) for name in names})


def junit(text: str) -> ET.Element:
    """The one suite of a document, which both schemas that are in use allow.

    Ant's (windyroad/JUnit-Schema) is the narrower one: order of the children, required attributes, a time without zone,
    at most one result a case with a type, decimal seconds. Jenkins' xUnit plugin (junit-10.xsd) adds no demand to it.
    """
    root = ET.fromstring(text)  # noqa: S314 - our own
    assert (root.tag, root.attrib, [child.tag for child in root]) == ("testsuites", {}, ["testsuite"])
    suite = root[0]
    counts = {"tests", "failures", "errors", "skipped"}
    assert suite.attrib.keys() == counts | {"name", "package", "id", "timestamp", "hostname", "time"}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", suite.attrib["timestamp"])
    cases = suite.findall("testcase")
    order = ["properties", *("testcase" for _ in cases), "system-out", "system-err"]
    assert [child.tag for child in suite] == order
    for entry in suite[0]:
        assert (entry.tag, [*entry.attrib]) == ("property", ["name", "value"])
    for case in cases:
        assert case.attrib.keys() == {"name", "classname", "time"}
        assert case.attrib["name"].strip()
        assert re.fullmatch(r"\d+\.\d+", case.attrib["time"])
        assert len(case) <= 1
        for result in case:
            assert result.tag in RESULTS
            assert len(result) == 0
            assert result.attrib.keys() == ({"message"} if result.tag == "skipped" else {"message", "type"})
    found = [len(cases), *(len(suite.findall(f"testcase/{kind}")) for kind in ("failure", "error", "skipped"))]
    assert [int(suite.attrib[name]) for name in ("tests", "failures", "errors", "skipped")] == found
    return suite


def results(suite: ET.Element) -> list[str]:
    """What each case came to."""
    return [case[0].tag if len(case) else "passed" for case in suite.iter("testcase")]


def test_a_slower_candidate_is_a_failure_and_an_equal_one_passes() -> None:
    """With the ratio in the message."""
    slow = junit(FORMATS["junit"](shown(factories.simulated_run(rps={"p1b": 800.0}))))
    assert results(slow) == ["failure"]
    message = slow.findall("testcase/failure")[0].attrib
    assert message["type"] == "regression"
    assert re.search(r"worse by more than 5.%: 0\.8", message["message"])
    assert results(junit(FORMATS["junit"](shown(factories.simulated_run())))) == ["passed"]


def test_a_candidate_that_does_not_start_is_an_error() -> None:
    """With what happened in which blocks."""
    suite = junit(FORMATS["junit"](shown(changed(factories.simulated_run(), not_started))))
    assert results(suite) == ["error"]
    assert "p1b: ended with 1: ImportError" in (suite.findall("testcase/error")[0].text or "")


def test_no_verdict_by_the_machine_is_skipped() -> None:
    """It is not the candidate's fault."""
    suite = junit(FORMATS["junit"](shown(changed(factories.simulated_run(), stolen))))
    assert results(suite) == ["skipped"]
    assert "no verdict: machine" in suite.findall("testcase/skipped")[0].attrib["message"]


def test_blocks_that_are_allowed_pass_and_a_regression_that_is_not_excluded_fails_when_asked() -> None:
    """As the gate says, whose options these are."""
    one = changed(factories.simulated_run(), lambda trial: not_started(trial) if trial.block == 2 else trial)
    assert results(junit(FORMATS["junit"](shown(one)))) == ["error"]
    assert results(junit(FORMATS["junit"](shown(one, allow_failed_blocks=1)))) == ["passed"]
    close = factories.simulated_run(rps={"p1b": 960.0}, noise=0.1)
    assert results(junit(FORMATS["junit"](shown(close, fail_on_inconclusive=True)))) == ["failure"]


def test_each_gated_metric_is_a_case_and_two_runs_are_compared_too() -> None:
    """After over before."""
    metrics = ("throughput_rps", "latency_p99_us", "memory_bytes")
    before, after = support.run(), support.run(seed=9, name="later")
    assert len(results(junit(FORMATS["junit"](shown(before, metrics=metrics))))) == 6 * 3
    suite = junit(FORMATS["junit"](shown(before, after)))
    assert len(results(suite)) == 6
    assert suite.findall("properties/property[@name='run']")[0].attrib["value"] == "later"


def test_names_of_others_stay_text() -> None:
    """Markup, control characters and what XML cannot hold."""
    pair = quick_pairs()[0]
    pairs = [*hostile_pairs(), replace(pair, scenario="void \ufffe \x00 \ud800")]
    for name, write in FORMATS.items():
        text = write(shown(support.run(pairs, phases=("closed",)))).encode("utf-8").decode("utf-8")
        assert "<script>alert(1)" not in text or name != "junit"
        if name == "junit":
            assert len(results(junit(text))) == len(pairs)


def test_bencher_gets_a_benchmark_a_pair_with_ratios_and_values() -> None:
    """As its schema demands: name, measure, and numbers of which `value` is there; names of at most 1,024 and 64."""
    answer = json.loads(FORMATS["bmf"](shown(support.run())))
    assert len(answer) == 6
    for name, measures in answer.items():
        assert 0 < len(name) <= 1024
        assert {"throughput_rps_ratio", "throughput_rps", "latency_p50_us_ratio"} <= measures.keys()
        for measure, figures in measures.items():
            assert 0 < len(measure) <= 64
            assert {"value"} <= figures.keys() <= {"value", "lower_value", "upper_value"}
            assert all(type(figure) is float for figure in figures.values())
            assert figures.get("lower_value", 0) <= figures["value"] <= figures.get("upper_value", figures["value"])


@pytest.mark.parametrize(
    ("name", "has", "lacks"),
    [("github-bigger", "throughput: ", "p50 latency: "), ("github-smaller", "p50 latency: ", "throughput: ")],
)
def test_github_action_benchmark_gets_a_list_of_one_direction(name: str, has: str, lacks: str) -> None:
    """As its reader takes it: name, value and unit, of which the names differ; range and extra as text."""
    entries = json.loads(FORMATS[name](shown(support.run())))
    for entry in entries:
        assert {"name", "unit", "value"} <= entry.keys() <= {"name", "unit", "value", "range", "extra"}
        assert type(entry["value"]) is float
        assert all(isinstance(entry[key], str) for key in entry.keys() - {"value"})
    names = [entry["name"] for entry in entries]
    assert len(set(names)) == len(names)
    assert any(each.startswith(has) for each in names)
    assert not any(each.startswith(lacks) for each in names)
    changes = json.loads(FORMATS[name](shown(support.run(), support.run(seed=9, name="later"))))
    assert {entry["unit"] for entry in changes} == {"after / before"}


@pytest.mark.parametrize("name", ["bmf", "github-bigger", "github-smaller"])
def test_where_there_is_no_figure_none_is_made_up(name: str) -> None:
    """An empty list is what github-action-benchmark refuses."""
    with pytest.raises(NothingValidError, match="no pair has a ratio"):
        FORMATS[name](shown(changed(factories.simulated_run(), not_started)))


def test_a_pair_keeps_its_name_from_run_to_run_and_has_it_alone() -> None:
    """Whatever its number is; two that are alike are numbered."""
    pairs = quick_pairs()
    first = shown(support.run(pairs, phases=("closed",))).names
    later = shown(support.run([pairs[0], *pairs], phases=("closed",))).names
    assert first["p1"] == later["p1"]
    assert later["p2"] == f"{later['p1']} (2)"
    assert first["p6"] == later["p7"]


def test_the_formats_of_the_command_line_are_those_that_there_are() -> None:
    """Its help is written without loading them."""
    from harness.cli.export import NAMES

    assert tuple(FORMATS) == NAMES
