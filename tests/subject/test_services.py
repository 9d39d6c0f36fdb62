"""The services beside the targets, and ports for servers that do not listen yet."""

from __future__ import annotations

import socket

import pytest

from harness.errors import AnswerError, LaunchError
from harness.subject import services
from harness.subject.services import HOST, PORTS, Services, free_port


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
