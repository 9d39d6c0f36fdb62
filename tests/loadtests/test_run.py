"""`python -P -m loadtests SPEC RESULT`, as the harness starts it: a subprocess, its events, its result, its end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from harness.spec import DrivenArm, Event, Request, Result, Spec, dump, load
from harness.spec.loads import Closed, Open
from tests.loadtests.engine_support import PATIENCE_S, ROOT, NullServer, null_server

pytestmark = pytest.mark.live
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT)}


def spec(server: NullServer, **more: Any) -> Spec:
    """One closed slice."""
    arm = DrivenArm(name="a", port=server.port, load=Closed(connections=4), request=Request(length=5))
    given: dict[str, Any] = {"arms": (arm,), "rounds": ((0,),), "slice_s": 0.2, "warmup_s": 0.1}
    return Spec(**(given | more))


@contextmanager
def running(folder: Path, text: str, **more: Any) -> Iterator[subprocess.Popen[str]]:
    """The run of a spec, ended at the end."""
    spec_file, result_file = folder / "spec.json", folder / "result.json"
    spec_file.write_text(text)
    argv = [sys.executable, "-P", "-m", "loadtests", str(spec_file), str(result_file)]
    given: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "env": ENVIRONMENT, "cwd": folder}
    with subprocess.Popen(argv, text=True, **(given | more)) as process:
        try:
            yield process
        finally:
            process.kill()


def result(folder: Path) -> Result:
    """What the run left."""
    assert [path.name for path in folder.iterdir() if "result" in path.name] == ["result.json"]
    return load(Result, (folder / "result.json").read_bytes())


def read_until(process: subprocess.Popen[str], event: str) -> list[Event]:
    """The events up to the first called `event`."""
    assert process.stdout is not None
    events: list[Event] = []
    for line in process.stdout:
        events.append(load(Event, line))
        if events[-1].event == event:
            return events
    raise AssertionError(f"no {event!r} among {events}")


def test_a_run_tells_its_events_in_order_and_leaves_its_result(tmp_path: Path) -> None:
    """Standard output is events and nothing else, moments rise, and the totals are what the server saw."""
    with null_server("null") as server, running(tmp_path, dump(spec(server, rounds=((0,), (0,))))) as process:
        events = read_until(process, "done")
        assert process.wait(PATIENCE_S) == 0
        assert process.stdout is not None
        assert process.stdout.read() == ""
        sent = server.seen()["requests"]
    slice_ = ["started", "opened", "closed", "drained"]
    assert [event.event for event in events] == ["ready", "started", "drained", *slice_, *slice_, "done"]
    assert [event.round for event in events[1:-1]] == [-1] * 2 + [0] * 4 + [1] * 4
    moments = [event.at_ns for event in events]
    assert moments == sorted(moments)
    ended = result(tmp_path)
    assert ended.error is None
    assert [slice_.round for slice_ in ended.slices] == [0, 1]
    assert [event.throughput_rps for event in events if event.event == "drained"][1:] == [
        slice_.throughput_rps for slice_ in ended.slices
    ]
    assert [event.at_ns for event in events if event.event == "opened"] == [slice_.start_ns for slice_ in ended.slices]
    assert ended.totals[0].attempts == sent


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_run_with_what_it_has(tmp_path: Path, number: signal.Signals) -> None:
    """Within the second round: the first slice is there, the error says why, and every request is accounted for."""
    rounds = ((0,),) * 50
    with null_server("null") as server, running(tmp_path, dump(spec(server, rounds=rounds))) as process:
        read_until(process, "drained")
        read_until(process, "drained")
        read_until(process, "opened")
        process.send_signal(number)
        assert process.wait(PATIENCE_S) == 1
        ended = result(tmp_path)
        assert ended.error is not None
        assert number.name in ended.error
        assert 1 <= len(ended.slices) < 50
        assert ended.totals[0].attempts == ended.totals[0].good == server.seen()["requests"]


def test_a_signal_does_not_wait_for_a_server_that_hangs(tmp_path: Path) -> None:
    """A request that has no answer within a second is given up, and counted as timed out."""
    with null_server("fixed:3600000") as server, running(tmp_path, dump(spec(server))) as process:
        read_until(process, "started")
        process.terminate()
        assert process.wait(PATIENCE_S) == 1
    (totals,) = result(tmp_path).totals
    assert totals.error_kinds.get("timeout", 0) == totals.errors == totals.attempts <= 4


def test_a_run_ends_when_nobody_reads_its_events(tmp_path: Path) -> None:
    """The reader has gone away: the run ends early, with a result."""
    with null_server("null") as server, running(tmp_path, dump(spec(server, rounds=((0,),) * 50))) as process:
        read_until(process, "opened")
        assert process.stdout is not None
        process.stdout.close()
        assert process.wait(PATIENCE_S) == 1
        ended = result(tmp_path)
        assert ended.error is not None
        assert ended.totals[0].attempts == server.seen()["requests"]


def test_a_run_ends_when_its_parent_is_gone(tmp_path: Path) -> None:
    """Started by a process that dies: no load goes on behind anyone's back."""
    with null_server("null") as server:
        (tmp_path / "spec.json").write_text(dump(spec(server, slice_s=30.0)))
        argv = [sys.executable, "-P", "-m", "loadtests", "spec.json", "result.json"]
        child = f"import subprocess; print(subprocess.Popen({argv!r}, stdout=open('events', 'w')).pid, flush=True)"
        with subprocess.Popen(
            [sys.executable, "-c", child + "; import time; time.sleep(3600)"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=tmp_path,
            env=ENVIRONMENT,
        ) as parent:
            assert parent.stdout is not None
            pid = int(parent.stdout.readline())
            poll(lambda: "opened" in (tmp_path / "events").read_text())
            parent.kill()
            parent.wait(PATIENCE_S)
        try:
            poll((tmp_path / "result.json").exists)
        finally:
            if not (tmp_path / "result.json").exists():
                os.kill(pid, signal.SIGKILL)
    error = result(tmp_path).error
    assert error is not None
    assert "gone" in error


def poll(done: Any) -> None:
    """Wait until `done` says so; fails after a long while."""
    import time

    deadline = time.monotonic() + PATIENCE_S
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.02)


CLOSED = '"load": {"kind": "closed", "connections": 4}'
OPEN = '"load": {"kind": "open", "connections": 4}'
"""Without a rate."""


@pytest.mark.parametrize(
    "text",
    [
        "nonsense",
        '{"arms": [], "rounds": [], "more": 1}',
        '{"format": 99, "arms": [], "rounds": []}',
        f'{{"arms": [{{"name": "a", "port": 1, "request": {{}}, {OPEN}}}], "rounds": [[0]], "warmup_s": 0}}',
        f'{{"arms": [{{"name": "a", "host": "a.invalid", "port": 1, "request": {{}}, {CLOSED}}}], "rounds": [[0]]}}',
        f'{{"arms": [{{"name": "a", "port": 1, "request": {{"path": "/\\n"}}, {CLOSED}}}], "rounds": [[0]]}}',
    ],
)
def test_a_spec_that_cannot_be_run_is_an_error_in_the_result(tmp_path: Path, text: str) -> None:
    """Not a hang, not a missing file: exit status 1, and a sentence."""
    with running(tmp_path, text) as process:
        process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 1
    ended = result(tmp_path)
    assert ended.error
    assert ended.slices == ()


def test_an_open_run_is_judged_by_its_lateness(tmp_path: Path) -> None:
    """Three histograms, and the generator's judgement of itself."""
    with null_server("null") as server:
        arm = DrivenArm(
            name="a",
            port=server.port,
            load=Open(connections=4, rate_rps=200.0),
            request=Request(length=5),
            response_s=0.001,
        )
        phase = Spec(arms=(arm,), rounds=((0,),), slice_s=0.5, warmup_s=0.0)
        with running(tmp_path, dump(phase)) as process:
            process.communicate(timeout=PATIENCE_S)
    (slice_,) = result(tmp_path).slices
    assert slice_.latency
    assert slice_.service
    assert slice_.lateness
    assert slice_.scheduled == slice_.done
    assert slice_.generator.cpu_percent > 0
    assert json.loads(dump(slice_))["generator"]["valid"] == (not slice_.generator.reasons)
