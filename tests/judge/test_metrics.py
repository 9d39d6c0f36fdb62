"""The one registry of metrics."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.judge.metrics import COMPARED, METRICS, metrics
from harness.suite import PHASES, Phase
from tests import factories

GROUP = factories.group()


def test_what_pairs_are_compared_by_is_what_arms_show() -> None:
    """A comparison has no metric of its own, and exactly one is primary."""
    for name, phases in COMPARED.items():
        assert METRICS[name].name == name
        assert set(phases) <= set(METRICS[name].phases)
    assert [metric.name for metric in METRICS.values() if metric.primary] == ["throughput_rps"]


@pytest.mark.parametrize(
    ("phases", "compared"),
    [
        (PHASES, {"throughput_rps": "closed", "cpu_s_per_request": "closed", "latency_p99_us": "open"}),
        (
            ("closed",),
            {"throughput_rps": "closed", "cpu_s_per_request": "closed", "saturated_latency_p99_us": "closed"},
        ),
        (("open",), {"cpu_s_per_request": "open", "memory_bytes": "open", "latency_p50_us": "open"}),
    ],
)
def test_a_group_is_compared_by_what_its_phases_show(phases: tuple[Phase, ...], compared: dict[str, Phase]) -> None:
    """CPU and memory in the closed phase where there is one."""
    shown = {metric.name: metric.phase for metric in metrics(factories.in_phases(GROUP, *phases))}
    assert compared.items() <= shown.items()
    assert set(shown.values()) <= set(phases)
    assert ("throughput_rps" in shown) == ("closed" in phases)


def test_what_processes_share_is_a_figure_of_its_own() -> None:
    """Nothing shared is a figure; an older record has none."""
    shares = [METRICS["shared_bytes"].read(factories.trial(shared_bytes=size)) for size in (4096, 0, None)]
    assert shares == [4096, 0, None]


def test_memory_a_worker_what_is_shared_no_more_and_the_start_are_read_where_they_are_known():
    """Of older records only the first is."""
    rows = tuple(replace(row, shared_bytes=20) for row in factories.trial().slices)
    trial = factories.trial(memory_bytes=900, slices=rows, shared_before_bytes=25, first_answer_s=0.4)
    trial = replace(trial, cell=replace(trial.cell, workers=3))
    names = ("memory_bytes_per_worker", "shared_lost_bytes", "first_answer_s")
    assert [METRICS[name].read(trial) for name in names] == [300, 5, 0.4]
    assert [METRICS[name].read(factories.trial(memory_bytes=None)) for name in names] == [None, None, None]
