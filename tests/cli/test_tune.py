"""The command line of `gatebench tune`."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from harness.cli import app
from harness.cli.tune import memory_bytes
from harness.errors import UsageError


def test_memory_is_an_amount() -> None:
    """In powers of 1024, and nothing else."""
    assert [memory_bytes(text) for text in ("1GiB", "1.5 MiB", "4096")] == [1 << 30, 3 << 19, 4096]
    for wrong in ("1GB", "lots", "0MiB"):
        with pytest.raises(UsageError, match="is no amount"):
            memory_bytes(wrong)


@pytest.mark.parametrize(
    ("call", "why"),
    [
        ("", "tune what"),
        ("--target flask --server uvicorn --scenario json", "serves asgi"),
        ("--target nobody --server uvicorn --scenario json", "unknown"),
        ("--target fastapi --server uvicorn --scenario json --slo p99<1", "no objective"),
        ("--target fastapi --server uvicorn --scenario json --budget 3s", "suffices for nothing"),
        ("quick --target flask", "either SUITE"),
        ("quick --resume latest", "leave the rest out"),
        ("--resume reference-quick", "is no tuning"),
    ],
)
def test_a_wrong_call_is_told_before_anything_is_launched(call: str, why: str) -> None:
    """With what to write instead."""
    done = CliRunner().invoke(app, ["tune", *call.split()])
    assert isinstance(done.exception, UsageError)
    assert why in str(done.exception)
