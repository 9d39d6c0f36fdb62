"""What other instruments show, as `calibrate` and `bench/engine.py` ask for it."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.loadtests.engine_support import ROOT, null_server

pytestmark = pytest.mark.live


def call(*argv: str) -> subprocess.CompletedProcess[str]:
    """The program, run to its end."""
    command = [sys.executable, "-m", "loadtests.rivals", *argv]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def figures(*argv: str) -> dict[str, Any]:
    """The object that it prints."""
    done = call(*argv)
    assert done.returncode == 0, done.stderr
    printed: dict[str, Any] = json.loads(done.stdout)
    return printed


def test_stock_locust_is_measured_on_the_same_server() -> None:
    """FastHttpUser's requests a second, none of them failed, all of them sent."""
    with null_server("null") as server:
        shown = figures("fasthttp", f"http://127.0.0.1:{server.port}", "4", "0.5")
        assert shown["errors"] == 0
        assert 0 < shown["rps"] * 0.5 < server.seen()["requests"]


def test_the_floor_is_a_blocking_socket() -> None:
    """Exactly so many requests, one after another."""
    with null_server("null") as server:
        shown = figures("blocking", f"http://127.0.0.1:{server.port}/", "200")
        assert server.seen()["requests"] == 200
    assert 0 < shown["p50_us"] <= shown["p99_us"]
    assert shown["mean_us"] > 0


def test_our_wake_ups_come_sooner_than_gevents() -> None:
    """Half of gevent's come half a millisecond late or more: it rounds up to whole ones."""
    shown = figures("timer", "500", "0.5")
    assert shown["timerfd"]["p50_us"] < shown["gevent"]["p50_us"]


def test_a_server_that_closes_gives_no_floor() -> None:
    """An empty answer would be the fastest of all."""
    with null_server("hangup") as server:
        failed = call("blocking", f"http://127.0.0.1:{server.port}/", "10")
    assert failed.returncode != 0
    assert "closed the connection" in failed.stderr


def test_a_server_that_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The floor has a deadline for each answer."""
    from loadtests import rivals

    monkeypatch.setattr(rivals, "PATIENCE_S", 0.1)
    with null_server("fixed:3600000") as server, pytest.raises(SystemExit, match="no answer within"):
        rivals.blocking(f"http://127.0.0.1:{server.port}/", "1")


@pytest.mark.parametrize("argv", [[], ["nonsense"]])
def test_an_unknown_rival_is_refused_with_the_names_of_all(argv: list[str]) -> None:
    """One line, no traceback."""
    failed = call(*argv)
    assert failed.returncode != 0
    assert "fasthttp, blocking or timer" in failed.stderr
    assert "Traceback" not in failed.stderr
