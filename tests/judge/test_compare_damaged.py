"""Runs that are compared from damaged records: refused by name, or without what is torn."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness import record
from harness.errors import RecordError
from harness.judge.compare import within
from harness.record import Run
from tests import factories


def stored(folder: Path, run: Run) -> Path:
    """The run, written as a measurement would."""
    folder.mkdir()
    with record.writing(folder, run.info) as writer:
        for trial in run.trials:
            writer.append(trial)
    return folder


def corrupt(folder: Path, change: dict[str, Any]) -> None:
    """Put `change` into the first trial's line; the keys of `slices` into its first slice."""
    path = folder / "trials.jsonl"
    first, *rest = path.read_text().splitlines()
    row = json.loads(first)
    row["slices"][0] |= change.pop("slices", {})
    row |= change
    path.write_text("\n".join([json.dumps(row), *rest]) + "\n")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"slices": {"mean_latency_us": 1000.0}}, "trial p1a/0/closed: Little's law is off in round 0"),
        ({"latency_us": {**record.as_json(factories.trial())["latency_us"], "p99": 1.0}}, "p99 (1) below p50 (60000)"),
        ({"upstream_hits": 5, "upstream_good": 9, "upstream_attempts": 9}, "fewer upstream hits (5) than good answers"),
        ({"slices": {"cpu_s": -0.5}}, "cpu_s"),
        ({"cpu_s_per_request": -0.001}, "cpu_s_per_request"),
    ],
)
def test_corrupted_records_are_refused_by_name(tmp_path: Path, change: dict[str, Any], named: str):
    """What cannot be true is not compared: the error names the trial or the line, and what is wrong."""
    arms = factories.flask_arm("p1a", scenario=factories.EXTERNAL), factories.arm("p1b", scenario=factories.EXTERNAL)
    run = factories.simulated_run(factories.plan(factories.group(*arms)))
    folder = stored(tmp_path / "run", run)
    within(record.read(folder))
    corrupt(folder, change)
    with pytest.raises(RecordError) as error:
        within(record.read(folder))
    assert named in str(error.value)


def test_a_torn_line_is_left_out_with_a_caveat(tmp_path: Path):
    """A run that was killed while it wrote is compared without its last line, and says so."""
    folder = stored(tmp_path / "run", factories.simulated_run(factories.plan(blocks=6)))
    path = folder / "trials.jsonl"
    path.write_bytes(path.read_bytes()[:-200])
    comparison = within(record.read(folder))
    assert [caveat.kind for caveat in comparison.caveats] == ["torn"]
    assert "--resume" in comparison.caveats[0].remedy
    assert comparison.pairs[0].blocks == 5
