"""The command line of `gatebench tune`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from harness.cli import app
from harness.cli.options import memory_bytes
from harness.errors import GatebenchError, GateError, UsageError
from harness.tune import sitting as sittings
from tests.tune.tune_support import Fake, instead, new_sitting

JSON = "--target fastapi --server uvicorn --scenario json"


def test_memory_is_an_amount() -> None:
    """In powers of 1024, and nothing else."""
    assert [memory_bytes(text) for text in ("1GiB", "1.5 MiB", "4096")] == [1 << 30, 3 << 19, 4096]
    for wrong in ("1GB", "lots", "0MiB"):
        with pytest.raises(UsageError, match="is no amount"):
            memory_bytes(wrong)


@pytest.mark.parametrize(
    ("call", "why"),
    [
        (f"{JSON} --rate 500/s", "give --slo too"),
        (f"{JSON} --rate fast --slo p99<100ms", "no rate"),
        (f"{JSON} --headroom 20%", "give that too"),
        (
            "--target fastapi --server uvicorn --scenario json --rate 500/s --headroom much --slo p99<100ms",
            "no share of a rate",
        ),
        (f"{JSON} --rate 5/s --slo p99<100ms", "state a lower percentile"),
        ("--resume latest --rate 500/s", "leave the rest out"),
        ("", "tune what"),
        ("--target flask --server uvicorn --scenario json", "serves asgi"),
        ("--target nobody --server uvicorn --scenario json", "unknown"),
        ("--target fastapi --server uvicorn --scenario json --slo p99<1", "no objective"),
        ("--target fastapi --server uvicorn --scenario json --budget 3s", "suffice for nothing"),
        ("quick --target flask", "either SUITE"),
        ("quick --resume latest", "leave the rest out"),
        ("--resume reference-quick", "is no tuning"),
    ],
)
def test_a_wrong_call_is_refused_before_anything_is_launched(call: str, why: str) -> None:
    """With what to write instead."""
    done = CliRunner().invoke(app, ["tune", *call.split()])
    assert isinstance(done.exception, UsageError)
    assert why in str(done.exception)


def interrupted(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tuning that Ctrl-C ended in its third step."""
    instead(monkeypatch, Fake(stop_at=3))
    assert sittings.measure(new_sitting(folder), lambda _: None)[0].interrupted
    return folder


def test_what_a_failure_broke_off_is_shown_with_the_way_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer so far is printed all the same, and the call ends with exit code 3."""
    folder = interrupted(tmp_path, monkeypatch)
    instead(monkeypatch, Fake(fail_at=12))
    done = CliRunner().invoke(app, ["tune", "--resume", str(folder)])
    assert isinstance(done.exception, GatebenchError)
    assert done.exception.exit_code == 3
    assert f"gatebench tune --resume {folder} goes on" in str(done.exception)
    assert "! broken off: gunicorn ended with exit code 3" in done.stdout
    assert "deploy: python -m gunicorn" in done.stdout


def test_ctrl_c_shows_the_answer_so_far_with_the_way_to_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And leaves as Ctrl-C does."""
    folder = interrupted(tmp_path, monkeypatch)
    instead(monkeypatch, Fake(stop_at=12))
    done = CliRunner().invoke(app, ["tune", "--resume", str(folder)])
    assert done.exit_code == 130
    assert f"gatebench tune --resume {folder} goes on" in done.stderr
    assert "deploy: python -m gunicorn" in done.stdout


def test_an_objective_that_no_load_holds_fails_the_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With exit code 1, after the answer."""
    folder = interrupted(tmp_path, monkeypatch)
    instead(monkeypatch, Fake(capacity_rps=0.0))
    done = CliRunner().invoke(app, ["tune", "--resume", str(folder)])
    assert isinstance(done.exception, GateError), done.output
    assert "no load holds p99 < 100" in str(done.exception)
    assert "deploy: python -m gunicorn" in done.stdout


def test_a_tuning_that_comes_to_its_end_leaves_with_success(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And with --json prints the answer alone."""
    folder = interrupted(tmp_path, monkeypatch)
    instead(monkeypatch, Fake())
    done = CliRunner().invoke(app, ["tune", "--resume", str(folder), "--json"])
    assert done.exit_code == 0
    answer = json.loads(done.stdout)
    assert (answer["recommended"]["workers"], answer["capacity_rps"]["settled"]) == (16, True)
