"""Generators that an agent starts measure what those of this machine do, and one that is lost is lost by name."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from harness import spec
from harness.errors import LaunchError, LoadError
from harness.machine.identity import table
from harness.machine.process import Process
from harness.spec.loads import Closed
from harness.trial.generator import generating
from tests.loadtests.engine_support import null_server
from tests.trial.machine_support import machine, without_network

pytestmark = pytest.mark.live
TEN, ELEVEN = machine("ten"), machine("eleven")


def phase(port: int, *, slice_s: float = 0.3) -> spec.Spec:
    """A slice of an arm."""
    arm = spec.DrivenArm(name="a", port=port, load=Closed(connections=5), request=spec.Request(length=5))
    return spec.Spec(arms=(arm,), rounds=((0,),), slice_s=slice_s, warmup_s=0.1)


def test_two_machines_share_a_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What they sent is what the server saw; then the agent of one is killed, which costs the phase, by name."""
    monkeypatch.setenv("PATH", str(without_network(tmp_path)), prepend=os.pathsep)
    struck: list[int] = []

    def strike(event: spec.Event, master: Process) -> None:
        if event.event == "opened" and not struck:
            struck.extend(pid for pid in master.members() if pid != master.pid)
            agents = [pid for pid in struck if "harness\0agent" in Path(f"/proc/{pid}/cmdline").read_text()]
            os.kill(min(agents), signal.SIGKILL)

    with (
        null_server("fixed:5") as server,
        generating(cpus=(), log=tmp_path / "generator.log", count=2, machines=(TEN, ELEVEN)) as drives,
    ):
        shown = drives.run(phase(server.port), lambda *_: None)
        assert shown.error is None
        assert sum(total.attempts for total in shown.totals) == server.seen()["requests"]
        assert [share.connections for share in shown.slices[0].shares] == [3, 2]
        with pytest.raises(LoadError, match=r"generator [12] of 2 on (ten|eleven) lost its agent: ssh ended"):
            drives.run(phase(server.port, slice_s=10.0), strike)
        assert len(struck) >= 4
        assert not [pid for pid, process in table().items() if pid in struck and not process.ended]


def test_a_machine_that_cannot_be_reached_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what ssh says of it."""
    binaries = without_network(tmp_path)
    (binaries / "ssh").write_text(
        "#!/bin/sh\necho 'ssh: connect to host ten port 22: No route to host' >&2\nexit 255\n"
    )
    monkeypatch.setenv("PATH", str(binaries), prepend=os.pathsep)
    says = r"generator 1 of 1 on ten lost its agent: ssh ended with exit code 255: .*No route to host"
    log = tmp_path / "generator.log"
    with generating(cpus=(), log=log, machines=(TEN,)) as drives, pytest.raises(LaunchError, match=says):
        drives.run(phase(1), lambda *_: None)
