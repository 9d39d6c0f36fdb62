"""The engine under plain `locust -f`: Locust runs, shows and stops it, and its numbers are the server's."""

from __future__ import annotations

import csv
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.engine_support import PATIENCE_S, ROOT, null_server

pytestmark = pytest.mark.live


def locust(folder: Path, kind: str, port: int, *more: str) -> subprocess.Popen[str]:
    """`locust -f loadtests/KIND.py`, headless."""
    argv = [sys.executable, "-m", "locust", "-f", str(ROOT / "loadtests" / f"{kind}.py"), "--headless"]
    argv += ["--host", f"http://127.0.0.1:{port}", "--csv", str(folder / "out"), *more]
    return subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def row(folder: Path, name: str) -> dict[str, str]:
    """A line of Locust's CSV."""
    with (folder / "out_stats.csv").open() as file:
        return next(line for line in csv.DictReader(file) if line["Name"] == name)


@pytest.mark.parametrize(
    ("kind", "more"), [("closed", ["--connections", "4"]), ("open", ["--rate", "300", "--seed", "7"])]
)
def test_locust_shows_what_the_server_saw(tmp_path: Path, kind: str, more: list[str]) -> None:
    """To the last request, drained at the end of the run time: in its CSV, on its console, and in our own log."""
    with null_server("null") as server:
        process = locust(tmp_path, kind, server.port, "--path", "/x?y=1", "-t", "2s", *more)
        said, _ = process.communicate(timeout=60)
        seen = server.seen()["requests"]
    assert process.returncode == 0
    line = row(tmp_path, "/x?y=1")
    assert int(line["Request Count"]) == int(row(tmp_path, "Aggregated")["Request Count"]) == seen > 100
    assert line["Failure Count"] == "0"
    assert float(line["Average Content Size"]) == 5
    told = re.search(r"(\d+) good answers, 0 errors", said)
    assert told
    assert int(told[1]) == seen


def test_locusts_percentiles_are_ours_in_its_milliseconds(tmp_path: Path) -> None:
    """A 40 ms server: every percentile is that, and never less."""
    with null_server("fixed:40") as server:
        process = locust(tmp_path, "closed", server.port, "--connections", "8", "-t", "2s")
        process.communicate(timeout=60)
    line = row(tmp_path, "/")
    assert float(line["50%"]) >= 40
    assert float(line["Min Response Time"]) >= 40
    assert float(line["Average Response Time"]) == pytest.approx(float(line["50%"]), rel=0.25)


def test_our_rounding_is_locusts() -> None:
    """Whole milliseconds below 100, two digits above: the same keys, the same counts."""
    code = """
from collections import Counter
from locust.stats import bucket_response_time
from harness.histogram import Histogram
from loadtests.shown import _rounded
histogram = Histogram()
histogram.record([n * n + n // 7 for n in range(20_000)])
theirs = Counter()
for middle_us, count in zip(*histogram.buckets()):
    theirs[bucket_response_time(float(middle_us) / 1000)] += int(count)
assert _rounded(histogram) == theirs, (_rounded(histogram), theirs)
"""
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_what_is_under_way_when_locust_is_told_to_end_is_still_counted(tmp_path: Path) -> None:
    """SIGTERM on a slow server: the last requests are awaited, and are in Locust's count as in the server's."""
    with null_server("fixed:300") as server:
        process = locust(tmp_path, "closed", server.port, "--connections", "16")
        deadline = time.monotonic() + PATIENCE_S
        while server.seen()["requests"] < 16:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
        assert int(row(tmp_path, "/")["Request Count"]) == server.seen()["requests"]


def test_errors_are_locusts_errors_and_in_no_percentile(tmp_path: Path) -> None:
    """By kind, with Locust's exit status for a run that had some."""
    with null_server("errors:10") as server:
        process = locust(tmp_path, "closed", server.port, "--connections", "2", "-t", "1s")
        process.communicate(timeout=60)
        seen = server.seen()["requests"]
    assert process.returncode == 1
    line = row(tmp_path, "/")
    assert int(line["Request Count"]) == seen
    assert int(line["Failure Count"]) == seen // 10
    with (tmp_path / "out_failures.csv").open() as file:
        (failure,) = csv.DictReader(file)
    assert (failure["Error"], int(failure["Occurrences"])) == ("status", seen // 10)


def test_dropped_arrivals_are_shown_but_are_no_requests(tmp_path: Path) -> None:
    """An exhausted pool is visible: among Locust's errors, and not in its count of requests."""
    with null_server("fixed:100") as server:
        more = ("--rate", "100", "--connections", "2", "--when-full", "drop", "-t", "2s")
        process = locust(tmp_path, "open", server.port, *more)
        process.communicate(timeout=60)
        assert int(row(tmp_path, "/")["Request Count"]) == server.seen()["requests"]
    assert row(tmp_path, "/")["Failure Count"] == "0"
    with (tmp_path / "out_failures.csv").open() as file:
        (failure,) = csv.DictReader(file)
    assert failure["Error"].startswith("dropped")
    assert int(failure["Occurrences"]) > 20


def test_a_host_that_is_not_plain_http_is_refused(tmp_path: Path) -> None:
    """One sentence, no traceback, no load."""
    process = locust(tmp_path, "closed", 1, "-t", "2s", "--host", "https://localhost")
    said, _ = process.communicate(timeout=60)
    assert process.returncode != 0
    assert "plain HTTP" in said
    assert "Traceback" not in said
