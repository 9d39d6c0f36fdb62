"""Which process holds which connection."""

from __future__ import annotations

import os
import socket
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from harness.subject import connections
from harness.subject.accept_queue import accept_queue
from tests.polling import until
from tests.subject.subject_support import HOST


def test_the_owner_of_each_connection_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the client's port, among the processes that are asked."""
    monkeypatch.setattr(connections, "TIME_WAIT_LIMIT", 10**9)  # other tests leave many behind
    with socket.create_server((HOST, 0)) as listener, socket.create_connection(listener.getsockname()) as client:
        accepted, _ = listener.accept()
        with accepted:
            owners = connections.connection_owners([listener.getsockname()[1]], [os.getpid()])
            assert owners == {client.getsockname()[1]: os.getpid()}


def client(stack: ExitStack, port: int = 0) -> socket.socket:
    """A client that may share its port with others, as those that the kernel chooses for several addresses may."""
    made = stack.enter_context(socket.socket())
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind((HOST, port))
    return made


def test_the_owners_of_connections_to_several_ports_are_found_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client port from which two of them are reached tells nothing, and is left out."""
    monkeypatch.setattr(connections, "TIME_WAIT_LIMIT", 10**9)
    with ExitStack() as stack:
        one, two = (stack.enter_context(socket.create_server((HOST, 0))) for _ in range(2))
        twice, other = client(stack), client(stack)
        again = client(stack, twice.getsockname()[1])
        for each, listener in ((twice, one), (again, two), (other, two)):
            each.connect(listener.getsockname())
            stack.enter_context(listener.accept()[0])
        ports = [listener.getsockname()[1] for listener in (one, two)]
        only = {other.getsockname()[1]: os.getpid()}
        assert connections.connection_owners(ports, [os.getpid()]) == only
        alone = {twice.getsockname()[1]: os.getpid()}
        assert connections.connection_owners(ports[:1], [os.getpid()]) == alone


def queued(port: int, expected: int) -> bool:
    """Whether so many connections wait to be accepted."""
    return accept_queue(port) == expected


def test_connections_that_nobody_has_accepted_are_seen_and_those_that_were_turned_away() -> None:
    """A queue of one holds two; the next one to come makes the kernel count, and its client waits for ever."""
    before = connections.overflows()
    with socket.create_server((HOST, 0), backlog=1) as listener, ExitStack() as clients:
        address = listener.getsockname()
        for expected in (1, 2):
            clients.enter_context(socket.create_connection(address))
            assert until(partial(queued, address[1], expected))
        third = clients.enter_context(socket.socket())
        third.settimeout(0)
        third.connect_ex(address)
        assert before is not None
        assert until(lambda: (connections.overflows() or 0) > before)


def test_a_kernel_that_does_not_tell_of_queues(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither of what waits, as without netlink, nor of a queue that was full."""

    def refused(*_: object) -> socket.socket:
        raise OSError("no such family")

    with socket.create_server((HOST, 0)) as listener:
        assert accept_queue(listener.getsockname()[1]) == 0
        monkeypatch.setattr(socket, "socket", refused)
        assert accept_queue(listener.getsockname()[1]) is None
    assert connections.overflows(tmp_path) is None
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "netstat").write_text("TcpExt: SyncookiesSent\nTcpExt: 7\n")
    assert connections.overflows(tmp_path) is None


def test_a_long_table_of_sockets_is_not_read(tmp_path: Path) -> None:
    """It would take CPU beside a measurement."""
    (tmp_path / "net").mkdir()
    (tmp_path / "net/sockstat").write_text("sockets: used 9\nTCP: inuse 5 orphan 0 tw 28000 alloc 7 mem 1\n")
    assert connections.connection_owners([80], [os.getpid()], tmp_path) is None


def test_who_listens_on_a_port_is_known() -> None:
    """The process that holds the socket, and nobody else."""
    with socket.create_server((HOST, 0)) as listener:
        port = listener.getsockname()[1]
        assert connections.listens(port, [os.getpid()]) is True
        assert connections.listens(port, [os.getppid()]) is False
        assert f"pid {os.getpid()}" in connections.listener(port)
    assert connections.listens(port, [os.getpid()]) is False
    assert connections.listener(port) == "unknown"


def test_a_port_that_is_shared_with_a_stranger_is_not_ours(tmp_path: Path) -> None:
    """The kernel would give part of the connections to each (SO_REUSEPORT)."""
    head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
    line = "   0: {} 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 {} 1\n"
    (tmp_path / "net").mkdir()
    (tmp_path / "7/fd").mkdir(parents=True)
    (tmp_path / "7/fd/3").symlink_to("socket:[111]")
    table = tmp_path / "net/tcp"
    ours, beside, elsewhere = (
        line.format("0100007F:1F90", 111),
        line.format("0100007F:1F90", 222),
        line.format("0200000A:1F90", 222),
    )
    table.write_text(head + ours + beside)
    assert connections.listens(8080, [7], tmp_path) is False
    table.write_text(head + ours + elsewhere)
    assert connections.listens(8080, [7], tmp_path) is True
    table.write_text(head + elsewhere)
    assert connections.listens(8080, [7], tmp_path) is False


def test_a_process_that_may_not_be_looked_into_leaves_it_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """As one that runs as another user: no server is refused for that."""

    def refused(_self: Path) -> None:
        raise PermissionError

    with socket.create_server((HOST, 0)) as listener:
        monkeypatch.setattr(Path, "iterdir", refused)
        assert connections.listens(listener.getsockname()[1], [os.getpid()]) is None
