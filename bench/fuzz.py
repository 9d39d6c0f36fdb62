"""Does any input end in a traceback, or in none at all? Definitions, command lines and records that nobody would write.

    .venv/bin/python bench/fuzz.py          10,000 inputs: a third of each
    .venv/bin/python bench/fuzz.py 600      so many

Each is given to the command line in this process; nothing is launched or measured. It may end well, or with a message
and an exit code. Prints the figure, and ends with 1 at the first input that ends otherwise, made as small as it can be.
"""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from hypothesis import HealthCheck, given, settings
from typer import testing
from typer.testing import CliRunner

from bench.input_records import OWN, Changed, changed_runs, sound
from bench.inputs import DATA, SUITE, command_lines, suites
from harness.cli import app, calibrate, demo, doctor, load, run, serve, tune, verify
from harness.errors import GatebenchError, LoadError
from harness.report import build, style
from harness.suite import read

INPUTS = 10_000
PATIENCE_S = 20.0
"""An input that takes longer hangs: the slowest takes about one second."""
EDGES = (
    (run, "_measured"),
    (tune, "_measured"),
    (load, "run_load"),
    (demo, "_ended"),
    (serve, "_serve"),
    (calibrate, "_measured"),
    (doctor, "examine"),
    (verify, "check"),
)
"""Where verbs begin to measure, to launch or to examine the machine: by module and name."""
LOOKS = ((run, "disturbances"), (tune, "disturbances"))
"""Where they look at the machine for seconds: nothing is found, and they go on."""
KEPT = ((testing, "_get_command"), (read, "load_definitions"))
"""What is the same for every input, and takes longer than the rest: it is made once."""


class HangError(Exception):
    """An input has not ended in time."""


@dataclass
class Tally:
    """What became of the inputs."""

    codes: dict[int, int] = field(default_factory=dict)
    slowest_s: float = 0.0

    @property
    def inputs(self) -> int:
        """How many there were."""
        return sum(self.codes.values())


def ends_well(line: Sequence[str], tally: Tally) -> None:
    """Raise `AssertionError` unless that call ends with success or a message, and in time."""
    began = time.monotonic()
    signal.setitimer(signal.ITIMER_REAL, PATIENCE_S)
    try:
        done = CliRunner().invoke(app, list(line))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    problem = done.exception
    if problem is not None and not isinstance(problem, (GatebenchError, SystemExit, KeyboardInterrupt)):
        words = [word[:40] for word in line]
        raise AssertionError(
            f"gatebench {words} ended with {type(problem).__name__}: {str(problem)[:200]}"
        ) from problem
    code = problem.exit_code if isinstance(problem, GatebenchError) else done.exit_code
    tally.codes[code] = tally.codes.get(code, 0) + 1
    tally.slowest_s = max(tally.slowest_s, time.monotonic() - began)


@contextlib.contextmanager
def harmless(folder: Path) -> Iterator[None]:
    """In `folder`, with nothing behind the command line that launches, measures or waits; hangs end in an error."""

    def refuse(*_: object, **__: object) -> NoReturn:
        raise LoadError("nothing is measured here")

    def sees_nothing(*_: object, **__: object) -> list[object]:
        return []

    def hangs(_number: int, _frame: FrameType | None) -> NoReturn:
        raise HangError(f"not ended after {PATIENCE_S:g} s")

    (folder / "folder.toml").mkdir()
    (folder / "latin.toml").write_bytes(b'about = "\xe9"')
    before, here = signal.signal(signal.SIGALRM, hangs), Path.cwd()
    kept = [(module, name, getattr(module, name)) for module, name in (*EDGES, *LOOKS, *KEPT)]
    for module, name, _ in kept:
        setattr(module, name, sees_nothing if (module, name) in LOOKS else refuse)
    for module, name, value in kept[-len(KEPT) :]:
        setattr(module, name, functools.cache(value))
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(here)
        for module, name, value in kept:
            setattr(module, name, value)
        signal.signal(signal.SIGALRM, before)


@contextlib.contextmanager
def drawing(*, drawn: bool) -> Iterator[None]:
    """With the charts of reports as SVG alone, or with none."""
    changed: list[tuple[Any, str, Any]] = [(style, "png", lambda *_: b"")]
    changed += [] if drawn else [(build, "charts", lambda _: [])]
    kept = [(module, name, getattr(module, name)) for module, name, _ in changed]
    try:
        for module, name, value in changed:
            setattr(module, name, value)
        yield
    finally:
        for module, name, value in kept:
            setattr(module, name, value)


def fuzz(inputs: int, folder: Path) -> Tally:
    """Give a third as many definitions, command lines and records to the command line, in `folder`, which is empty."""
    tally = Tally()
    own, results = folder / "own.toml", folder / "results"
    (folder / "own.csv").write_text(DATA)
    chosen: Callable[..., Any] = settings(
        max_examples=max(1, inputs // 3),
        deadline=None,
        database=None,
        print_blob=False,
        suppress_health_check=list(HealthCheck),
    )

    @chosen
    @given(suites())
    def definitions(content: bytes) -> None:
        own.write_bytes(content)
        ends_well(["plan", str(own)], tally)

    @chosen
    @given(command_lines())
    def calls(line: list[str]) -> None:
        ends_well(line, tally)

    @chosen
    @given(changed_runs())
    def records(changed: Changed) -> None:
        for name, content in changed.files.items():
            (results / OWN / name).write_bytes(content)
        with drawing(drawn=changed.drawn):
            ends_well(changed.line, tally)

    with harmless(folder):
        definitions()
        own.write_text("\n".join(SUITE), encoding="utf-8")
        calls()
        for run_folder in (results / OWN, results / "sound"):
            run_folder.mkdir(parents=True)
            for name, content in sound().items():
                (run_folder / name).write_bytes(content)
        records()
    return tally


def main() -> int:
    """Fuzz, and print what came out."""
    inputs = int(sys.argv[1]) if sys.argv[1:] else INPUTS
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="gatebench-fuzz-") as folder:
        tally = fuzz(inputs, Path(folder))
    codes = ", ".join(f"{count} with {code}" for code, count in sorted(tally.codes.items()))
    took_s = time.monotonic() - began
    print(f"PASS  {tally.inputs} inputs without a traceback or a hang in {took_s:.0f} s: {codes}")
    print(f"      the slowest took {tally.slowest_s:.2f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
