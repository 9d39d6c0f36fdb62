"""An arm in several pods: as many servers, each with its part, which are one to whoever drives it."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from harness.errors import AnswerError, LaunchError
from harness.machine import pods
from harness.machine.process import Process
from harness.subject import services
from harness.subject.launch import Launched
from harness.subject.pods import launch_pods
from harness.subject.services import Services
from harness.subject.verify import Asked, verify
from harness.suite import Arm, Ask, Expect, Upstream
from harness.trial.serving import Serving
from tests import factories
from tests.polling import until

CODE = """
import http.server, pathlib, sys
host, port, workers, answers = sys.argv[1:]
first = pathlib.Path("first")
try:
    first.touch(exist_ok=False)
    body = b"hello"
except FileExistsError:
    body = answers.encode()

class Hello(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

print("workers", workers, flush=True)
http.server.ThreadingHTTPServer((host, int(port)), Hello).serve_forever()
"""

WEIGHTS = {"cpu.shares": 512, "cpu.weight": 50}
"""Of one of two pods, in either version."""


def arm(folder: Path, answers: str = "hello", expect: str = "hello") -> Arm:
    """An arm of four workers in two pods without limits; the server that starts first answers `hello`."""
    return factories.arm(
        target=factories.target(name="shop", python=sys.executable, folder=str(folder)),
        server=factories.server(name="tiny", argv=("{python}", "-c", CODE, "{host}", "{port}", "{workers}", answers)),
        scenario=factories.scenario(request=Ask(path="/hello"), expect=Expect(contains=expect)),
        workers=4,
        pods=2,
    )


@contextmanager
def launched(made: Arm, folder: Path) -> Iterator[Launched]:
    """That arm, ready."""
    with launch_pods(made, (), Services(), cpus=(), log=folder / "p1b.log") as server:
        server.wait_ready()
        yield server


def test_each_pod_has_a_port_a_log_and_its_part_of_the_workers(tmp_path: Path) -> None:
    """And all of them are gone at the end."""
    with launched(arm(tmp_path), tmp_path) as server:
        assert len({pod.port for pod in server.each}) == 2
        assert (server.port, server.host) == (server.each[0].port, server.each[0].host)
        assert {(pod.arm.cell.workers, pod.arm.cell.pods) for pod in server.each} == {(2, 1)}
        members = server.process.members()
        assert members == sorted(pid for pod in server.each for pid in pod.process.members())
        assert server.arm.cell.workers == 4
        slowest = [pod.wait_ready() or 0.0 for pod in server.each]
        assert max(slowest) <= (server.wait_ready() or 0.0), "asked later"
        assert server.memory() is not None
        assert len(members) == 2
    assert server.process.members() == []
    for number in (1, 2):
        assert "workers 2" in (tmp_path / f"p1b-pod{number}.log").read_text()


def test_one_pod_is_launched_as_ever(tmp_path: Path) -> None:
    """With the log that is named."""
    with launched(replace(arm(tmp_path), cell=arm(tmp_path).cell.at(pods=1)), tmp_path) as server:
        assert server.each == (server,)
        assert isinstance(server.process, Process)
    assert "workers 4" in (tmp_path / "p1b.log").read_text()


def test_every_pod_is_asked(tmp_path: Path) -> None:
    """A wrong answer of the second is one of the arm."""
    with launched(arm(tmp_path, answers="goodbye"), tmp_path) as server, pytest.raises(AnswerError, match="hello"):
        server.verify()


@pytest.mark.parametrize(("answers", "same"), [("hello", True), ("hello!", False)])
def test_a_digest_is_held_against_answers_only_where_all_pods_answer_alike(
    answers: str, *, same: bool, tmp_path: Path
) -> None:
    """They may name themselves."""
    with launched(arm(tmp_path, answers=answers), tmp_path) as server:
        (known,) = Serving.of(server).known
    assert (known.sha256 is not None) == same


def test_verify_asks_every_pod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Measuring nothing."""

    @contextmanager
    def started(**_: object) -> Iterator[Services]:
        yield Services()

    monkeypatch.setattr(services, "started", started)
    right = arm(tmp_path)
    (checked,) = verify([Asked(right, (right.scenario,))], (), {}, Upstream())
    assert checked.problem is None
    (tmp_path / "first").unlink()
    wrong = arm(tmp_path, answers="goodbye")
    (checked,) = verify([Asked(wrong, (wrong.scenario,))], (), {}, Upstream())
    assert checked.problem is not None
    assert "hello" in checked.problem
    assert Path(checked.problem.rpartition("; log: ")[2]).is_file()


def test_a_pod_that_ends_is_named(tmp_path: Path) -> None:
    """The load goes to it too, so the arm does not run any more."""
    with launched(arm(tmp_path), tmp_path) as server:
        second = server.each[1].process
        assert isinstance(second, Process)
        assert server.process.alive()
        os.kill(second.pid, signal.SIGKILL)
        assert until(lambda: not server.process.alive())
        assert str(server.process.died()).startswith("shop on tiny, pod 2 of 2 ended by signal 9")
        assert "p1b-pod2.log" in server.process.with_log("says")
        with pytest.raises(LaunchError, match="pod 2 of 2"):
            server.wait_ready(1.0)


@pytest.mark.live
def test_each_pod_has_its_part_of_the_budget(tmp_path: Path) -> None:
    """And what they count is summed; one that its limit kills is named."""
    if why := pods.refused(0.2, 64 << 20):
        pytest.skip(why)
    made = arm(tmp_path)
    limited = replace(made, cell=replace(made.cell, cpus=0.4, memory_limit_bytes=128 << 20))
    with launched(limited, tmp_path) as server:
        for pod in server.each:
            assert (pod.arm.cell.cpus, pod.arm.cell.memory_limit_bytes) == (0.2, 64 << 20)
        assert len({folder for pod in server.each for folder in pod.groups.folders}) >= 2
        each = [pod.groups.spent() for pod in server.each]
        peaks = [spent.peak_bytes or 0 for spent in each]
        assert min(peaks) > 0
        assert (server.groups.spent().peak_bytes or 0) >= sum(peaks)
        assert server.groups.spent().periods >= sum(spent.periods for spent in each) > 0
        assert server.killed() is None
        files = [folder / name for pod in server.each for folder in pod.groups.folders for name in WEIGHTS]
        assert [WEIGHTS[file.name] for file in files if file.exists()] == [
            int(file.read_text()) for file in files if file.exists()
        ]
        assert sum(file.exists() for file in files) == 2
