"""A target on its server: launched, ready, ours, and gone afterwards."""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.errors import AnswerError, LaunchError
from harness.machine.process import Process
from harness.subject.launch import Launched, fill, launch, settings, wait_settled
from harness.subject.services import HOST, Services, free_port
from harness.suite import Arm, Ask, Expect, Factor
from tests import factories
from tests.subject.subject_support import greeter

FILES = ("{python}", "-m", "http.server", "{port}", "--bind", "{host}")
"""Serves the files of its working folder."""
ASLEEP = ("{python}", "-c", "import time; time.sleep(60)")
SILENT_LISTENER = (
    "{python}",
    "-c",
    "import socket, sys, time; socket.create_server((sys.argv[1], int(sys.argv[2]))); time.sleep(60)",
    "{host}",
    "{port}",
)


def arm(folder: Path, argv: tuple[str, ...] = FILES, **scenario: object) -> Arm:
    """An arm whose target is a folder of files."""
    return factories.arm(
        target=factories.target(name="files", python=sys.executable, folder=str(folder)),
        server=factories.server(name="http.server", argv=argv),
        scenario=factories.scenario(request=Ask(path="/hello"), expect=Expect(contains="hello"), **scenario),
    )


@contextmanager
def launched(folder: Path, argv: tuple[str, ...] = FILES, port: int | None = None) -> Iterator[Launched]:
    """That arm, launched with a greeting among its files."""
    (folder / "hello").write_text("hello, world")
    address = None if port is None else (HOST, port)
    with launch(arm(folder, argv), (), Services(), cpus=(), log=folder / "log", address=address) as server:
        yield server


def test_a_launched_target_answers_and_is_gone_afterwards(tmp_path: Path) -> None:
    """With its process, and its port free again."""
    with launched(tmp_path) as server:
        server.wait_ready()
        assert server.verify().body == b"hello, world"
        assert server.process.name == "files on http.server"
    assert server.process.members() == []
    with pytest.raises(AnswerError, match="no answer"):
        server.verify()


def test_the_time_to_the_first_answer_is_that_since_its_process_was_started(tmp_path: Path) -> None:
    """The last start, of one that was started again; missing where the first answer is an error."""
    before = time.monotonic()
    with launched(tmp_path) as server:
        first_s = server.wait_ready()
        assert first_s is not None
        assert 0 < first_s <= time.monotonic() - before
        assert isinstance(server.process, Process)
        again = time.monotonic()
        server.process.restart()
        second_s = server.wait_ready()
        assert second_s is not None
        assert 0 < second_s <= time.monotonic() - again
        (tmp_path / "hello").unlink()
        assert server.wait_ready() is None


def test_the_memory_of_a_server_is_that_of_its_processes(tmp_path: Path) -> None:
    """It is there while it runs."""
    with launched(tmp_path) as server:
        server.wait_ready()
        seen = server.memory()
        assert seen is not None
        assert 0 <= seen.shared < seen.pss
    assert server.memory() is None


def test_a_start_that_fails_is_told_in_one_line_with_its_reason_and_its_log(tmp_path: Path) -> None:
    """The exception of the traceback, not the traceback."""
    with (
        launched(tmp_path, ("{python}", "-c", "import nothing_of_that_name  # {port} {app}")) as server,
        pytest.raises(LaunchError) as caught,
    ):
        server.wait_ready()
    assert str(caught.value) == (
        "files on http.server ended with exit code 1: ModuleNotFoundError: No module named 'nothing_of_that_name'; "
        f"log: {tmp_path / 'log'}"
    )


def test_a_stranger_on_the_port_is_not_taken_for_the_server(tmp_path: Path) -> None:
    """Although it answers, and the process that we started lives."""
    with (
        greeter() as port,
        launched(tmp_path, ASLEEP, port) as server,
        pytest.raises(LaunchError, match=f"another process listens on port {port}"),
    ):
        server.wait_ready()


def test_a_server_that_dies_because_its_port_is_taken_is_not_ready(tmp_path: Path) -> None:
    """Whether it is the stranger that is noticed first or the death."""
    with (
        greeter() as port,
        launched(tmp_path, port=port) as server,
        pytest.raises(LaunchError, match=r"another process listens|Address already in use"),
    ):
        server.wait_ready()


def test_a_server_that_listens_and_never_answers_is_not_ready(tmp_path: Path) -> None:
    """It has the time that it is given, not a time-out more."""
    with (
        launched(tmp_path, SILENT_LISTENER) as server,
        pytest.raises(LaunchError, match=r"files on http\.server is not ready after 1 s"),
    ):
        server.wait_ready(timeout_s=1.0)


def test_what_the_target_is_told_reaches_it(tmp_path: Path) -> None:
    """The environment of its definition over that of the server's, and the folder that it is in."""
    code = "import os; print(os.environ['A'], os.environ['B'], os.getcwd(), flush=True)  # {port} {app}"
    target = factories.target(name="shop", python=sys.executable, folder=str(tmp_path), env={"B": "target"})
    server = factories.server(argv=("{python}", "-c", code), env={"A": "server", "B": "server"})
    shop = factories.arm(target=target, server=server)
    with launch(shop, (), Services(), cpus=(), log=tmp_path / "log") as started:
        assert isinstance(started.process, Process)
        started.process.popen.wait(20)
        assert started.process.tail() == f"server target {tmp_path}"


@pytest.mark.parametrize(
    ("tls", "level", "host"),
    [
        (False, "tls", HOST),
        (True, "none", f"tls:{HOST}"),
        ({"front": ("tls",)}, "tls", f"tls:{HOST}"),
        ({"front": ("tls",)}, "plain", HOST),
    ],
)
def test_tls_is_spoken_with_a_server_at_the_levels_that_it_names(
    tls: Any, level: str, host: str, tmp_path: Path
) -> None:
    """Whoever asks it, or loads it, finds that in its host."""
    plain = arm(tmp_path)
    spoken = replace(plain, server=replace(plain.server, tls=tls), cell=replace(plain.cell, levels=(("front", level),)))
    with launch(spoken, (), Services(), cpus=(), log=tmp_path / "log") as server:
        assert server.host == host


def test_each_launch_has_a_port_of_its_own(tmp_path: Path) -> None:
    """So that the servers of a block stand side by side."""
    with launched(tmp_path, ASLEEP) as one, launched(tmp_path, ASLEEP) as two:
        assert one.port != two.port


def test_servers_that_do_nothing_are_settled(tmp_path: Path) -> None:
    """With no need to wait until the time is up."""
    with launched(tmp_path) as server:
        server.wait_ready()
        wait_settled([server])
        assert server.process.alive()


def test_a_server_that_is_never_quiet_is_waited_for_only_so_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is measured as it is."""
    monkeypatch.setattr("harness.subject.launch.SETTLE_S", 0.3)
    monkeypatch.setattr("harness.subject.launch.SETTLE_EACH_S", 0.0)
    with launched(tmp_path, ("{python}", "-c", "while True: pass  # {port} {app}")) as server:
        wait_settled([server])
        assert server.process.alive()


def test_a_port_that_is_asked_for_is_used(tmp_path: Path) -> None:
    """As by `gatebench serve --port`."""
    port = free_port()
    with launched(tmp_path, port=port) as server:
        server.wait_ready()
        with socket.create_connection((HOST, port)):
            assert server.port == port


def test_an_argv_is_filled_with_the_levels_of_the_cell() -> None:
    """A placeholder becomes the level, or the list of arguments that the factor states; values are filled in once."""
    loop = Factor(name="loop", levels=("uvloop", "asyncio"), default="uvloop", on="side")
    preload = Factor(
        name="preload", levels=("no", "yes"), default="no", on="side", fills={"no": (), "yes": ("--preload", "-v")}
    )
    server = factories.server(argv=("{python}", "{app}", "--loop={loop}", "{preload}", "{port}"))
    target = factories.target(python="/py", app="{port}:app")
    plain = factories.arm(target=target, server=server)
    assert fill(plain, (loop, preload), "h", 80) == ["/py", "{port}:app", "--loop=uvloop", "80"]
    other = replace(plain, cell=plain.cell.at(loop="asyncio", preload="yes"))
    assert fill(other, (loop, preload), "h", 80) == ["/py", "{port}:app", "--loop=asyncio", "--preload", "-v", "80"]


def test_a_target_is_told_of_the_levels_that_its_factors_have() -> None:
    """By the factor's own variable; of one that does not apply, and has no level none, it is told nothing."""
    arm = factories.arm(scenario=factories.EXTERNAL)
    env = settings(arm, factories.FACTORS.values(), Services())
    assert (env["GATEBENCH_CLIENT"], env["GATEBENCH_POOLING"], env["GATEBENCH_GC"]) == ("httpx", "pool", "none")
    plain = settings(factories.arm(), factories.FACTORS.values(), Services())
    assert "GATEBENCH_CLIENT" not in plain
    assert plain["GATEBENCH_POOLING"] == "none"
    orm = Factor(name="orm", levels=(1, 2), default=1, on="side", env="SHOP_ORM")
    own = replace(arm, cell=arm.cell.at(orm=2))
    assert settings(own, (orm,), Services())["SHOP_ORM"] == "2"
