"""The same table under every server of each target's interface, with a real upstream and a real Redis."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from harness.machine.environment import program_version
from harness.subject.launch import fill
from harness.suite import Closed, Level, Server, Target, load_definitions
from harness.suite.choice import arm_of
from targets.contract import answers
from tests.targets import targets_cases as table
from tests.targets.targets_support import free_port, process, redis_server, until, upstream

DEFINED = load_definitions()
TWO_WORKERS = {"flask", "fastapi"}
"""The targets of most pairs. The others run one worker, which saves the time to start a second."""


def lacking(server: Server) -> list[pytest.MarkDecorator]:
    """Skips what cannot be served for want of a program."""
    lacks = [name for name in server.programs if program_version(name) is None]
    return [pytest.mark.skip(f"no {', '.join(lacks)}")] if lacks else []


PAIRS = [
    pytest.param(server, target, id=f"{target.name}-{server.name}", marks=lacking(server))
    for target in DEFINED.targets.values()
    if not target.bridge  # the app is `flask`; tests/subject has the bridges
    for server in DEFINED.servers.values()
    if server.interface == target.interface
]


KEPT, FRESH = httpx.Limits(), httpx.Limits(max_keepalive_connections=0)
LIMITS = {"uwsgi": FRESH, "hypercorn": FRESH}
"""These close a connection after a body that was not read before the answer, and do not say so (hypercorn 0.18,
`H11Protocol._maybe_recycle`): the next request on it would be lost. So each has one of its own."""
LARGE_BYTES = {"uwsgi": 65_536}
"""Its router loses many a request with a larger body, whatever its buffers; nobody else's server does."""


def workers_of(server: Server, target: Target) -> int:
    """Two where the server can, and a request after the other reaches both: a proxy keeps its connection to one."""
    return 2 if server.workers and not server.programs and target.name in TWO_WORKERS else 1


def argv_of(server: Server, target: Target, port: int) -> list[str]:
    """The argv template filled, with every factor at its default."""
    levels: dict[str, Level] = {"workers": workers_of(server, target), "threads": 4}
    scenario = next(iter(DEFINED.scenarios.values()))
    arm = arm_of(DEFINED, "p1a", target, server, scenario, levels=levels, loads=(Closed(connections=1),))
    return fill(arm, DEFINED.factors.values(), "127.0.0.1", port)


@contextmanager
def serving(server: Server, target: Target, folder: Path, env: dict[str, str]) -> Iterator[httpx.Client]:
    """Serve `target` on `server`, ready to answer."""
    port = free_port()
    log = folder / "server.log"
    environment = {**os.environ, **server.env, **target.env, **env}
    with (
        process(argv_of(server, target, port), log, Path(target.folder), environment) as started,
        httpx.Client(
            base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=20, limits=LIMITS.get(server.name, KEPT)
        ) as client,
    ):
        until(lambda: started.poll() is not None or _ready(client), f"{target.name} on {server.name}")
        if started.poll() is not None:
            pytest.fail(f"{target.name} on {server.name} ended: {log.read_text()[-2000:]}")
        yield client


def _ready(client: httpx.Client) -> bool:
    """Ask over a connection of its own: one that is idle since may be closed just when the first case takes it."""
    try:
        return httpx.get(client.base_url.join("/health"), trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


def _stats(client: httpx.Client) -> dict[str, int]:
    """Ask over a connection of its own, so that every worker gets its turn."""
    stats = httpx.get(client.base_url.join("/stats"), trust_env=False).json()
    return {**stats["cache"], "pid": stats["pid"]}


@pytest.mark.live
@pytest.mark.beside
@pytest.mark.parametrize(("server", "target"), PAIRS)
def test_the_table(server: Server, target: Target, tmp_path: Path):
    """A target gives the contract's answers whoever serves it, also when Redis, then the upstream, goes away."""
    with ExitStack() as redis_life, ExitStack() as upstream_life:
        env = {
            "GATEBENCH_MIDDLEWARE": "base" if target.name == "fastapi-threadpool" else "pure",
            "GATEBENCH_CACHE": "redis",
            "GATEBENCH_REDIS_URL": redis_life.enter_context(redis_server(tmp_path)),
            "GATEBENCH_UPSTREAM_URL": f"{upstream_life.enter_context(upstream())}/arm/live/data",
            "GATEBENCH_THREADS": "4",
        }
        with serving(server, target, tmp_path, env) as client:
            _use_every_worker(client, workers_of(server, target))
            every = (table.EXTERNAL, table.cached("miss"), table.cached("hit"), *table.STACK, *table.PLAIN)
            largest = LARGE_BYTES.get(server.name)
            cases = tuple(case for case in every if largest is None or len(case.body or b"") <= largest)
            assert len(every) - len(cases) == (0 if largest is None else 1), (
                "one case is larger, and only there left out"
            )
            assert table.problems(client, cases, str(client.base_url).rstrip("/")) == []
            redis_life.close()
            bypass = (table.cached("bypass"), table.cached("bypass"))
            assert table.problems(client, bypass, str(client.base_url).rstrip("/")) == []
            until(lambda: _stats(client)["failures"], "a worker that counted its cache's failure")
            upstream_life.close()
            down = (table.EXTERNAL_DOWN, table.CACHED_DOWN)
            assert table.problems(client, down, str(client.base_url).rstrip("/")) == []
        output = (tmp_path / "server.log").read_text()
        assert "Traceback" not in output
        assert "GET /json 200" in output, "the timing middleware has written no line"


def _use_every_worker(client: httpx.Client, workers: int) -> None:
    pids: set[int] = set()

    def all_answered() -> bool:
        pids.add(_stats(client)["pid"])
        return len(pids) == workers

    until(all_answered, f"an answer from each of {workers} workers")


@pytest.mark.live
@pytest.mark.beside
def test_the_payload_arrives_whole(tmp_path: Path):
    """About 100 KB of JSON come in one answer of known length."""
    with serving(DEFINED.servers["uvicorn"], DEFINED.targets["fastapi"], tmp_path, {}) as client:
        response = client.get("/payload")
    assert response.json() == answers.catalogue()
    assert int(response.headers["content-length"]) == len(response.content)
    assert 90_000 < len(response.content) < 110_000
