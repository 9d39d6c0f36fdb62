"""A Locust run that shows nothing is one clear error."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness import spec
from harness.errors import LoadError
from harness.machine.process import Process, running
from harness.trial import generator

SAID = "import sys, time; print(sys.argv[1], file=sys.stderr, flush=True)"
TRACEBACK = "Traceback (most recent call last):\n  File\nOSError: no file"


@contextmanager
def generating(code: str, log: Path) -> Iterator[Process]:
    """A load generator that runs `code`."""
    argv = [sys.executable, "-c", code, TRACEBACK]
    with running(argv, name="load generator", log=log, stdout=subprocess.PIPE) as process:
        yield process


def test_a_generator_that_is_silent_is_given_up(tmp_path: Path) -> None:
    """With what it said last and where its log is, on one line."""
    log = tmp_path / "log"
    with generating(f"{SAID}; time.sleep(60)", log) as process:
        with pytest.raises(LoadError) as caught:
            list(generator._events(process, silence_s=0.5))
        assert process.alive()
    assert str(caught.value) == f"load generator is silent for 0.5 s: OSError: no file; log: {log}"


@pytest.mark.parametrize("left", [None, "", '{"slices": "many"}'])
def test_a_generator_that_leaves_no_result_is_an_error(tmp_path: Path, left: str | None) -> None:
    """Whether it left nothing or something else."""
    if left is not None:
        (tmp_path / "result.json").write_text(left)
    with generating(SAID, tmp_path / "log") as process:
        process.popen.wait(20)
        with pytest.raises(LoadError, match="load generator left no result") as caught:
            generator._result(tmp_path / "result.json", process)
    assert str(caught.value).endswith(f": OSError: no file; log: {tmp_path / 'log'}")
    assert "\n" not in str(caught.value)


def test_a_result_that_says_why_it_ended_early_is_an_error(tmp_path: Path) -> None:
    """In its own words."""
    result = spec.Result(slices=(), totals=(), error="out of ports")
    (tmp_path / "result.json").write_text(spec.dump(result))
    with (
        generating("", tmp_path / "log") as process,
        pytest.raises(LoadError, match="the load generator ended early: out of ports"),
    ):
        generator._result(tmp_path / "result.json", process)


def test_a_generator_that_was_killed_is_told_by_its_signal(tmp_path: Path) -> None:
    """Not by the result that it left none of."""
    with generating("import os; os.kill(os.getpid(), 9)", tmp_path / "log") as process:
        process.popen.wait(20)
        with pytest.raises(LoadError, match=r"load generator ended by signal 9 \(Killed\); log: "):
            generator._result(tmp_path / "result.json", process)


def test_a_generator_that_does_not_end_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has closed its output, and lives."""
    monkeypatch.setattr(generator, "END_S", 0.5)
    with generating("import os, time; os.close(1); time.sleep(60)", tmp_path / "log") as process:
        assert list(generator._events(process, silence_s=20.0)) == []
        with pytest.raises(LoadError, match=r"load generator does not end within 0\.5 s; log: "):
            generator._wait_ended(process)


def test_what_is_no_event_is_an_error(tmp_path: Path) -> None:
    """With what it is, on one line."""
    with (
        generating("print('Segmentation fault', flush=True)", tmp_path / "log") as process,
        pytest.raises(LoadError, match=r"load generator printed what is no event \(Segmentation fault\); log: "),
    ):
        list(generator._events(process, silence_s=20.0))
