"""Ports for servers that do not listen yet."""

from __future__ import annotations

import socket

import pytest

from harness.errors import LaunchError
from harness.subject import services
from harness.subject.services import HOST, PORTS, free_port


def test_a_port_is_given_once_although_nobody_listens_there_yet() -> None:
    """Servers of a group are launched one after the other, and listen later."""
    given = [free_port() for _ in range(1000)]
    assert len(set(given)) == len(given)
    assert set(given) <= set(PORTS)


def test_a_port_that_is_taken_is_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever listens there was first; where all are taken it is said."""
    with socket.create_server((HOST, 0)) as taken, socket.create_server((HOST, 0)) as free:
        ports = [one.getsockname()[1] for one in (taken, free)]
        free.close()
        monkeypatch.setattr(services, "_unused", iter(ports))
        assert free_port() == ports[1]
        monkeypatch.setattr(services, "_unused", iter(ports[:1]))
        with pytest.raises(LaunchError, match="no free port between 20000 and 30000"):
            free_port()
