"""Servers of a block are waited for at the same time; when each first answered, and what it shared then, is kept."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from harness.errors import LaunchError
from harness.machine.placement import Placement
from harness.record import Trial
from harness.subject.launch import launch
from harness.subject.services import Services
from harness.suite import Arm, Ask, Expect, Options, build, load_suite
from harness.trial.bench import Bench, GroupState
from harness.trial.block import measure_block
from harness.trial.generator import Generator
from harness.trial.progress import Silent
from harness.trial.starting import awaited
from tests import factories

AFTER_THE_OTHER = """
import pathlib, sys, time
from http.server import BaseHTTPRequestHandler, HTTPServer
host, port, mine, other = sys.argv[1], int(sys.argv[2]), *map(pathlib.Path, sys.argv[3:5])
class Hello(BaseHTTPRequestHandler):
    def do_GET(self):
        mine.touch()
        while not other.exists():
            time.sleep(0.01)
        self.send_response(200)
        self.end_headers()
    def log_message(self, *_):
        pass
HTTPServer((host, port), Hello).serve_forever()
"""
"""It answers once the other has been asked too."""
SUITE = """
phases = ["closed"]
blocks = 1
[[pair]]
scenario = "json"
workers = 2
a = { target = "flask", server = "gunicorn-gthread" }
b = { target = "flask", server = "gunicorn-gthread", preload = "preload" }
"""


def waiting(name: str, folder: Path, other: str, ready_s: float) -> Arm:
    """An arm that answers after the one called `other` was asked."""
    argv = ("{python}", "-c", AFTER_THE_OTHER, "{host}", "{port}", str(folder / name), str(folder / other))
    return factories.arm(
        name,
        target=factories.target(name="shop", python=sys.executable, folder=str(folder), ready_s=ready_s),
        server=factories.server(name="tiny", argv=argv),
        scenario=factories.scenario(request=Ask(path="/"), expect=Expect(status=200)),
    )


@pytest.mark.parametrize("at_once", [True, False])
def test_servers_are_waited_for_at_the_same_time_where_they_can_be(tmp_path: Path, *, at_once: bool) -> None:
    """Else the answer of the second is asked for when the first has given its own: here it never would."""
    began = time.monotonic()
    ready_s = 30.0 if at_once else 1.0
    arms = waiting("p1a", tmp_path, "p1b", ready_s), waiting("p1b", tmp_path, "p1a", ready_s)
    with (
        launch(arms[0], (), Services(), cpus=(), log=tmp_path / "a.log") as a,
        launch(arms[1], (), Services(), cpus=(), log=tmp_path / "b.log") as b,
    ):
        told = dict(zip("ab", awaited([a, b], at_once=at_once), strict=True))
    passed_s = time.monotonic() - began
    assert [server.arm.id for server, _ in told.values()] == ["p1a", "p1b"]
    if at_once:
        assert all(isinstance(seen, float) and 0 < seen <= passed_s for _, seen in told.values())
    else:
        assert isinstance(told["a"][1], LaunchError)


def test_nothing_is_waited_for_where_nothing_was_started() -> None:
    """As where no arm of a block can be launched."""
    assert list(awaited([], at_once=True)) == []


@pytest.mark.live
def test_a_block_keeps_when_each_server_answered_and_what_preloading_shares(tmp_path: Path) -> None:
    """On gunicorn: workers that are forked from the loaded app share it, and lose some of that as they answer."""
    (tmp_path / "suite.toml").write_text(SUITE)
    definitions, suite = load_suite(str(tmp_path / "suite.toml"))
    plan = replace(build(definitions, suite, Options(seed=1)), rounds=1, slice_s=0.2)
    generator = Generator(cpus=(), log=tmp_path / "logs" / "generator.log")
    bench = Bench(
        plan=plan,
        placement=Placement(server=(), generator=(), services=()),
        services=Services(),
        generator=generator,
        missing={},
        logs=tmp_path / "logs",
        progress=Silent(),
        started_ns=time.perf_counter_ns(),
    )
    began = time.monotonic()
    try:
        plain, loaded = measure_block(bench, GroupState(plan.groups[0]), 0)
    finally:
        generator.end()
    passed_s = time.monotonic() - began
    assert [plain.error, loaded.error] == [None, None]
    for trial in (plain, loaded):
        assert trial.first_answer_s is not None
        assert 0 < trial.first_answer_s < passed_s
    assert shared(loaded)[0] > 2 * shared(plain)[0]
    assert shared(loaded)[0] > shared(loaded)[1] > shared(plain)[1]
    assert (loaded.memory_bytes or 0) < (plain.memory_bytes or 0)


def shared(trial: Trial) -> tuple[int, int]:
    """What the processes of a trial shared before and after its load."""
    before, after = trial.shared_before_bytes, trial.slices[-1].shared_bytes
    assert before is not None
    assert after is not None
    return before, after
