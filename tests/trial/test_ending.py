"""The servers of a block end while those of the next one start, and are gone before anything of it is measured."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from harness import measure
from harness.errors import GatebenchError, StorageError
from harness.machine import process
from harness.machine.placement import Placement, usable_cpus
from harness.machine.process import Process
from harness.subject.launch import Launched
from harness.subject.services import Services
from harness.suite import Arm, Ask, Expect
from harness.trial import block
from harness.trial.bench import Bench, GroupState
from harness.trial.block import measure_block
from harness.trial.ending import Ending
from harness.trial.generator import Generator
from harness.trial.progress import Silent
from harness.trial.site import Here, Site
from harness.trial.stopwatch import Stopwatch
from harness.trial.there import There
from tests import factories

AWAY = usable_cpus()[-1:]
SERVER = """
import os, signal, sys, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
host, port, may_end, lock = sys.argv[1], int(sys.argv[2]), sys.argv[3], os.environ.get("SHOP_LOCK")
def end(*_):
    while not os.path.exists(may_end):
        time.sleep(0.01)
    if lock:
        os.rmdir(lock)
    os._exit(0)
signal.signal(signal.SIGTERM, end)
if lock:
    try:
        os.mkdir(lock)
    except FileExistsError:
        open(may_end, "w").close()
        raise SystemExit("it is locked")
class Hello(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"hello")
    def log_message(self, *_):
        pass
ThreadingHTTPServer((host, port), Hello).serve_forever()
"""
"""Ends only once there is a file of that name."""


def shop(name: str, folder: Path, env: dict[str, str] | None = None) -> Arm:
    """An arm on that server."""
    argv = ("{python}", "-c", SERVER, "{host}", "{port}", str(folder / "may-end"))
    return factories.arm(
        name,
        target=factories.target(name="shop", python=sys.executable, folder=str(folder), env=env or {}),
        server=factories.server(name="slow", argv=argv),
        scenario=factories.scenario(request=Ask(path="/"), expect=Expect(contains="hello")),
    )


@dataclass
class Watched(Here):
    """This machine, with a note of who lived when."""

    may_end: Path
    started: list[Process] = field(default_factory=list)
    lived: list[tuple[str, int]] = field(default_factory=list)
    """What was about to happen, and how many servers that were started before that lived then."""
    fails: dict[str, BaseException] = field(default_factory=dict)
    """What is raised by what, once."""

    def launch(self, arm: Arm, *more: Any, **known: Any) -> AbstractContextManager[Launched]:
        """Note it."""
        self.note(f"launch {arm.id}")
        return self._noted(super().launch(arm, *more, **known))

    @contextmanager
    def _noted(self, launch: AbstractContextManager[Launched]) -> Iterator[Launched]:
        with launch as launched:
            assert isinstance(launched.process, Process)
            self.started.append(launched.process)
            yield launched

    def settle(self, servers: Sequence[Launched]) -> None:
        """Note it."""
        self.note("settle")
        super().settle(servers)

    def note(self, what: str) -> None:
        """How many live; raise what is to be raised."""
        self.lived.append((what, self.living()))
        if error := self.fails.pop(what, None):
            self.may_end.touch()
            raise error

    def living(self) -> int:
        """Servers that live."""
        return sum(bool(each.members()) for each in self.started)


class Strict(Stopwatch):
    """Lets nothing count twice."""

    def __init__(self) -> None:
        super().__init__()
        self.claimed: list[str] = []
        self.now = ""

    @contextmanager
    def on(self, what: str) -> Iterator[None]:
        """Refuse what is inside of something else."""
        assert not self.now
        self.now = what
        self.claimed.append(what)
        try:
            with super().on(what):
                yield
        finally:
            self.now = ""


class OpensTheWay(Ending):
    """Lets servers end once they are waited for."""

    def __init__(self, may_end: Path) -> None:
        super().__init__(AWAY)
        self.may_end = may_end

    def wait(self) -> None:
        """Now they may."""
        if self.busy:
            self.may_end.touch()
        super().wait()
        self.may_end.unlink(missing_ok=True)


@pytest.fixture(autouse=True)
def _nothing_is_driven(monkeypatch: pytest.MonkeyPatch) -> None:
    """And on a slow machine no server is killed that only has not come to its end."""
    monkeypatch.setattr(block, "measure_phase", lambda *_: [])
    monkeypatch.setattr(process, "stop", partial(process.stop, timeout_s=30.0))


def bench_of(state: GroupState, folder: Path) -> tuple[Bench, Watched]:
    """A bench that drives nothing."""
    site = Watched(folder / "may-end")
    return Bench(
        plan=factories.plan(state.group),
        placement=Placement(server=(), generator=(), services=()),
        services=Services(),
        generator=Mock(spec=Generator),
        missing={},
        logs=folder / "logs",
        progress=Silent(),
        started_ns=time.perf_counter_ns(),
        stopwatch=Strict(),
        site=site,
    ), site


def pair(folder: Path) -> GroupState:
    """A group of two arms."""
    return GroupState(factories.group(shop("p1a", folder), shop("p1b", folder)))


def measured(bench: Bench, state: GroupState, number: int, ending: Ending | None) -> None:
    """That block."""
    assert list(measure_block(bench, state, number, ending=ending)) == []


def test_servers_that_end_slowly_delay_what_is_measured_and_not_the_launch(tmp_path: Path) -> None:
    """They live while the next ones start, and none lives when these are waited for to be quiet."""
    state = pair(tmp_path)
    bench, site = bench_of(state, tmp_path)
    with OpensTheWay(site.may_end) as ending:
        measured(bench, state, 0, ending)
        assert site.living() == 2
        old = [pid for each in site.started for pid in each.members()]
        assert {tuple(os.sched_getaffinity(pid)) for pid in old} == {AWAY}, "out of the way of those that start"
        measured(bench, state, 1, ending)
    assert site.lived == [
        ("launch p1a", 0),
        ("launch p1b", 1),
        ("settle", 2),
        ("launch p1a", 2),
        ("launch p1b", 3),
        ("settle", 2),
    ]
    assert [bool(each.members()) for each in site.started] == [False] * 4
    assert [each.popen.returncode for each in site.started] == [0] * 4, "none had to be killed"
    assert not state.alone


def test_a_server_that_starts_shares_no_log_with_the_one_that_ends(tmp_path: Path) -> None:
    """What that one still says is not taken for the reason of a failure."""
    state = pair(tmp_path)
    bench, site = bench_of(state, tmp_path)
    with OpensTheWay(site.may_end) as ending:
        for number in range(3):
            measured(bench, state, number, ending)
    names = ["p1a.log", "p1b.log", "p1a-2.log", "p1b-2.log", "p1a.log", "p1b.log"]
    assert [each.log.name for each in site.started] == names


def test_without_an_owner_servers_have_ended_with_their_block(tmp_path: Path) -> None:
    """So it is where others launch servers of their own afterwards, and on another machine."""
    state = pair(tmp_path)
    bench, site = bench_of(state, tmp_path)
    site.may_end.touch()
    measured(bench, state, 0, None)
    assert site.living() == 0
    measured(bench, state, 1, None)
    assert site.living() == 0
    assert [each.log.name for each in site.started] == ["p1a.log", "p1b.log"] * 2


@pytest.mark.parametrize(
    ("site", "generator", "away"),
    [(Here, (1, 2), [1, 2]), (Here, (0,), []), (Here, (0, 2), [2]), (Here, (), []), (There, (1,), [])],
)
def test_servers_end_beside_others_only_where_there_are_cpus_for_it(
    site: type[Site], generator: tuple[int, ...], away: list[int]
) -> None:
    """Those of the load, of which no server has any: the time to the first answer of the next ones is measured."""
    stands = Mock(spec=site, overlaps=site.overlaps)
    assert measure._away(stands, Placement(server=(0,), generator=generator, services=())) == away


@pytest.mark.parametrize("moment", ["launch p1b", "settle"])
@pytest.mark.parametrize("error", [StorageError("p1b.log cannot be written"), KeyboardInterrupt()])
def test_none_is_left_when_the_next_block_breaks_off(
    moment: str, error: GatebenchError | KeyboardInterrupt, tmp_path: Path
) -> None:
    """Of neither block, after Ctrl-C or a disk that is full."""
    state = pair(tmp_path)
    bench, site = bench_of(state, tmp_path)

    def broken_off() -> None:
        with OpensTheWay(site.may_end) as ending:
            measured(bench, state, 0, ending)
            assert site.living() == 2
            site.fails[moment] = error
            measured(bench, state, 1, ending)

    with pytest.raises(type(error)):
        broken_off()
    assert len(site.started) == (3 if moment == "launch p1b" else 4)
    assert site.living() == 0


def test_what_does_not_start_beside_those_that_end_is_started_without_them(tmp_path: Path) -> None:
    """They may have what it needs. From then on its group waits for them first."""
    state = GroupState(factories.group(shop("p1a", tmp_path), shop("p1b", tmp_path, {"SHOP_LOCK": f"{tmp_path}/lock"})))
    bench, site = bench_of(state, tmp_path)
    with Ending(AWAY) as ending:
        measured(bench, state, 0, ending)
        assert site.living() == 2
        rows = list(measure_block(bench, state, 1, ending=ending))
        assert rows == [], "no row of an arm that did not start"
        assert state.alone
        measured(bench, state, 2, ending)
    assert site.lived[3:] == [
        ("launch p1a", 2),
        ("launch p1b", 3),  # it is locked
        ("launch p1a", 0),
        ("launch p1b", 1),
        ("settle", 2),
        ("launch p1a", 0),
        ("launch p1b", 1),
        ("settle", 2),
    ]
    assert site.living() == 0


def test_an_arm_that_never_starts_costs_its_group_one_launch_more_at_most(tmp_path: Path) -> None:
    """And has its row in each block."""
    broken = shop("p1b", tmp_path, {"PYTHONHOME": "/nowhere"})
    state = GroupState(factories.group(shop("p1a", tmp_path), broken))
    bench, site = bench_of(state, tmp_path)
    site.may_end.touch()
    with Ending(AWAY) as ending:
        for number in range(3):
            rows = list(measure_block(bench, state, number, ending=ending))
            assert [(row.arm, row.error is None) for row in rows] == [("p1b", False)]
    assert [what for what, _ in site.lived] == ["launch p1a", "launch p1b", "settle"] * 3


def test_all_of_a_block_is_accounted_for_while_servers_end(tmp_path: Path) -> None:
    """No second counts twice, and what is waited for is a stop, whoever waits."""
    state = pair(tmp_path)
    bench, site = bench_of(state, tmp_path)
    watch = bench.stopwatch
    assert isinstance(watch, Strict)
    with OpensTheWay(site.may_end) as ending:
        measured(bench, state, 0, ending)
        watch.claimed.clear()
        began = time.monotonic()
        watch.lap()
        measured(bench, state, 1, ending)
        times = watch.lap()
        took_s = time.monotonic() - began
    assert watch.claimed == ["launch", "stop", "launch", "verify", "stop"]
    assert min(times.launch_s, times.stop_s, times.verify_s) > 0
    assert times.total_s <= took_s


def test_an_end_that_fails_is_told_by_whoever_waits_and_once() -> None:
    """And nothing is owned any more."""
    ending, servers = Ending(AWAY), ExitStack()
    done: list[str] = []
    servers.callback(done.append, "other")
    servers.push(Mock(side_effect=StorageError("disk is full")))
    ending.take(servers, [])
    owned = ending.busy
    with pytest.raises(StorageError, match="disk is full"):
        ending.wait()
    assert done == ["other"]
    assert (owned, ending.busy) == (True, False)
    ending.wait()
