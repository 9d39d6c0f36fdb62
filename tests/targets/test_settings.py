"""Factors from the environment: read once, and refused in one line where they cannot go together."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from types import ModuleType
from typing import Any

import pytest

from targets import fastapi_app, fastapi_blocking, fastapi_threadpool, flask_app, upstream
from targets.settings import GIVE_UP, Settings, start
from targets.upstream import Upstream, UpstreamSettings
from tests.targets.targets_support import ROOT


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("GATEBENCH_"):
            monkeypatch.delenv(name)


def start_with(monkeypatch: pytest.MonkeyPatch, module: ModuleType, environment: dict[str, str]) -> Any:
    """Start a target as the import of its module does."""
    for name, value in environment.items():
        monkeypatch.setenv(f"GATEBENCH_{name}", value)
    return start(Upstream, UpstreamSettings) if module is upstream else start(module.create_app)


@pytest.mark.parametrize("module", [flask_app, fastapi_app])
def test_what_is_loaded_is_frozen_where_asked(module: ModuleType, monkeypatch: pytest.MonkeyPatch):
    """And only there: a full collection then has nearly nothing to look through."""
    before = gc.get_freeze_count()
    start_with(monkeypatch, module, {"GC": "none"})
    assert gc.get_freeze_count() == before
    try:
        start_with(monkeypatch, module, {"GC": "freeze"})
        assert gc.get_freeze_count() > 10 * len(gc.get_objects())
    finally:
        gc.unfreeze()


@pytest.mark.parametrize(
    ("module", "environment", "problem"),
    [
        (flask_app, {"MIDDLEWARE": "base"}, "GATEBENCH_MIDDLEWARE=base is FastAPI's, not one of none, pure"),
        (flask_app, {"CLIENT": "aiohttp"}, "GATEBENCH_CLIENT=aiohttp is not one of requests, httpx, httpx2"),
        (fastapi_app, {"CLIENT": "requests"}, "GATEBENCH_CLIENT=requests is not one of httpx, httpx2, aiohttp"),
        (fastapi_threadpool, {"CLIENT": "aiohttp"}, "GATEBENCH_CLIENT=aiohttp is not one of httpx, requests, httpx2"),
        (fastapi_blocking, {"CLIENT": "aiohttp"}, "GATEBENCH_CLIENT=aiohttp is not one of requests, httpx, httpx2"),
        (fastapi_app, {"CACHE": "redis"}, "GATEBENCH_CACHE=redis needs GATEBENCH_REDIS_URL"),
        (fastapi_app, {"POOLING": "maybe"}, "GATEBENCH_POOLING=maybe: Input should be 'none' or 'pool'"),
        (upstream, {"UPSTREAM_LAW": "slow"}, "GATEBENCH_UPSTREAM_LAW=slow: Input should be 'fixed' or 'lognormal'"),
    ],
)
def test_an_impossible_combination(
    module: ModuleType,
    environment: dict[str, str],
    problem: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    """Factors that cannot go together end the start, in one line, with the exit code after which gunicorn gives up."""
    with pytest.raises(SystemExit) as ended:
        start_with(monkeypatch, module, environment)
    assert ended.value.code == GIVE_UP
    assert capsys.readouterr().err.splitlines() == [f"gatebench: {module.__name__}: {problem}"]


@pytest.mark.parametrize(
    ("module", "client"),
    [(flask_app, "httpx2"), (fastapi_app, "aiohttp"), (fastapi_blocking, "requests"), (fastapi_threadpool, "")],
)
def test_a_possible_combination(
    module: ModuleType, client: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """Factors that can go together start without a word; an empty variable counts as unset."""
    environment = {"CLIENT": client, "CACHE": "memory", "MIDDLEWARE": "pure", "POOLING": "none", "THREADS": "8"}
    assert callable(start_with(monkeypatch, module, environment))
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("app", "others"),
    [
        ("flask_app", {"aiohttp", "httpx", "redis", "fastapi"}),
        ("fastapi_app", {"requests", "aiohttp", "redis", "flask"}),
    ],
)
def test_imports_only_what_it_uses(app: str, others: set[str]):
    """A library that is not the arm's is not in its memory."""
    code = f"import sys; from targets.{app} import app; print(*{others!r} & set(sys.modules))"
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    assert ended.stdout.strip() == ""


def test_pools_are_never_smaller_than_the_threads():
    """Threads that draw on a pool do not wait for each other."""
    assert Settings(pool_size=64, threads=8).connections == 64
    assert Settings(pool_size=64, threads=200).connections == 200
