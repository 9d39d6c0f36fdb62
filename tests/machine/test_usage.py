"""CPU, memory and switches of processes, steal and load of the machine."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from harness.machine import usage


def test_cpu_seconds_grow_with_work_and_count_threads() -> None:
    """Of our own process: work in a living thread is work of the process."""
    me, enough = [os.getpid()], threading.Event()

    def work() -> None:
        while not enough.is_set():
            sum(range(1000))

    before, deadline = usage.usage(me), time.monotonic() + 30
    thread = threading.Thread(target=work)
    thread.start()
    try:
        while (worked := usage.usage(me).total_since(before)) < 0.1 and time.monotonic() < deadline:
            time.sleep(0.01)
    finally:
        enough.set()
        thread.join()
    assert worked >= 0.1


@pytest.mark.parametrize("proc", ["/proc", "elsewhere"])
def test_the_work_of_threads_that_have_ended_is_work_of_their_process(proc: str, tmp_path: Path) -> None:
    """As Django's `def` views under ASGI: each request has a thread that ends with it."""
    me, seen, enough_s = [os.getpid()], tmp_path / proc, 0.1
    if not seen.exists():
        seen.symlink_to("/proc")

    def work() -> None:
        while time.thread_time() < enough_s:
            sum(range(1000))

    before = usage.usage(me, seen)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert usage.usage(me, seen).total_since(before) >= enough_s - 2 / os.sysconf("SC_CLK_TCK")


def test_a_process_that_has_gone_is_left_out_and_never_negative() -> None:
    """As when a worker is replaced between two readings."""
    before = usage.Usage({1: 5.0, 2: 1.0})
    after = usage.Usage({2: 0.5, 3: 0.25})
    assert after.since(before) == {2: 0.0, 3: 0.25}
    assert usage.usage([2**22 + 1]).cpu_s == {}


def test_memory_threads_and_switches_are_read() -> None:
    """Of our own process they are all there."""
    me = [os.getpid()]
    memory = usage.memory(me)
    assert memory is not None
    assert memory.pss > 2**20
    assert 0 <= memory.shared < memory.pss
    assert usage.threads(me) >= 1
    assert sum(usage.context_switches(me).values()) > 0
    assert usage.memory([2**22 + 1]) is None


def test_switches_are_those_of_the_threads_that_live() -> None:
    """One that has ended takes none away, and one that has begun brings all of its own."""
    assert usage.switches_since({1: 100, 2: 5000}, {1: 130, 3: 4}) == 34


TAKES = """
import sys
print("ready", flush=True)
sys.stdin.readline()
taken = bytearray(b"x") * (64 << 20)
print("taken", flush=True)
sys.stdin.readline()
"""


def test_what_a_process_takes_more_is_seen_to_the_page() -> None:
    """Where it is of no file, and once it is written to; of a process that does nothing else meanwhile."""
    with subprocess.Popen(
        [sys.executable, "-c", TAKES], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        before = usage.anonymous_bytes([child.pid])[child.pid]
        child.stdin.write("\n")
        assert child.stdout.readline() == "taken\n"
        grown = usage.anonymous_bytes([child.pid])[child.pid] - before
    assert abs(grown - (64 << 20)) < 2**20
    assert usage.anonymous_bytes([2**22 + 1]) == {}


def test_steal_and_outside_load_come_from_the_machines_first_line(tmp_path: Path) -> None:
    """Jiffies: user nice system idle iowait irq softirq steal."""
    (tmp_path / "stat").write_text("cpu  100 0 100 800 0 0 0 0 0 0\n")
    before = usage.machine(tmp_path)
    (tmp_path / "stat").write_text("cpu  150 0 100 830 0 0 0 20 0 0\n")
    after = usage.machine(tmp_path)
    assert after.steal_since(before) == pytest.approx(0.2)
    ours_s = 40 / os.sysconf("SC_CLK_TCK")
    assert after.outside_since(before, ours_s) == pytest.approx(0.1)
