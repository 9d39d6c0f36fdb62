"""An agent says what is there, starts a generator, and outlives neither it nor whoever talks to it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from harness.machine.identity import boot, table
from harness.machine.topology import Topology
from harness.spec.agents import LOST_S, Begin, Ended, Hello, Reach, Reached, line, said, versions
from harness.spec.machines import Taken
from harness.trial import agent as remote
from tests.polling import until

pytestmark = pytest.mark.live
ROOT = Path(__file__).resolve().parent.parent.parent


@contextmanager
def agent() -> Iterator[subprocess.Popen[bytes]]:
    """An agent, as ssh starts it."""
    argv = [sys.executable, "-P", "-m", "harness", "agent"]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env) as popen:
        try:
            yield popen
        finally:
            popen.kill()


def hear(popen: subprocess.Popen[bytes]) -> object:
    """The next that it says."""
    assert popen.stdout is not None
    return said(popen.stdout.readline())


def tell(popen: subprocess.Popen[bytes], *messages: Begin | Reach) -> None:
    """Say it."""
    assert popen.stdin is not None
    popen.stdin.write(b"".join(map(line, messages)))
    popen.stdin.flush()


def children(pid: int) -> set[int]:
    """The living descendants of a process."""
    processes = {each: entry for each, entry in table().items() if not entry.ended}
    found = {pid}
    while more := {each for each, entry in processes.items() if entry.parent in found} - found:
        found |= more
    return found - {pid}


def living(pids: set[int]) -> set[int]:
    """Those that have not ended."""
    return {pid for pid, entry in table().items() if pid in pids and not entry.ended}


# Port 1 has no master: the generator tries to join it for as long as it lives.
JOIN = '{"port": 1, "nonce": "n", "rank": 0}'


def test_it_says_what_is_there_and_what_it_can_reach() -> None:
    """Then it ends with its input."""
    with agent() as popen:
        hello = hear(popen)
        assert isinstance(hello, Hello)
        assert hello.versions == versions()
        assert hello.machine["cpus"] == os.cpu_count()
        tell(popen, Reach(host="127.0.0.1", port=1))
        assert hear(popen) == Reached(host="127.0.0.1", port=1, error="Connection refused")
        assert popen.stdin is not None
        popen.stdin.close()
        assert popen.wait(20) == 0


def test_a_generator_that_ends_is_told_of() -> None:
    """With what it has printed."""
    with agent() as popen:
        hear(popen)
        tell(popen, Begin(join="no JSON", seat=0))
        ended = hear(popen)
        assert isinstance(ended, Ended)
        assert ended.how.startswith("ended with exit code 1: ")
        assert "Join" in ended.how or "JSON" in ended.how


@pytest.mark.parametrize("how", ["silence", "killed"])
def test_nothing_outlives_whoever_talked_to_it(how: str) -> None:
    """Be it cut off, when its input stays open, or killed itself."""
    with agent() as popen:
        hear(popen)
        tell(popen, Begin(join=JOIN, seat=1))
        assert until(lambda: any("loadtests" in words(pid) for pid in children(popen.pid)))
        started = children(popen.pid)
        if how == "killed":
            popen.kill()
        assert until(lambda: not living(started), 3 * LOST_S)
        assert popen.wait(20) == (0 if how == "silence" else -9)


def test_what_is_no_order_ends_it_with_one_line() -> None:
    """And no traceback."""
    argv = [sys.executable, "-P", "-m", "harness", "agent"]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(argv, input="hello\n", env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "that is no order for an agent" in done.stderr
    assert "Traceback" not in done.stderr


def test_each_generator_of_a_machine_gets_a_core_as_long_as_there_are_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the last one on; then they share."""
    monkeypatch.setattr(remote, "usable_cpus", lambda: (0, 1, 2))
    monkeypatch.setattr(remote, "topology", lambda cpus: Topology(tuple((cpu,) for cpu in cpus)))
    assert [remote.seat(number) for number in range(4)] == [2, 1, 0, 2]


@pytest.mark.parametrize(
    ("server", "services", "seats"),
    [
        ((0,), (), [3, 2, 1, 3]),
        ((0, 1), (3,), [2, 2, 2, 2]),
        ((0, 1, 2), (3,), [3, 3, 3, 3]),  # rather beside the services than beside the servers
        ((0, 1, 2, 3), (3,), [3, 2, 1, 0]),
    ],
)
def test_generators_keep_off_the_servers_that_are_on_the_same_machine(
    server: tuple[int, ...], services: tuple[int, ...], seats: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are in a container there, perhaps; another machine has cores of the same numbers, and they are free."""
    monkeypatch.setattr(remote, "usable_cpus", lambda: (0, 1, 2, 3))
    monkeypatch.setattr(remote, "topology", lambda cpus: Topology(tuple((cpu,) for cpu in cpus)))
    here = Taken(boot=boot(), server=server, services=services)
    assert [remote.seat(number, here) for number in range(4)] == seats
    assert [remote.seat(number, replace(here, boot="another")) for number in range(4)] == [3, 2, 1, 0]


def words(pid: int) -> str:
    """The command line of a process; empty where it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""
