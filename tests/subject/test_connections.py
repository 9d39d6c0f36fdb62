"""Which process holds which connection."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from harness.subject import connections

HOST = "127.0.0.1"


def test_the_owner_of_each_connection_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the client's port, among the processes that are asked."""
    monkeypatch.setattr(connections, "TIME_WAIT_LIMIT", 10**9)  # other tests leave many behind
    with socket.create_server((HOST, 0)) as listener, socket.create_connection(listener.getsockname()) as client:
        accepted, _ = listener.accept()
        with accepted:
            owners = connections.connection_owners(listener.getsockname()[1], [os.getpid()])
            assert owners == {client.getsockname()[1]: os.getpid()}


def test_a_long_table_of_sockets_is_not_read(tmp_path: Path) -> None:
    """It would take CPU beside a measurement."""
    (tmp_path / "net").mkdir()
    (tmp_path / "net/sockstat").write_text("sockets: used 9\nTCP: inuse 5 orphan 0 tw 28000 alloc 7 mem 1\n")
    assert connections.connection_owners(80, [os.getpid()], tmp_path) is None
