"""The engine under plain `locust -f`: Locust runs, shows and stops it, and its numbers are the server's."""

from __future__ import annotations

import csv
import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.loadtests.engine_support import PATIENCE_S, ROOT, null_server

pytestmark = pytest.mark.live


def locust(kind: str, port: int, *more: str) -> subprocess.Popen[str]:
    """`locust -f loadtests/locustfiles/KIND.py`, headless."""
    argv = [sys.executable, "-m", "locust", "-f", str(ROOT / "loadtests/locustfiles" / f"{kind}.py"), "--headless"]
    argv += ["--host", f"http://127.0.0.1:{port}", *more]
    return subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def json_to(folder: Path) -> tuple[str, str]:
    """Let it leave its table there, instead of printing it."""
    return "--json-file", str(folder / "out")


def shown(folder: Path) -> dict[str, Any]:
    """The one line of Locust's table, as it is at the very end."""
    (line,) = json.loads((folder / "out.json").read_text())
    return dict(line)


def printed(output: str) -> tuple[int, int, dict[str, int]]:
    """Requests, failures and errors by kind, from the tables that it prints last."""
    table, _, report = output.rpartition("Error report")
    requests, failures = re.findall(r"^GET +/ +(\d+) +(\d+)\(", table, re.MULTILINE)[-1]
    errors = {line[2]: int(line[1]) for line in re.finditer(r"^(\d+) +GET /: (.+?) *$", report, re.MULTILINE)}
    return int(requests), int(failures), errors


@pytest.mark.parametrize(
    ("kind", "more"), [("closed", ["--connections", "4"]), ("open", ["--rate", "300", "--seed", "7"])]
)
def test_locust_shows_what_the_server_saw(tmp_path: Path, kind: str, more: list[str]) -> None:
    """To the last request, drained at the end of the run time: in its CSV, on its console, and in our own log."""
    with null_server("null") as server:
        files = (*json_to(tmp_path), "--csv", str(tmp_path / "out"))
        process = locust(kind, server.port, "--path", "/x?y=1", "-t", "1s", *files, *more)
        output, _ = process.communicate(timeout=60)
        seen = server.seen()["requests"]
    assert process.returncode == 0
    line = shown(tmp_path)
    assert line["name"] == "/x?y=1"
    assert line["num_requests"] == sum(line["response_times"].values()) == seen > 100
    assert line["num_failures"] == 0
    assert line["total_content_length"] == 5 * seen
    with (tmp_path / "out_stats.csv").open() as file:
        assert [int(row["Request Count"]) for row in csv.DictReader(file)] == [seen, seen]
    logged = re.search(r"(\d+) good answers, 0 errors", output)
    assert logged
    assert int(logged[1]) == seen


def test_locust_shows_our_percentiles_in_its_milliseconds(tmp_path: Path) -> None:
    """A 40 ms server: every percentile is that, and never less."""
    with null_server("fixed:40") as server:
        process = locust("closed", server.port, "--connections", "8", "-t", "2s", *json_to(tmp_path))
        process.communicate(timeout=60)
    line = shown(tmp_path)
    assert line["min_response_time"] >= 40
    assert min(map(int, line["response_times"])) >= 40
    assert line["total_response_time"] / line["num_requests"] < line["max_response_time"]
    assert sum(count for ms, count in line["response_times"].items() if int(ms) < 80) > 0.8 * line["num_requests"]


def test_we_round_response_times_as_locust_does() -> None:
    """Whole milliseconds below 100, two digits above: the same keys, the same counts."""
    code = """
from collections import Counter
from locust.stats import bucket_response_time
from harness.spec.histogram import Histogram
from loadtests.engine.locust_stats import _rounded
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
        process = locust("closed", server.port, "--connections", "16", *json_to(tmp_path))
        deadline = time.monotonic() + PATIENCE_S
        while server.seen()["requests"] < 16:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
        assert shown(tmp_path)["num_requests"] == server.seen()["requests"]


def test_locust_shows_our_errors_as_its_own() -> None:
    """By kind, with Locust's exit status for a run that had some."""
    with null_server("errors:10") as server:
        process = locust("closed", server.port, "--connections", "2", "-t", "1s")
        output, _ = process.communicate(timeout=60)
        seen = server.seen()["requests"]
    assert process.returncode == 1
    assert printed(output) == (seen, seen // 10, {"status": seen // 10})


def test_dropped_arrivals_are_shown_but_are_no_requests() -> None:
    """An exhausted pool is visible: among Locust's errors, and not in its count of requests."""
    with null_server("fixed:100") as server:
        more = ("--rate", "100", "--connections", "2", "--when-full", "drop", "-t", "2s")
        process = locust("open", server.port, *more)
        output, _ = process.communicate(timeout=60)
        seen = server.seen()["requests"]
    requests, failures, errors = printed(output)
    assert (requests, failures) == (seen, 0)
    ((what, times),) = errors.items()
    assert what.startswith("dropped")
    assert times > 20


def test_a_host_that_speaks_no_http_is_refused() -> None:
    """One sentence, no traceback, no load."""
    process = locust("closed", 1, "-t", "2s", "--host", "ftp://localhost")
    output, _ = process.communicate(timeout=60)
    assert process.returncode != 0
    assert "https://name:port" in output
    assert "Traceback" not in output


@pytest.mark.parametrize(
    ("kind", "more", "least", "most"),
    [
        ("closed", ["--connections", "5"], 100, 1_000_000),
        ("open", ["--rate", "400", "--seed", "7", "--connections", "8"], 600, 1000),
    ],
)
def test_every_process_drives_its_share(tmp_path: Path, kind: str, more: list[str], least: int, most: int) -> None:
    """Two of them: together what was asked for, and Locust shows what the server saw."""
    with null_server("fixed:5") as server:
        process = locust(kind, server.port, "--processes", "2", "-t", "2s", *json_to(tmp_path), *more)
        output, _ = process.communicate(timeout=60)
        seen = server.seen()["requests"]
    assert process.returncode == 0
    logged = [int(count) for count in re.findall(r"(\d+) good answers, 0 errors", output)]
    assert len(logged) == 2
    assert all(count > 0 for count in logged)
    assert sum(logged) == seen
    assert least < seen < most
    assert shown(tmp_path)["num_requests"] == seen


def test_a_process_without_a_connection_says_that_it_drives_nothing(tmp_path: Path) -> None:
    """Three processes and two connections."""
    with null_server("fixed:5") as server:
        more = ("--processes", "3", "--connections", "2", "-t", "1s", *json_to(tmp_path))
        process = locust("closed", server.port, *more)
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert output.count("drives nothing: there are 3 processes and 2 connections") == 1
    assert len(re.findall(r"good answers, 0 errors", output)) == 2
