"""Factors from the environment: read once, and refused in one line where they cannot go together."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from targets.settings import Settings
from tests.targets_support import ROOT


def start(app: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Import a target as a server would."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GATEBENCH_")}
    return subprocess.run(
        [sys.executable, "-c", f"from targets.{app} import app"],
        cwd=ROOT,
        env=clean | {f"GATEBENCH_{name}": value for name, value in environment.items()},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("app", "environment", "line"),
    [
        ("flask_app", {"MIDDLEWARE": "base"}, "GATEBENCH_MIDDLEWARE=base is FastAPI's, not one of none, pure"),
        ("flask_app", {"CLIENT": "aiohttp"}, "GATEBENCH_CLIENT=aiohttp is not one of requests, httpx, httpx2"),
        ("fastapi_app", {"CLIENT": "requests"}, "GATEBENCH_CLIENT=requests is not one of httpx, httpx2, aiohttp"),
        ("fastapi_threadpool", {"CLIENT": "aiohttp"}, "GATEBENCH_CLIENT=aiohttp is not one of httpx, requests, httpx2"),
        ("fastapi_blocking", {"CLIENT": "aiohttp"}, "GATEBENCH_CLIENT=aiohttp is not one of requests, httpx, httpx2"),
        ("fastapi_app", {"CACHE": "redis"}, "GATEBENCH_CACHE=redis needs GATEBENCH_REDIS_URL"),
        ("fastapi_app", {"POOLING": "maybe"}, "GATEBENCH_POOLING=maybe: Input should be 'none' or 'pool'"),
        ("upstream", {"UPSTREAM_LAW": "slow"}, "GATEBENCH_UPSTREAM_LAW=slow: Input should be 'fixed' or 'lognormal'"),
    ],
)  # fmt: skip
def test_an_impossible_combination(app: str, environment: dict[str, str], line: str):
    """What cannot be is refused at start-up, in one line, with the exit code that stops gunicorn from trying again."""
    ended = start(app, **environment)
    assert ended.returncode == 3
    assert ended.stderr.splitlines() == [f"gatebench: targets.{app}: {line}"]


@pytest.mark.parametrize(
    ("app", "client"),
    [("flask_app", "httpx2"), ("fastapi_app", "aiohttp"), ("fastapi_blocking", "requests"), ("fastapi_threadpool", "")],
)
def test_a_possible_combination(app: str, client: str):
    """What can be starts without a word."""
    ended = start(app, CLIENT=client, CACHE="memory", MIDDLEWARE="pure", POOLING="none", THREADS="8")
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.parametrize(
    ("app", "library"), [("flask_app", "aiohttp"), ("fastapi_app", "requests"), ("flask_app", "redis")]
)
def test_imports_only_what_it_uses(app: str, library: str):
    """A library that is not the arm's is not in its memory."""
    code = f"import sys; from targets.{app} import app; sys.exit({library!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False, timeout=60).returncode == 0


def test_pools_are_never_smaller_than_the_threads():
    """Threads that draw on a pool do not wait for each other."""
    assert Settings(pool_size=64, threads=8).connections == 64
    assert Settings(pool_size=64, threads=200).connections == 200
