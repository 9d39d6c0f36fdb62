"""Several generators measure what one does, and one that is lost costs its phase, by name."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from harness import spec
from harness.errors import LoadError
from harness.machine.identity import table
from harness.machine.process import Process
from harness.spec.histogram import Histogram
from harness.spec.loads import Closed, Load, Open
from harness.trial.generator import generating
from tests.loadtests.engine_support import null_server

pytestmark = pytest.mark.live


def phase(port: int, load: Load, *, slice_s: float = 0.3, warmup_s: float = 0.1) -> spec.Spec:
    """A slice of an arm."""
    arm = spec.DrivenArm(name="a", port=port, load=load, request=spec.Request(length=5))
    return spec.Spec(arms=(arm,), rounds=((0,),), slice_s=slice_s, warmup_s=warmup_s)


def test_two_generators_share_a_load(tmp_path: Path) -> None:
    """What they sent is what the server saw, in either phase; their slices are one, and so are their events."""
    events: list[spec.Event] = []
    with (
        null_server("fixed:5") as server,
        generating(cpus=(), log=tmp_path / "generator.log", count=2) as drives,
    ):
        closed = drives.run(phase(server.port, Closed(connections=5)), lambda event, _: events.append(event))
        sent = sum(total.attempts for total in closed.totals)
        assert sent == server.seen()["requests"]
        single = drives.run(phase(server.port, Closed(connections=1)), lambda *_: None)
        sent += sum(total.attempts for total in single.totals)
        open_ = drives.run(phase(server.port, Open(connections=8, rate_rps=400), warmup_s=0), lambda *_: None)
        sent += sum(total.attempts for total in open_.totals)
        assert sent == server.seen()["requests"]
    names = ["started", "drained", "started", "opened", "closed", "drained", "done"]
    assert [event.event for event in events] == names
    opened = [event.at_ns for event in events if event.event == "opened"]
    assert [slice_.start_ns for slice_ in closed.slices] == opened
    for slice_ in closed.slices:
        assert [share.connections for share in slice_.shares] == [3, 2]
        assert sum(share.requests for share in slice_.shares) == slice_.requests
    assert [len(slice_.shares) for slice_ in single.slices] == [1], "of one connection no second has a share"
    for slice_ in open_.slices:
        assert slice_.latency is not None
        assert slice_.scheduled == slice_.done == Histogram.decode(slice_.latency).count
        assert min(share.requests for share in slice_.shares) > 0


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (signal.SIGKILL, r"generator [12] of 2 ended by SIGKILL"),
        (signal.SIGSTOP, r"generator [12] of 2 is missing: no heartbeat from it"),
    ],
)
def test_a_generator_that_is_lost_costs_the_phase_by_name(fault: signal.Signals, says: str, tmp_path: Path) -> None:
    """And nothing of the crew is left."""
    struck: list[int] = []

    def strike(event: spec.Event, master: Process) -> None:
        if event.event == "opened" and not struck:
            struck.extend(pid for pid in master.members() if pid != master.pid)
            os.kill(struck[0], fault)

    with (
        null_server("fixed:5") as server,
        generating(cpus=(), log=tmp_path / "generator.log", count=2) as drives,
    ):
        with pytest.raises(LoadError, match=says):
            drives.run(phase(server.port, Closed(connections=4), slice_s=10.0), strike)
        assert len(struck) == 2
        assert not [pid for pid, process in table().items() if pid in struck and not process.ended]
