"""A load generator that fails is one clear error, and the next phase has a new one."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness import spec
from harness.errors import LaunchError, LoadError
from harness.machine.process import Process, running
from harness.spec.loads import Closed
from harness.trial import generator
from harness.trial.generator import Generator, generating
from tests.loadtests.engine_support import NullServer, null_server

SAID = "import sys, time; print(sys.argv[1], file=sys.stderr, flush=True)"
TRACEBACK = "Traceback (most recent call last):\n  File\nOSError: no file"


@contextmanager
def lines_of(code: str, log: Path) -> Iterator[generator._Lines]:
    """To and from a load generator that runs `code`."""
    argv = [sys.executable, "-c", code, TRACEBACK]
    with running(argv, name="load generator", log=log, pipes=("stdin", "stdout")) as process:
        yield generator._Lines(process)


def test_a_generator_that_is_silent_is_given_up(tmp_path: Path) -> None:
    """With what it said last and where its log is, on one line."""
    log = tmp_path / "log"
    with lines_of(f"{SAID}; time.sleep(60)", log) as lines:
        with pytest.raises(LoadError) as caught:
            list(lines.events(silence_s=0.5))
        assert lines.process.alive()
    assert str(caught.value) == f"load generator is silent for 0.5 s: OSError: no file; log: {log}"


def test_a_generator_that_takes_no_order_is_given_up(tmp_path: Path) -> None:
    """It reads nothing, and the pipe is full."""
    with (
        lines_of("import time; time.sleep(60)", tmp_path / "log") as lines,
        pytest.raises(LoadError, match=r"load generator takes no order for 0\.5 s; log: "),
    ):
        lines.write(b"x" * 2**20, timeout_s=0.5)


@pytest.mark.parametrize(
    ("code", "how"),
    [("import os; os.kill(os.getpid(), 9)", r"signal 9 \(Killed\)"), ("raise SystemExit(3)", "exit code 3")],
)
def test_a_generator_that_ended_is_told_by_how(code: str, how: str, tmp_path: Path) -> None:
    """Whether it was to be read or to be written to."""
    with lines_of(code, tmp_path / "log") as lines:
        with pytest.raises(LoadError, match=f"load generator ended (by|with) {how}; log: "):
            list(lines.events(silence_s=20.0))
        with pytest.raises(LoadError, match=f"load generator ended (by|with) {how}; log: "):
            lines.write(b"x", timeout_s=20.0)


def test_a_generator_that_does_not_end_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has closed its output, and lives."""
    monkeypatch.setattr(generator, "END_S", 0.5)
    with (
        lines_of("import os, time; os.close(1); time.sleep(60)", tmp_path / "log") as lines,
        pytest.raises(LoadError, match=r"load generator does not end within 0\.5 s; log: "),
    ):
        list(lines.events(silence_s=20.0))


def test_what_is_no_event_is_an_error(tmp_path: Path) -> None:
    """With what it is, on one line."""
    with (
        lines_of("print('Segmentation fault', flush=True)", tmp_path / "log") as lines,
        pytest.raises(LoadError, match=r"load generator printed what is no event \(Segmentation fault\); log: "),
    ):
        list(lines.events(silence_s=20.0))


def test_a_generator_that_cannot_be_started_is_a_launch_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each phase tries again."""
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no python"))
    with Running(tmp_path) as drives:
        for _ in range(2):
            with pytest.raises(LaunchError, match="load generator cannot be started"):
                drives.run(spec.Spec(arms=(), rounds=()), lambda *_: None)


class Running:
    """A generator that is ended at the end, and started only by its first phase."""

    def __init__(self, folder: Path) -> None:
        self.generator = Generator(cpus=(), log=folder / "generator.log")

    def __enter__(self) -> Generator:
        return self.generator

    def __exit__(self, *_: object) -> None:
        self.generator.end()


def phase(server: NullServer, rounds: int = 1) -> spec.Spec:
    """Closed slices of a tenth of a second."""
    arm = spec.DrivenArm(name="a", port=server.port, load=Closed(connections=4), request=spec.Request(length=5))
    return spec.Spec(arms=(arm,), rounds=((0,),) * rounds, slice_s=0.1, warmup_s=0.1)


@pytest.mark.live
def test_one_process_drives_phase_after_phase(tmp_path: Path) -> None:
    """Each phase has its own totals, which are what the server saw."""
    pids = set()
    with null_server("null") as server, generating(cpus=(), log=tmp_path / "generator.log") as drives:
        sent = 0
        for _ in range(3):
            result = drives.run(phase(server), lambda _event, process: pids.add(process.pid))
            assert len(result.slices) == 1
            sent += result.totals[0].attempts
            assert server.seen()["requests"] == sent
    assert len(pids) == 1


@pytest.mark.live
@pytest.mark.parametrize("fault", [signal.SIGKILL, signal.SIGSTOP])
def test_a_generator_that_is_killed_or_hangs_is_replaced_at_once(
    fault: signal.Signals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It costs its phase; the next one is driven by a process that was started meanwhile."""
    monkeypatch.setattr(generator, "longest_silence_s", lambda _order: 2.0)
    pids: list[int] = []

    def strike(event: spec.Event, process: Process) -> None:
        pids.append(process.pid)
        if event.event == "opened" and len(set(pids)) == 1:
            os.kill(process.pid, fault)

    with null_server("null") as server, generating(cpus=(), log=tmp_path / "generator.log") as drives:
        with pytest.raises(LoadError, match=r"load generator (ended by signal 9|is silent for 2 s)"):
            drives.run(phase(server), strike)
        assert drives._lines is not None, "the next one has been started at once"
        assert drives._lines.process.pid not in pids
        result = drives.run(phase(server), strike)
    assert len(result.slices) == 1
    assert len(set(pids)) == 2


@pytest.mark.live
def test_a_generator_that_was_killed_while_it_waited_costs_nothing(tmp_path: Path) -> None:
    """The next phase starts a new one first."""
    with null_server("null") as server, generating(cpus=(), log=tmp_path / "generator.log") as drives:
        pids: list[int] = []
        drives.run(phase(server), lambda _event, process: pids.append(process.pid))
        os.kill(pids[0], signal.SIGKILL)
        drives._lines.process.popen.wait(20)  # type: ignore[union-attr]
        assert len(drives.run(phase(server), lambda *_: None).slices) == 1


@pytest.mark.live
def test_whatever_an_event_raises_ends_the_phase_at_once(tmp_path: Path) -> None:
    """As when a service beside the arms has died."""

    def give_up(event: spec.Event, _: Process) -> None:
        if event.event == "opened":
            raise LoadError("the upstream died")

    with null_server("null") as server, generating(cpus=(), log=tmp_path / "generator.log") as drives:
        with pytest.raises(LoadError, match="the upstream died"):
            drives.run(phase(server, rounds=500), give_up)
        assert len(drives.run(phase(server), lambda *_: None).slices) == 1
