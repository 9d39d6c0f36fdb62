"""The services beside the targets, and ports for servers that do not listen yet."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from harness.errors import AnswerError, LaunchError
from harness.machine.environment import find_redis
from harness.machine.ports import PORTS
from harness.subject import answers, services
from harness.subject.launch import launch
from harness.subject.services import HOST, Services, free_port
from harness.suite import Ask, Upstream
from tests import factories
from tests.polling import until


def test_a_port_is_given_once_although_nobody_listens_there_yet() -> None:
    """Servers of a group are launched one after the other, and listen later."""
    given = [free_port() for _ in range(1000)]
    assert len(set(given)) == len(given)
    assert set(given) <= set(PORTS)


def test_a_port_that_is_taken_is_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where all are taken, that is an error."""
    with socket.create_server((HOST, 0)) as taken, socket.create_server((HOST, 0)) as free:
        ports = [listener.getsockname()[1] for listener in (taken, free)]
        free.close()
        monkeypatch.setattr(services, "_unused", iter(ports))
        assert free_port() == ports[1]
        monkeypatch.setattr(services, "_unused", iter(ports[:1]))
        with pytest.raises(LaunchError, match="no free port between 20000 and 30000"):
            free_port()


def test_an_upstream_that_does_not_answer_is_one_clear_error():
    """When it is asked how often it was called."""
    with pytest.raises(AnswerError, match="GET /hits: no answer"):
        Services(upstream_port=1).hits()


def test_without_an_upstream_there_are_no_calls():
    """As where no scenario calls out."""
    assert Services().hits() == {}


FAULTS = pytest.mark.parametrize(
    ("fault", "reason"),
    [(signal.SIGKILL, "ended by signal 9 (Killed)"), (signal.SIGSTOP, "does not answer")],
)


@pytest.fixture
def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    """An upstream, and a Redis where there is one to be had; what hangs is soon noticed."""
    monkeypatch.setattr(services, "ANSWER_S", 0.5)
    monkeypatch.delenv(services.REDIS_URL, raising=False)
    with services.started(upstream=Upstream(), redis=find_redis() is not None, cpus=(), logs=tmp_path) as started:
        yield started


def strike(running: Services, service: str, fault: signal.Signals) -> None:
    """Kill the service, or have it hang."""
    process = running.processes[service]
    os.kill(process.pid, fault)
    if fault == signal.SIGKILL:
        assert until(lambda: not process.alive())


@FAULTS
def test_an_upstream_that_died_or_hangs_is_named_and_started_afresh(
    running: Services, fault: signal.Signals, reason: str, tmp_path: Path
) -> None:
    """On another port, where it counts from zero."""
    port, process = running.upstream_port, running.processes["upstream"]
    assert port is not None
    answers.ask(HOST, port, Ask(path="/arm/p1a/data"))
    assert running.hits() == {"p1a": 1}
    assert not running.heal(), "nothing is wrong"
    strike(running, "upstream", fault)
    began = time.monotonic()
    assert running.problem("upstream").startswith(f"upstream {reason}")
    assert running.problem("upstream").endswith(f"; log: {tmp_path / 'upstream.log'}")
    assert time.monotonic() - began < 5.0
    assert running.heal()
    assert process.members() == []
    assert running.problem("upstream") == ""
    assert running.hits() == {}


@FAULTS
def test_a_redis_that_died_or_hangs_is_named_and_started_afresh(
    running: Services, fault: signal.Signals, reason: str
) -> None:
    """Its address changes with its port."""
    if "redis" not in running.processes:
        pytest.skip("no Redis on this machine")
    before = running.redis_url
    strike(running, "redis", fault)
    began = time.monotonic()
    assert running.problem("redis").startswith(f"redis {reason}")
    assert time.monotonic() - began < 5.0
    assert running.heal()
    assert running.problem("redis") == ""
    assert running.redis_url != before


def test_nobody_else_gets_into_our_redis(running: Services) -> None:
    """Its password is in no command line, which everybody on the machine can read, and in nothing that we print."""
    import redis

    if "redis" not in running.processes:
        pytest.skip("no Redis on this machine")
    assert running.redis_url is not None
    parts = urlsplit(running.redis_url)
    with redis.Redis(host=HOST, port=parts.port or 0) as stranger, pytest.raises(redis.AuthenticationError):
        stranger.set("cached", "wrong")
    with redis.Redis.from_url(running.redis_url) as target:
        assert target.set("cached", "right")
    assert parts.password
    command = Path(f"/proc/{running.processes['redis'].pid}/cmdline").read_text()
    assert parts.password not in command
    assert (
        str(LaunchError(f"no answer from {running.redis_url}")) == f"no answer from redis://:***@{HOST}:{parts.port}/0"
    )


def test_a_service_that_cannot_be_started_again_is_an_error_of_those_that_need_it(
    running: Services, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Until it can."""
    strike(running, "upstream", signal.SIGKILL)
    with monkeypatch.context() as without:
        without.setattr("sys.executable", "/no/such/python")
        assert running.heal()
    why = running.problem("upstream")
    assert why.startswith("upstream cannot be started: ")
    assert running.hits() == {}
    calling = factories.arm(scenario=factories.upstream_scenario())
    with pytest.raises(LaunchError, match="upstream cannot be started"):
        launch(calling, (), running, cpus=(), log=tmp_path / "log").__enter__()
    assert running.heal()
    assert running.problem("upstream") == ""
