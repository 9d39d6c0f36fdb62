"""A mix through the whole of gatebench: `run` on our twins."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import record
from harness.record import Trial
from harness.spec.histogram import Histogram
from tests.cli.test_cli import gatebench

SUITE = """
blocks = 1
rounds = 1
slice_s = 2.5
open_slice_s = 1

[[pair]]
scenario = "shop"
connections = 16
"""
WEIGHTS = {"front": 8, "search": 6, "order": 3, "sign-up": 1, "account": 2}


def total(trials: list[Trial], name: str) -> int:
    """Requests of that name in all the trials."""
    return sum(row.requests for trial in trials for row in trial.by_request if row.name == name)


@pytest.mark.live
def test_a_mix_with_a_login_and_a_data_file_on_our_twins(tmp_path: Path) -> None:
    """Shares within two points, every answer verified, and histograms that merge to the whole's, count for count."""
    (tmp_path / "mix.toml").write_text(SUITE)
    done = gatebench("run", "mix.toml", "--out", "mine", "--shared-cpu", cwd=tmp_path)
    assert done.returncode in {0, 3}, done.stderr
    trials = list(record.read(tmp_path / "mine").trials)
    assert [(trial.trial, trial.error, trial.errors) for trial in trials] == [
        (f"{arm}/0/{phase}", None, 0) for phase in ("closed", "open") for arm in ("p1a", "p1b")
    ]
    for trial in trials:
        assert {row.name: row.weight for row in trial.by_request} == WEIGHTS
        assert sum(row.requests for row in trial.by_request) == trial.requests
        merged = Histogram.merged(Histogram.decode(row.histogram or "") for row in trial.by_request)
        assert trial.histogram is not None
        assert merged.counts.tolist() == Histogram.decode(trial.histogram).counts.tolist()
        assert sum(row.throughput_rps or 0 for row in trial.by_request) == pytest.approx(trial.throughput_rps)
    every = sum(trial.requests for trial in trials)
    shares = {name: total(trials, name) / every for name in WEIGHTS}
    assert shares == pytest.approx({name: weight / 20 for name, weight in WEIGHTS.items()}, abs=0.02)
    a, b = ([row.requests for row in trial.by_request] for trial in trials[2:])
    assert a == b, "at one rate both arms replay one sequence"
    kept = (tmp_path / "mine" / "run.json").read_text() + (tmp_path / "mine" / "trials.jsonl").read_text()
    assert "lovelace" not in kept
    assert "session-ada" not in kept
