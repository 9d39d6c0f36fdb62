"""Work that two processes share, and what becomes of it where one of them fails."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.report.halves import shared

HERE = os.getpid()


@pytest.fixture(autouse=True)
def _two_cpus_and_nothing_left(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As on a machine with two CPUs; no process and no descriptor is left afterwards."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    before = _children(), len(list(Path("/proc/self/fd").iterdir()))
    yield
    assert (_children(), len(list(Path("/proc/self/fd").iterdir()))) == before


def _children() -> set[str]:
    """Ids of the processes that this one has; other tests may have left some that end with it."""
    return {pid for each in Path("/proc/self/task").glob("*/children") for pid in each.read_text().split()}


def test_what_two_make_comes_in_order() -> None:
    """More than a pipe holds at once, too."""
    assert shared(lambda number: b"%d" % number * 5000, 60) == [b"%d" % number * 5000 for number in range(60)]
    assert shared(lambda number: number, 0) == []


def test_the_other_process_takes_a_part_of_it() -> None:
    """This one waits in its first turn until the other has had one."""
    heard, told = os.pipe()

    def who(_: int) -> int:
        if os.getpid() == HERE:
            os.read(heard, 1)
        else:
            os.write(told, b"x")
        return os.getpid()

    assert set(shared(who, 2)) - {HERE}
    os.close(heard)
    os.close(told)


def _raises() -> None:
    raise ValueError("in the fork")


def _is_killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("end", [_raises, _is_killed])
def test_what_the_other_fails_to_make_is_made_here(end: Callable[[], None]) -> None:
    """It may raise, or be killed when memory runs out."""

    def make(number: int) -> int:
        if os.getpid() != HERE:
            end()
        return number

    assert shared(make, 20) == list(range(20))


def test_an_error_here_ends_the_other_and_is_raised() -> None:
    """Ctrl-C is one."""

    def make(_: int) -> None:
        if os.getpid() == HERE:
            raise KeyboardInterrupt
        signal.pause()

    with pytest.raises(KeyboardInterrupt):
        shared(make, 20)


def test_an_error_that_both_meet_is_raised_here() -> None:
    """As if there were no other process."""

    def make(number: int) -> int:
        raise ValueError(f"chart {number}")

    with pytest.raises(ValueError, match="chart "):
        shared(make, 5)


def test_without_another_process_one_makes_it_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """On one CPU, or where no process more may be started."""

    def refused() -> int:
        raise BlockingIOError

    monkeypatch.setattr(os, "fork", refused)
    assert shared(lambda number: number, 5) == [0, 1, 2, 3, 4]
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    assert shared(lambda number: number, 5) == [0, 1, 2, 3, 4]
