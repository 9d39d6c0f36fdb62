"""What other instruments show, as `calibrate` and `bench/engine.py` ask for it."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from loadtests.null_server import law_of
from tests.loadtests.engine_support import ROOT, null_server

pytestmark = pytest.mark.live


def probe(*argv: str) -> dict[str, Any]:
    """What it prints."""
    done = subprocess.run(
        [sys.executable, "-m", "loadtests.rivals", *argv],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def test_stock_locust_is_measured_on_the_same_server() -> None:
    """FastHttpUser's requests a second, none of them failed, all of them sent."""
    with null_server("null") as server:
        told = probe("fasthttp", f"http://127.0.0.1:{server.port}", "4", "0.5")
        assert told["errors"] == 0
        assert 0 < told["rps"] * 0.5 < server.seen()["requests"]


def test_the_floor_is_a_blocking_socket() -> None:
    """Exactly so many requests, one after another."""
    with null_server("null") as server:
        told = probe("blocking", f"http://127.0.0.1:{server.port}/", "200")
        assert server.seen()["requests"] == 200
    assert 0 < told["p50_us"] <= told["p99_us"]
    assert told["mean_us"] > 0


def test_our_wake_ups_come_sooner_than_gevents() -> None:
    """Half of gevent's come half a millisecond late or more: it rounds up to whole ones."""
    told = probe("timer", "500", "0.5")
    assert told["timerfd"]["p50_us"] < told["gevent"]["p50_us"]


@pytest.mark.parametrize("text", ["", "nill", "fixed", "peaks:1,2", "null:1"])
def test_a_law_that_is_none_is_refused(text: str) -> None:
    """Rather than obeyed in part."""
    with pytest.raises(ValueError, match=r"no law|invalid literal"):
        law_of(text)


def test_workers_share_what_they_saw() -> None:
    """Whichever worker is asked, it tells of all."""
    with null_server("null", workers=3) as server:
        probe("blocking", f"http://127.0.0.1:{server.port}/", "50")
        seen = server.seen()
    assert seen["requests"] == sum(seen["workers"]) == 50
    assert len(seen["workers"]) == 3
