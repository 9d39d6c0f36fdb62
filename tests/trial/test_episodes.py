"""Episodes of a real block: two threads, and neighbours that take one or both."""

from __future__ import annotations

import dataclasses
import runpy
import sys
from pathlib import Path

import pytest

from harness import measure, record
from harness.judge.episodes import broke
from harness.machine.placement import Placement
from harness.record.sitting import begin
from harness.suite import (
    Ask,
    Expect,
    Group,
    Held,
    Open,
    Options,
    Scenario,
    Thresholds,
    build,
    load_definitions,
    load_suite,
)
from harness.suite.choice import arm_of
from harness.trial.progress import Silent
from tests import factories

ANY_MACHINE = Thresholds(outside_load=1, steal=1, generator_waiting=1, generator_cpu_percent=400, lateness_p99_us=1e6)
"""The order of events is what is tested, whatever else the machine does."""
BEFORE_S = 0.5


def waits(name: str, wait_ms: int) -> Scenario:
    """A request that waits by itself."""
    return Scenario(
        name=name, about="", request=Ask(path=f"/slow?ms={wait_ms}"), expect=Expect(json={"waited_ms": wait_ms})
    )


@pytest.mark.live
def test_neighbours_that_take_every_thread_break_the_victim_and_it_is_well_when_they_are_gone(tmp_path: Path) -> None:
    """Not so as long as one thread is left. All that was held is on record, and the block is known to be whole."""
    known = load_definitions()
    target, server, victim = known.targets["flask"], known.servers["gunicorn-gthread"], waits("victim", 5)
    known = dataclasses.replace(known, scenarios=known.scenarios | {"victim": victim})
    loads = (Open(connections=4, rate_rps=20.0),)
    arm = arm_of(known, "t1", target, server, victim, levels={"threads": 2}, loads=loads)
    held = Held(
        request="report", count=(1, 2), deadline_ms=400, late_share=0.3, before_s=BEFORE_S, during_s=1.0, after_s=10
    )
    group = Group(id="g1", scenario="victim", arms=(arm,), pairs=(), disturbance=held, neighbour=waits("report", 1100))
    plan = factories.plan(group, blocks=1, open_slice_s=0.5, thresholds=ANY_MACHINE)
    placement = Placement(server=(0,), generator=(0,), services=(0,))
    (tmp_path / "run").mkdir()
    measure.measure(begin(tmp_path / "run", plan, placement, None), Silent())
    run = record.read(tmp_path / "run")
    one, two = run.episodes
    assert [(each.strength, each.error, each.reasons) for each in (one, two)] == [(1, None, ()), (2, None, ())]
    assert (broke(one), broke(two)) == (False, True)
    assert [each.held_least for each in (one, two)] == [1, 2]
    assert one.before is not None
    assert two.before is not None
    assert one.before.arrivals == two.before.arrivals > 0, "arrivals are the same in every episode"
    assert one.before.length_s == BEFORE_S
    assert two.well_s is not None
    assert two.timeline is not None
    assert two.timeline.held[0] == two.timeline.held[-1] == 0
    assert max(two.timeline.held) == 2
    assert [trial.block for trial in record.whole_blocks(run)] == [0]


@pytest.mark.live
def test_a_large_upload_is_held_like_any_request(tmp_path: Path) -> None:
    """By the suite that docs name: each client sends another one as soon as it is answered, and all are answered."""
    example = runpy.run_path(str(Path(__file__).parents[2] / "bench/examples/neighbours/suite.py"))
    suite = tmp_path / "further.toml"
    suite.write_text(example["SUITE"])
    planned = build(*load_suite(str(suite)), Options(seed=1))
    computing, uploading = planned.groups
    assert isinstance(computing.disturbance, Held)
    assert (computing.disturbance.request, computing.disturbance.how) == ("sums", "now-and-then")
    arm = dataclasses.replace(uploading.arms[1], pair=None, loads=(Open(connections=4, rate_rps=20.0),))
    held = Held(request="photo", count=(2,), deadline_ms=1000, before_s=BEFORE_S, during_s=1.0, after_s=5)
    group = dataclasses.replace(uploading, arms=(arm,), pairs=(), disturbance=held)
    plan = factories.plan(group, blocks=1, open_slice_s=0.5, thresholds=ANY_MACHINE)
    (tmp_path / "run").mkdir()
    placement = Placement(server=(0,), generator=(0,), services=(0,))
    measure.measure(begin(tmp_path / "run", plan, placement, None), Silent())
    (row,) = record.read(tmp_path / "run").episodes
    assert (row.error, row.held_wrong) == (None, {})
    assert row.held_answers > 2


DIES = """
import os, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Hello(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    reports = 0
    def do_GET(self):
        Hello.reports += self.path == "/report"
        if Hello.reports > 1:
            print("MemoryError: no more", flush=True)
            os._exit(3)
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"hello")
    def log_message(self, *_):
        pass
ThreadingHTTPServer((sys.argv[1], int(sys.argv[2])), Hello).serve_forever()
"""


@pytest.mark.live
def test_a_server_that_dies_in_an_episode_is_a_row_with_its_log_and_not_driven_again(tmp_path: Path) -> None:
    """The block comes to its end without it. What is held was verified before, once."""
    run = tiny(tmp_path, Expect(contains="hello"))
    (dead,) = run.episodes
    assert (dead.strength, dead.valid, dead.fault, dead.during) == (1, False, "arm", None)
    assert dead.error is not None
    assert "MemoryError: no more" in dead.error


@pytest.mark.live
def test_what_is_held_must_be_answered_rightly_before_anything_is_measured(tmp_path: Path) -> None:
    """An error that comes at once holds nothing; whoever drives would never know."""
    run = tiny(tmp_path, Expect(json={"waited_ms": 3500}))
    said = "answers wrongly (GET /report: body is not JSON: hello)"
    (trial,), (episode,) = run.trials, run.episodes
    assert said in str(trial.error)
    assert said in str(episode.error)
    assert (trial.fault, episode.fault) == ("arm", "arm")


def tiny(tmp_path: Path, report: Expect) -> record.Run:
    """A run of the server above, whose second report is its end, and which must answer the first as stated."""
    hello = Scenario(name="json", about="", request=Ask(path="/"), expect=Expect(contains="hello"))
    arm = factories.arm(
        "t1",
        pair=None,
        target=factories.target(name="shop", python=sys.executable, folder=str(tmp_path), packages=()),
        server=factories.server(name="tiny", argv=("{python}", "-c", DIES, "{host}", "{port}"), packages=()),
        scenario=hello,
        loads=factories.loads("open", connections=2, rate_rps=20.0),
    )
    neighbour = Scenario(name="report", about="", request=Ask(path="/report"), expect=report)
    held = Held(request="report", count=(1, 2), before_s=0.5, during_s=0.5, after_s=1)
    group = Group(id="g1", scenario="json", arms=(arm,), pairs=(), disturbance=held, neighbour=neighbour)
    plan = factories.plan(group, blocks=1, open_slice_s=0.5, thresholds=ANY_MACHINE)
    (tmp_path / "run").mkdir()
    placement = Placement(server=(0,), generator=(0,), services=(0,))
    measure.measure(begin(tmp_path / "run", plan, placement, None), Silent())
    return record.read(tmp_path / "run")
