"""`python -P -m loadtests`, as the harness starts it: a subprocess, its events, its results, its end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from harness.spec import DrivenArm, Event, Request, Result, Spec, dump, load
from harness.spec.loads import Closed, Open
from tests.loadtests.engine_support import PATIENCE_S, ROOT, NullServer, null_server

pytestmark = pytest.mark.live
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT)}
ARGV = [sys.executable, "-P", "-m", "loadtests"]


def spec(server: NullServer, **more: Any) -> Spec:
    """One closed slice."""
    arm = DrivenArm(name="a", port=server.port, load=Closed(connections=4), request=Request(length=5))
    given: dict[str, Any] = {"arms": (arm,), "rounds": ((0,),), "slice_s": 0.2, "warmup_s": 0.1}
    return Spec(**(given | more))


@contextmanager
def running(folder: Path, *texts: str) -> Iterator[subprocess.Popen[str]]:
    """The run of some specs, ended at the end; its standard input stays open until `finish`."""
    pipes: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen(ARGV, text=True, env=ENVIRONMENT, cwd=folder, **pipes) as process:
        try:
            for text in texts:
                order(process, text)
            yield process
        finally:
            process.kill()


def order(process: subprocess.Popen[str], text: str) -> None:
    """Tell it the next phase."""
    assert process.stdin is not None
    process.stdin.write(text + "\n")
    process.stdin.flush()


def finish(process: subprocess.Popen[str]) -> int:
    """Close its standard input; returns its exit status."""
    assert process.stdin is not None
    process.stdin.close()
    return process.wait(PATIENCE_S)


def read_until(process: subprocess.Popen[str], event: str) -> list[Event]:
    """The events up to the first called `event`."""
    assert process.stdout is not None
    events: list[Event] = []
    for line in process.stdout:
        events.append(load(Event, line))
        if events[-1].event == event:
            return events
    raise AssertionError(f"no {event!r} among {events}")


def result(process: subprocess.Popen[str]) -> Result:
    """The result of the phase under way."""
    ended = read_until(process, "done")[-1].result
    assert ended is not None
    return ended


def test_a_phase_tells_its_events_in_order_and_its_result_at_last(tmp_path: Path) -> None:
    """Standard output is events and nothing else, moments rise, and the totals are what the server saw."""
    with null_server("null") as server, running(tmp_path, dump(spec(server, rounds=((0,), (0,))))) as process:
        events = read_until(process, "done")
        assert finish(process) == 0
        assert process.stdout is not None
        assert process.stdout.read() == ""
        sent = server.seen()["requests"]
    slice_ = ["started", "opened", "closed", "drained"]
    assert [event.event for event in events] == ["ready", "started", "drained", *slice_, *slice_, "done"]
    assert [event.round for event in events[1:-1]] == [-1] * 2 + [0] * 4 + [1] * 4
    moments = [event.at_ns for event in events]
    assert moments == sorted(moments)
    ended = events[-1].result
    assert ended is not None
    assert ended.error is None
    assert [slice_.round for slice_ in ended.slices] == [0, 1]
    assert [event.throughput_rps for event in events if event.event == "drained"][1:] == [
        slice_.throughput_rps for slice_ in ended.slices
    ]
    assert [event.at_ns for event in events if event.event == "opened"] == [slice_.start_ns for slice_ in ended.slices]
    assert ended.totals[0].attempts == sent


def test_phase_after_phase_is_driven_until_the_input_ends(tmp_path: Path) -> None:
    """Each has totals of its own; those told in advance wait for their turn."""
    with null_server("null") as server:
        phase = dump(spec(server))
        with running(tmp_path, phase, phase) as process:
            totals = [result(process).totals[0].attempts for _ in range(2)]
            order(process, phase)
            totals.append(result(process).totals[0].attempts)
            assert finish(process) == 0
        assert server.seen()["requests"] == sum(totals)


def test_memory_and_descriptors_stay_flat_over_phases(tmp_path: Path) -> None:
    """Forty phases after the first twenty, in which the allocator comes to rest."""
    with null_server("null") as server, running(tmp_path) as process:
        phase = dump(spec(server, slice_s=0.02, warmup_s=0.02))

        def held() -> tuple[int, int]:
            pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
            return pages * os.sysconf("SC_PAGE_SIZE"), len(list(Path(f"/proc/{process.pid}/fd").iterdir()))

        def drive(phases: int) -> None:
            for _ in range(phases):
                order(process, phase)
                assert result(process).error is None

        drive(20)
        before_bytes, before_files = held()
        after = []
        for _ in range(2):  # what grows is there both times; a buffer of a moment is not
            drive(20)
            after.append(held())
    after_bytes, after_files = map(min, zip(*after, strict=True))
    assert after_files <= before_files + 1, "libev has a timer of its own now and then"
    assert after_bytes - before_bytes < 1_000_000


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_phase_with_what_it_has(tmp_path: Path, number: signal.Signals) -> None:
    """Within the second round: the first slice is there, the error says why, and every request is accounted for."""
    rounds = ((0,),) * 50
    with null_server("null") as server, running(tmp_path, dump(spec(server, rounds=rounds))) as process:
        read_until(process, "drained")
        read_until(process, "drained")
        read_until(process, "opened")
        process.send_signal(number)
        ended = result(process)
        assert process.wait(PATIENCE_S) == 1
        assert ended.error is not None
        assert number.name in ended.error
        assert 1 <= len(ended.slices) < 50
        assert ended.totals[0].attempts == ended.totals[0].good == server.seen()["requests"]


def test_a_signal_ends_a_run_that_waits(tmp_path: Path) -> None:
    """No phase is under way."""
    with running(tmp_path) as process:
        read_until(process, "ready")
        process.terminate()
        assert process.wait(PATIENCE_S) == 1


def test_a_signal_does_not_wait_for_a_server_that_hangs(tmp_path: Path) -> None:
    """A request that has no answer within a second is given up, and counted as timed out."""
    with null_server("fixed:3600000") as server, running(tmp_path, dump(spec(server))) as process:
        read_until(process, "started")
        process.terminate()
        (totals,) = result(process).totals
        assert process.wait(PATIENCE_S) == 1
    assert totals.error_kinds.get("timeout", 0) == totals.errors == totals.attempts <= 4


def test_a_run_ends_when_nobody_reads_its_events(tmp_path: Path) -> None:
    """The reader has gone away: no load goes on."""
    with null_server("null") as server, running(tmp_path, dump(spec(server, rounds=((0,),) * 500))) as process:
        read_until(process, "opened")
        assert process.stdout is not None
        process.stdout.close()
        assert process.wait(PATIENCE_S) == 1


def test_a_run_ends_when_its_parent_is_gone(tmp_path: Path) -> None:
    """Started by a process that dies: no load goes on behind anyone's back."""
    with null_server("null") as server:
        (tmp_path / "specs").write_text(dump(spec(server, slice_s=30.0)) + "\n")
        given = "stdin=open('specs'), stdout=open('events', 'w')"
        child = f"import subprocess; print(subprocess.Popen({ARGV!r}, {given}).pid, flush=True)"
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
            try:
                poll(lambda: "opened" in (tmp_path / "events").read_text())
                parent.kill()
                parent.wait(PATIENCE_S)
                poll(lambda: "done" in (tmp_path / "events").read_text())
            finally:
                parent.kill()
                kill(pid)
    last = load(Event, (tmp_path / "events").read_text().splitlines()[-1])
    assert last.result is not None
    assert "gone" in (last.result.error or "")


def kill(pid: int) -> None:
    """End what may have ended by itself."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def poll(done: Callable[[], bool]) -> None:
    """Wait until `done` says so; fails after a long while."""
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
def test_a_spec_that_cannot_be_driven_is_an_error_in_the_result(tmp_path: Path, text: str) -> None:
    """Not a hang: a sentence, and the next phase is awaited."""
    with running(tmp_path, text) as process:
        ended = result(process)
        assert ended.error
        assert ended.slices == ()
        assert finish(process) == 0


def test_an_open_phase_is_judged_by_its_lateness(tmp_path: Path) -> None:
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
            (slice_,) = result(process).slices
    assert slice_.latency
    assert slice_.service
    assert slice_.lateness
    assert slice_.scheduled == slice_.done
    assert slice_.generator.cpu_percent > 0
    assert json.loads(dump(slice_))["generator"]["valid"] == (not slice_.generator.reasons)
